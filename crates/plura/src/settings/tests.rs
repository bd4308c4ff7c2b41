use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::file::File;
use super::*;

/// Settings from a file and variables, written `NAME=value`.
fn resolved(file: &str, variables: &[&str]) -> Result<Resolved, Problems> {
    let split = |line: &&str| {
        let (name, value) = line.split_once('=').expect("a variable is written NAME=value");
        (OsString::from(name), OsString::from(value))
    };
    resolve(&Sources {
        file: Some(File { name: PathBuf::from("plura.toml"), text: file.to_owned() }),
        environment: variables.iter().map(split).collect(),
        reserved: vec!["PLURA_CONFIG".to_owned(), "PLURA_SERVER".to_owned()],
        flags: Vec::new(),
    })
}

#[track_caller]
fn settings(file: &str, variables: &[&str]) -> Settings {
    resolved(file, variables).unwrap_or_else(|problems| panic!("{problems}")).settings
}

/// Checks all that is reported, one line a problem.
#[track_caller]
fn refused(file: &str, variables: &[&str], expected: &[&str]) {
    let Problems(problems) = resolved(file, variables).expect_err("the settings were accepted");
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(lines, expected);
}

#[test]
fn without_sources_everything_is_a_default() {
    let settings = settings("", &[]);
    assert_eq!(settings.data, Path::new("./plura-data"));
    assert_eq!(settings.server.listen.to_string(), "127.0.0.1:5000");
    assert_eq!(settings.server.public_url, None);
    assert_eq!(settings.server.tls.files(), None);
    assert_eq!(settings.registry.sparse, Sparse::Index);
    assert_eq!(settings.registry.manifest_limit.bytes(), 4 << 20);
    assert_eq!(settings.collection.grace.duration(), Duration::from_hours(24));
    assert_eq!(settings.collection.keep_untagged.to_string(), "30d");
    assert_eq!(settings.health.failures.get(), 3);
}

/// The names of all fields, unset ones included, as `section.key`.
fn fields(value: &serde_json::Value, prefix: &str, names: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields_below) => {
            for (name, value) in fields_below {
                let dot = if prefix.is_empty() { "" } else { "." };
                fields(value, &format!("{prefix}{dot}{name}"), names);
            }
        }
        _ => names.push(prefix.to_owned()),
    }
}

#[test]
fn every_field_is_documented_and_every_documented_key_is_a_field() {
    let tree = serde_json::to_value(settings("", &[])).expect("settings serialise");
    let mut names = Vec::new();
    fields(&tree, "", &mut names);
    let mut documented: Vec<_> = keys::all().map(|key| key.path).collect();
    names.sort();
    documented.sort_unstable();
    assert_eq!(names, documented);
}

#[test]
fn keys_are_documented_in_the_section_that_their_name_says() {
    for section in SECTIONS {
        for key in section.keys {
            let prefix = key.path.strip_suffix(key.name()).expect("a path ends in the name");
            assert_eq!(prefix.trim_end_matches('.'), section.name, "{}", key.path);
        }
    }
}

#[test]
fn every_default_and_example_is_accepted_from_a_file_and_from_the_environment() {
    for key in keys::all() {
        for text in key.default.into_iter().chain([key.example]) {
            let file = alone(key, text, &format!("{} = {text}", key.path));
            resolved(&file, &[]).unwrap_or_else(|problems| panic!("{}: {problems}", key.path));
            let variable = format!("{}={}", key.environment(), text.trim_matches('"'));
            resolved(&alone(key, text, ""), &[&variable])
                .unwrap_or_else(|problems| panic!("{variable}: {problems}"));
        }
    }
}

/// A file with what a key of that value cannot do without.
fn alone(key: &Key, value: &str, line: &str) -> String {
    let other = match (key.path, value) {
        ("server.tls.certificate", _) => "server.tls.key = \"key.pem\"\n",
        ("database.password_file" | "database.ca_file", _) => {
            "database.url = \"postgres://plura@db/plura\"\n"
        }
        ("storage.backend", "\"s3\"") => "storage.s3.bucket = \"b\"\n",
        ("server.tls.key", _) => "server.tls.certificate = \"certificate.pem\"\n",
        ("server.tls.client_certificates", "\"optional\"") => {
            "server.tls.certificate = \"c\"\nserver.tls.key = \"k\"\nserver.tls.client_ca = \"a\"\n"
        }
        ("server.tls.client_ca", _) => {
            "server.tls.certificate = \"c\"\nserver.tls.key = \"k\"\n\
             server.tls.client_certificates = \"required\"\n"
        }
        ("access.oidc.issuer", _) => {
            "access.oidc.client_id = \"c\"\nserver.public_url = \"https://r.example\"\n"
        }
        ("rollout.prometheus.token_file", _) => "rollout.prometheus.url = \"http://a\"\n",
        ("rollout.traffic.url", _) => "rollout.traffic.secret_file = \"s\"\n",
        ("rollout.traffic.secret_file", _) => "rollout.traffic.url = \"http://a\"\n",
        ("access.oidc.client_id", _) => {
            "access.oidc.issuer = \"https://i\"\nserver.public_url = \"https://r.example\"\n"
        }
        _ => "",
    };
    format!("{other}{line}\n")
}

