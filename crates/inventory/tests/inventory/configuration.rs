use plura_inventory::{ConfigurationError, ImageConfiguration, Rule};

#[test]
fn a_configuration_is_read() {
    let configuration = ImageConfiguration::parse(
        br#"{"created": "2024-01-01T00:00:00Z", "architecture": "arm64", "variant": "v8", "os": "linux",
        "config": {"User": "1000:1000", "Entrypoint": ["/app"], "Cmd": null, "WorkingDir": "/srv",
            "ExposedPorts": {"8080/tcp": {}}, "Volumes": {"/data": {}}, "Labels": {"a": "b"},
            "Healthcheck": {"Test": ["NONE"]},
            "Env": ["PATH=/bin", "DB_PASSWORD=hunter2hunter2", "DB_HOST=db.prod.example.com",
                "TOKEN_FILE=/run/token", "EMPTY"]},
        "rootfs": {"type": "layers", "diff_ids":
            ["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]},
        "history": [{"created_by": "RUN true"}, {}]}"#,
    )
    .unwrap();
    assert!(!configuration.is_root && configuration.has_health_check);
    assert_eq!(configuration.ports, ["8080/tcp"]);
    assert_eq!(configuration.layers.len(), 1);
    let value = |name: &str| {
        let variable = configuration.environment.iter().find(|variable| variable.name == name);
        variable.unwrap().value.as_deref()
    };
    assert_eq!(value("DB_PASSWORD"), None);
    assert_eq!(value("TOKEN_FILE"), Some("/run/token"));
    assert_eq!(value("EMPTY"), Some(""));
    let specific = configuration.environment.iter().filter(|v| v.is_environment_specific);
    assert_eq!(specific.map(|variable| variable.name.as_str()).collect::<Vec<_>>(), ["DB_HOST"]);
    assert_eq!(configuration.findings.len(), 1);
    assert_eq!(configuration.findings[0].rule, Rule::EnvironmentSecret);
    assert_eq!(configuration.findings[0].path, "environment DB_PASSWORD");
    assert!(!format!("{configuration:?}").contains("hunter2"));
}

#[test]
fn root_is_root_however_it_is_written() {
    for (user, expected) in [
        ("", true),
        ("root", true),
        ("0", true),
        ("00:1000", true),
        ("root:app", true),
        ("1000", false),
        ("app:root", false),
        ("nonroot", false),
    ] {
        let json = format!(r#"{{"config": {{"User": "{user}"}}}}"#);
        let configuration = ImageConfiguration::parse(json.as_bytes()).unwrap();
        assert_eq!(configuration.is_root, expected, "{user}");
    }
    assert!(ImageConfiguration::parse(b"{}").unwrap().is_root);
}

#[test]
fn a_secret_in_a_step_of_the_build_is_found_and_not_shown() {
    let json = br#"{"history": [{"created_by": "ARG T=glpat-AbCdEfGh1234567890xY"}],
        "config": {"Cmd": ["--token=glpat-AbCdEfGh1234567890xY"], "Labels": null}}"#;
    let configuration = ImageConfiguration::parse(json).unwrap();
    assert_eq!(configuration.findings.len(), 2);
    assert_eq!(configuration.command, ["(redacted)"]);
    assert!(!format!("{configuration:?}").contains("AbCdEfGh"));
}

#[test]
fn an_error_does_not_quote_what_it_is_about() {
    let json = br#"{"config": {"Env": [{"PASSWORD": "hunter2"}]}}"#;
    let error = ImageConfiguration::parse(json).unwrap_err();
    assert!(matches!(error, ConfigurationError::Malformed { line: 1, .. }));
    assert!(!error.to_string().contains("hunter2"));
}
