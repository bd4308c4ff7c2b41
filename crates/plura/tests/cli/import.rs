//! `plura config import`: what it prints is settings, everything is mentioned, and no secret is told.

use serde_json::Value;

use crate::Place;

/// Everything that the configuration of registry:2 documents, as far as it can stand together.
const WHOLE: &str = r#"
version: 0.1
log:
  accesslog:
    disabled: true
  level: debug
  formatter: json
  fields:
    service: registry
  hooks:
    - type: mail
      levels: [panic]
      options:
        smtp: {addr: "mail.example.com:25", username: u, password: SECRET-1, insecure: true}
storage:
  s3:
    accesskey: SECRET-2
    secretkey: SECRET-3
    region: eu-west-1
    regionendpoint: minio.example.com:9000
    forcepathstyle: true
    bucket: images
    encrypt: true
    keyid: key-1
    secure: false
    v4auth: true
    chunksize: 10485760
    multipartcopymaxconcurrency: 100
    rootdirectory: /old/registry
    storageclass: STANDARD_IA
    skipverify: true
  delete:
    enabled: true
  redirect:
    disable: true
  cache:
    blobdescriptor: redis
  maintenance:
    uploadpurging: {enabled: true, age: 168h, interval: 24h, dryrun: false}
    readonly: {enabled: false}
auth:
  token:
    realm: https://auth.example.com/token
    service: registry
    issuer: example
    rootcertbundle: /etc/bundle
middleware:
  storage:
    - name: cloudfront
      options: {baseurl: "https://x", privatekey: SECRET-4}
http:
  addr: :5443
  prefix: /registry/
  host: https://registry.example.com
  secret: SECRET-5
  relativeurls: false
  draintimeout: 1m
  tls:
    certificate: /certs/tls.crt
    key: /certs/tls.key
    clientcas: [/certs/a.pem, /certs/b.pem]
    minimumtls: tls1.2
    letsencrypt: {cachefile: /x, email: SECRET-6, hosts: [a]}
  debug:
    addr: localhost:5001
    prometheus: {enabled: true, path: /metrics}
  headers:
    X-Content-Type-Options: [nosniff]
    Authorization: [SECRET-7]
  http2:
    disabled: false
notifications:
  events: {includereferences: true}
  endpoints:
    - name: alice
      url: https://SECRET-8@example.com/hook
      headers: {Authorization: [Bearer SECRET-9]}
redis:
  addr: localhost:6379
  password: SECRET-10
health:
  storagedriver: {enabled: true, interval: 10s, threshold: 3}
  http:
    - uri: http://SECRET-11@example.com
proxy:
  remoteurl: https://SECRET-12@registry-1.docker.io
  username: SECRET-13
  password: SECRET-14
compatibility:
  schema1: {signingkeyfile: /etc/SECRET-15, enabled: true}
validation:
  manifests:
    urls: {allow: ["^https?://SECRET-16/"]}
    indexes: {platforms: all}
unheard_of:
  nested: SECRET-17
"#;

/// Every key of [`WHOLE`], as its settings or notes call it.
const KEYS: &[&str] = &[
    "log.accesslog.disabled",
    "log.level",
    "log.formatter",
    "log.fields.service",
    "log.hooks",
    "storage.s3.accesskey",
    "storage.s3.secretkey",
    "storage.s3.region",
    "storage.s3.regionendpoint",
    "storage.s3.forcepathstyle",
    "storage.s3.bucket",
    "storage.s3.encrypt",
    "storage.s3.keyid",
    "storage.s3.secure",
    "storage.s3.v4auth",
    "storage.s3.chunksize",
    "storage.s3.multipartcopymaxconcurrency",
    "storage.s3.rootdirectory",
    "storage.s3.storageclass",
    "storage.s3.skipverify",
    "storage.delete.enabled",
    "storage.redirect.disable",
    "storage.cache.blobdescriptor",
    "storage.maintenance.uploadpurging.age",
    "storage.maintenance.uploadpurging.interval",
    "storage.maintenance.uploadpurging.enabled",
    "storage.maintenance.uploadpurging.dryrun",
    "storage.maintenance.readonly.enabled",
    "auth.token.realm",
    "auth.token.service",
    "auth.token.issuer",
    "auth.token.rootcertbundle",
    "middleware.storage",
    "http.addr",
    "http.prefix",
    "http.host",
    "http.secret",
    "http.relativeurls",
    "http.draintimeout",
    "http.tls.certificate",
    "http.tls.key",
    "http.tls.clientcas",
    "http.tls.minimumtls",
    "http.tls.letsencrypt.cachefile",
    "http.debug.addr",
    "http.debug.prometheus.enabled",
    "http.headers.X-Content-Type-Options",
    "http.headers.Authorization",
    "http.http2.disabled",
    "notifications.events.includereferences",
    "notifications.endpoints",
    "redis.addr",
    "redis.password",
    "health.storagedriver.enabled",
    "health.storagedriver.interval",
    "health.storagedriver.threshold",
    "health.http",
    "proxy.remoteurl",
    "proxy.username",
    "proxy.password",
    "compatibility.schema1.enabled",
    "compatibility.schema1.signingkeyfile",
    "validation.manifests.urls.allow",
    "validation.manifests.indexes.platforms",
    "unheard_of.nested",
];