#[test]
fn settings_read_back_from_what_is_printed_are_the_same() {
    let file = "data = \"/d\"\n[server]\npublic_url = \"https://a.example\"\n[server.tls]\n\
                certificate = \"c\"\nkey = \"k\"\n[registry]\nminimum_chunk = 5000\n\
                [collection]\nkeep_untagged = \"forever\"\n";
    let first = settings(file, &[]);
    let printed = toml::to_string(&first).expect("settings serialise");
    assert_eq!(settings(&printed, &[]), first);
}

#[test]
fn the_environment_is_stronger_than_the_file_and_flags_are_stronger_than_both() {
    let mut sources = Sources {
        file: Some(File {
            name: PathBuf::from("a.toml"),
            text: "data = \"file\"\n[health]\nfailures = 5\ninterval = \"3s\"\n".to_owned(),
        }),
        environment: vec![
            ("PLURA_DATA".into(), "environment".into()),
            ("PLURA_HEALTH__FAILURES".into(), "6".into()),
        ],
        ..Sources::default()
    };
    sources.flags.push(Flag { name: "--data", key: "data", value: "flag".into() });
    let resolved = resolve(&sources).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(resolved.settings.data, Path::new("flag"));
    assert_eq!(resolved.settings.health.failures.get(), 6);
    let origins = ["data", "health.failures", "health.interval", "log.level"];
    let origins = origins.map(|key| resolved.origin(key).to_string());
    assert_eq!(origins, ["--data", "PLURA_HEALTH__FAILURES", "a.toml:4:12", "default"]);
}

#[test]
fn text_from_the_environment_takes_the_type_of_its_key() {
    let variables = ["PLURA_DATA=5000", "PLURA_REGISTRY__DELETE=false", "PLURA_SERVER=ignored"];
    let settings = settings("", &variables);
    assert_eq!(settings.data, Path::new("5000"));
    assert!(!settings.registry.delete);
}

#[test]
fn unknown_names_are_refused_with_the_name_they_were_meant_to_be() {
    refused(
        "dat = 1\n[registry]\n  sprase = 1\nlisten = 2\nwhatever = 3\n[registri]\nsparse = 4\n",
        &["PLURA_SPARSE=all", "PLURA_REGISTRY__SPRASE=all", "PLURA_SERVR=x"],
        &[
            "plura.toml:1:1: unknown key `dat`; did you mean `data`?",
            "plura.toml:3:3: unknown key `registry.sprase`; did you mean `registry.sparse`?",
            "plura.toml:4:1: unknown key `registry.listen`; did you mean `server.listen`?",
            "plura.toml:5:1: unknown key `registry.whatever`",
            "plura.toml:6:2: unknown section `registri`; did you mean `registry`?",
            "PLURA_REGISTRY__SPRASE: unknown key `registry.sprase`; did you mean `PLURA_REGISTRY__SPARSE`?",
            "PLURA_SERVR: unknown key `servr`; did you mean `PLURA_SERVER`?",
            "PLURA_SPARSE: unknown key `sparse`; did you mean `PLURA_REGISTRY__SPARSE`?",
        ],
    );
}

#[test]
fn values_of_the_wrong_type_or_range_are_refused_with_what_was_expected() {
    refused(
        "data = \"\"\nserver = 5\n[registry]\nupload_expiry = 30\ndelete = \"yes\"\n\
         manifest_limit = 1024\nsparse = \"some\"\n[health]\nfailures = 0\n",
        &["PLURA_HEALTH__INTERVAL=0s", "PLURA_SERVER__LISTEN=:5000"],
        &[
            "plura.toml:1:8: `data`: the value is empty; give one (path), or leave it unset",
            "plura.toml:2:1: expected a table of keys, written `[server]`",
            "plura.toml:4:17: `registry.upload_expiry`: invalid type: integer `30`, expected a duration above zero such as \"90s\", \"24h\" or \"14d\"",
            "plura.toml:5:10: `registry.delete`: invalid type: string \"yes\", expected a boolean",
            "plura.toml:6:18: `registry.manifest_limit`: expected a size of at least 4MiB, found 1KiB",
            "plura.toml:7:10: `registry.sparse`: unknown variant `some`, expected one of `none`, `index`, `all`",
            "plura.toml:9:12: `health.failures`: invalid value: integer `0`, expected a whole number from 1 to 4294967295",
            "PLURA_HEALTH__INTERVAL: `health.interval`: expected a duration above zero such as \"90s\", \"24h\" or \"14d\", found \"0s\"",
            "PLURA_SERVER__LISTEN: `server.listen`: expected an IP address and port such as \"127.0.0.1:5000\", \"0.0.0.0:5000\" or \"[::]:5000\", found \":5000\"",
        ],
    );
}