/// What the command prints, which is a settings file.
fn import(place: &Place, yaml: &str, options: &[&str]) -> String {
    place.write("config.yml", yaml);
    let output = place.plura(&[&["config", "import", "config.yml"], options].concat()).output();
    let output = output.expect("plura runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("it prints text");
    if !options.contains(&"--json") {
        check_settings(place, &text);
    }
    text
}

/// What was imported is settings that plura takes. What they name is not looked at.
fn check_settings(place: &Place, text: &str) {
    place.write("imported.toml", text);
    let arguments = ["config", "show", "--json", "--config", "imported.toml"];
    let output = place.plura(&arguments).output().expect("plura runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}\n{text}");
}

#[test]
fn everything_is_mentioned_and_no_secret_is_told() {
    let place = Place::empty();
    let text = import(&place, WHOLE, &[]);
    for key in KEYS {
        let mentioned = text.lines().any(|line| {
            line.contains(&format!("# {key}:"))
                || line.ends_with(&format!("# {key}"))
                || line.contains(&format!("# {key}; "))
        });
        assert!(mentioned, "{key} is missing in\n{text}");
    }
    assert!(!text.contains("SECRET"), "{text}");
    let json = import(&place, WHOLE, &["--json"]);
    assert!(!json.contains("SECRET"), "{json}");
    serde_json::from_str::<Value>(&json).expect("it prints JSON");
}

#[test]
fn what_has_an_equivalent_is_set() {
    let text = import(&Place::empty(), WHOLE, &[]);
    for line in [
        "[storage.s3]",
        r#"bucket = "images"  #"#,
        r#"region = "eu-west-1"  #"#,
        r#"endpoint = "http://minio.example.com:9000"  #"#,
        "allow_http = true  # storage.s3.secure; nothing is encrypted on the way",
        r#"access_key_file = "/etc/plura/s3-access-key"  #"#,
        r#"secret_key_file = "/etc/plura/s3-secret-key"  #"#,
        "path_style = true  #",
        r#"encryption = "kms"  #"#,
        r#"encryption_key = "key-1"  #"#,
        r#"storage_class = "STANDARD_IA"  #"#,
        "part_size = 10485760  #",
        "[storage.redirect]",
        "enabled = false  # storage.redirect.disable; the other way round",
        r#"upload_expiry = "7d"  #"#,
        "delete = true  #",
        r#"sparse = "none"  #"#,
        r#"listen = "0.0.0.0:5443"  #"#,
        r#"public_url = "https://registry.example.com"  #"#,
        r#"drain_timeout = "1m"  #"#,
        r#"certificate = "/certs/tls.crt"  #"#,
        r#"client_ca = "/certs/a.pem"  # http.tls.clientcas; one file: put all of them into it"#,
        r#"client_certificates = "required"  #"#,
        r#"interval = "10s"  #"#,
        "failures = 3  #",
        r#"level = "debug"  #"#,
        r#"format = "json"  #"#,
        "plura adopt --from registry:s3://images/old/registry",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
}

#[test]
fn the_least_configuration_is_enough() {
    let yaml = "version: 0.1\nstorage: filesystem\n";
    let text = import(&Place::empty(), yaml, &[]);
    for line in [
        "delete = false  # storage.delete.enabled; not enabled there",
        "# storage.filesystem.rootdirectory: its content is taken over in place by `plura adopt --from \
         registry:/var/lib/registry`",
        "# auth: there is none",
    ] {
        assert!(text.contains(line), "no `{line}` in\n{text}");
    }
}

#[test]
fn what_plura_would_not_take_is_left_to_be_set_by_hand() {
    let yaml = "version: 0.1\nstorage:\n  s3:\n    bucket: b\n    accesskey: SECRET-1\n    chunksize: 1073741824\n    \
                keyid: k\n    regionendpoint: https://SECRET-2@host/path\nhttp:\n  addr: localhost:5000\n  \
                net: unix\n  tls: {clientcas: [/a.pem], letsencrypt: {email: x}}\n";
    let text = import(&Place::empty(), yaml, &[]);
    for key in ["accesskey", "chunksize", "keyid", "regionendpoint"] {
        assert!(text.contains(&format!("# storage.s3.{key}: ")), "{key} in\n{text}");
    }
    assert!(text.contains("listen = \"127.0.0.1:5000\"") && !text.contains("SECRET"), "{text}");
}

#[test]
fn variables_count_only_when_asked_for() {
    let place = Place::empty();
    place.write("config.yml", "version: 0.1\nstorage: {filesystem: {rootdirectory: /file}}\n");
    for (options, expected) in
        [(&[][..], "registry:/file"), (&["--environment"], "registry:/variable")]
    {
        let mut command = place.plura(&[&["config", "import", "config.yml"], options].concat());
        command.env("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/variable");
        let output = command.output().expect("plura runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(expected), "no `{expected}` in\n{text}");
    }
}

/// Whatever stands in the file, what is printed is a settings file of one line each.
#[test]
fn odd_values_do_not_break_out_of_their_lines() {
    let yaml = "version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: \"/a\\n[server]\\nlisten = 1\"\nhttp:\n  \
                addr: \"example.com\\nx:1\"\n  host: \"https://x\\\"\\ny\"\n  headers:\n    \"a\\nb = 1\": [x]\nlog: {level: 7}\n\
                health: {storagedriver: {threshold: -1, interval: soon}}\n";
    let text = import(&Place::empty(), yaml, &[]);
    assert!(!text.lines().any(|line| line.starts_with("listen") || line.starts_with("b = 1")));
}

#[test]
fn what_is_no_configuration_is_refused() {
    let place = Place::empty();
    for (yaml, expected) in [
        ("hello: world\n", "no configuration of registry:2"),
        ("version: 0.1\n secret: \"hunter2\n", "not valid YAML"),
    ] {
        place.write("config.yml", yaml);
        let printed = place.run(&["config", "import", "config.yml"]);
        assert!(printed.starts_with("exit: 2") && printed.contains(expected), "{printed}");
        assert!(!printed.contains("hunter2"), "{printed}");
    }
    assert!(place.run(&["config", "import", "missing.yml"]).starts_with("exit: 2"));
}