#[test]
fn a_file_that_is_not_toml_is_refused_with_every_place_that_is_wrong() {
    let Problems(problems) =
        resolved("data = \n[log\nlevel = \"info\"\n", &[]).expect_err("the file was accepted");
    let places: Vec<_> = problems.iter().map(|problem| problem.origin.to_string()).collect();
    assert!(places.len() > 1, "{places:?}");
    assert!(places.iter().all(|place| place.starts_with("plura.toml:")), "{places:?}");
}

#[test]
fn columns_count_characters_rather_than_bytes() {
    refused("\"ü\" = 1 # ü\n", &[], &["plura.toml:1:1: unknown key `ü`"]);
    refused(
        "log = { \"ü\" = 1, x = 2 }\n",
        &[],
        &["plura.toml:1:9: unknown key `log.ü`", "plura.toml:1:18: unknown key `log.x`"],
    );
}

#[test]
fn encryption_takes_both_files_or_neither() {
    refused(
        "[server.tls]\nkey = \"k\"\n",
        &[],
        &["plura.toml:2:7: `server.tls.key`: set without `server.tls.certificate`; encryption \
           needs both files, or name neither"],
    );
    let variables = ["PLURA_SERVER__TLS__CERTIFICATE=c", "PLURA_SERVER__TLS__KEY=k"];
    let settings = settings("", &variables);
    assert_eq!(settings.server.tls.files(), Some((Path::new("c"), Path::new("k"))));
}

#[test]
fn client_certificates_take_authorities_and_encryption() {
    let check = |file: &str, expected: &str| {
        let problems = resolved(&format!("[server.tls]\n{file}"), &[]).expect_err("accepted");
        assert!(problems.to_string().contains(expected), "{problems}");
    };
    let encrypted = "certificate = \"c\"\nkey = \"k\"\n";
    check(
        &format!("{encrypted}client_certificates = \"required\"\n"),
        "plura.toml:4:23: `server.tls.client_certificates`: set without `server.tls.client_ca`",
    );
    check(
        &format!("{encrypted}client_ca = \"a\"\n"),
        "plura.toml:4:13: `server.tls.client_ca`: set, but no client is asked for a certificate",
    );
    check(
        "client_certificates = \"optional\"\nclient_ca = \"a\"\n",
        "plura.toml:3:13: `server.tls.client_ca`: clients show certificates only when connections \
         are encrypted",
    );
    let file = "client_certificates = \"optional\"\nclient_ca = \"a\"\n";
    let tls = settings(&format!("[server.tls]\n{encrypted}{file}"), &[]).server.tls;
    assert_eq!(tls.client_certificates, ClientCertificates::Optional);
    assert_eq!(tls.client_ca.as_deref(), Some(Path::new("a")));
}

#[test]
fn login_elsewhere_takes_an_issuer_a_client_and_an_address_to_come_back_to() {
    let check = |file: &str, expected: &str| {
        let problems = resolved(file, &[]).expect_err("accepted");
        assert!(problems.to_string().contains(expected), "{problems}");
    };
    let (issuer, client) =
        ("access.oidc.issuer = \"https://i\"\n", "access.oidc.client_id = \"c\"\n");
    check(issuer, "set without `access.oidc.client_id`");
    check(client, "set without `access.oidc.issuer`");
    check(&format!("{issuer}{client}"), "`server.public_url`, which is not set");
    let public = "server.public_url = \"https://r.example\"\n";
    settings(&format!("{issuer}{client}{public}"), &[]);
}

#[test]
fn variables_that_kubernetes_sets_for_a_service_named_plura_are_not_ours() {
    settings(
        "",
        &[
            "PLURA_SERVICE_HOST=10.0.0.1",
            "PLURA_SERVICE_PORT=5000",
            "PLURA_SERVICE_PORT_HTTP=5000",
            "PLURA_PORT=tcp://10.0.0.1:5000",
            "PLURA_PORT_5000_TCP=tcp://10.0.0.1:5000",
            "PLURA_PORT_5000_TCP_ADDR=10.0.0.1",
            "PLURA_UI_PORT_80_TCP_PROTO=tcp",
        ],
    );
    refused("", &["PLURA_SERVER__PORT=5"], &["PLURA_SERVER__PORT: unknown key `server.port`"]);
    refused("", &["PLURA_PORT=5000"], &["PLURA_PORT: unknown key `port`"]);
}
