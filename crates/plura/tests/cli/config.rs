use insta::assert_snapshot;

use crate::{Place, data};

#[test]
#[expect(clippy::too_many_lines, reason = "it is as long as the list of settings")]
fn show_prints_what_is_in_force_and_where_it_came_from() {
    let place = Place::with_settings("[registry]\nsparse = \"all\"\nminimum_chunk = 5242880\n");
    let arguments = ["config", "show", "--data", "elsewhere"];
    assert_snapshot!(place.run_with(("PLURA_HEALTH__FAILURES", "5"), &arguments), @r#"
    exit: 0
    --- stdout
    data = "elsewhere"  # --data

    [database]
    # url is not set
    # url_file is not set
    # password_file is not set
    max_connections = 16  # default
    # ca_file is not set

    [storage]
    backend = "directory"  # default

    [storage.s3]
    # endpoint is not set
    region = "us-east-1"  # default
    # bucket is not set
    # prefix is not set
    # access_key is not set
    # access_key_file is not set
    # secret_key is not set
    # secret_key_file is not set
    # path_style is not set
    allow_http = false  # default
    # ca_file is not set
    encryption = "none"  # default
    # encryption_key is not set
    # storage_class is not set
    part_size = "8MiB"  # default
    uniform_parts = false  # default
    parts_in_flight = 3  # default
    upload_memory = "256MiB"  # default

    [storage.redirect]
    enabled = true  # default
    # endpoint is not set
    expires = "15m"  # default
    stream_to = []  # default

    [server]
    listen = "127.0.0.1:5000"  # default
    # public_url is not set
    allow_unauthenticated = false  # default
    trusted_proxies = []  # default
    max_connections = 4096  # default
    header_timeout = "30s"  # default
    idle_timeout = "2m"  # default
    stall_timeout = "1m"  # default
    drain_timeout = "30s"  # default

    [server.tls]
    # certificate is not set
    # key is not set
    client_certificates = "off"  # default
    # client_ca is not set
    reload_interval = "30s"  # default

    [access]
    # create_projects is not set
    anonymous_metrics = false  # default
    token_life = "5m"  # default
    refresh_life = "30d"  # default
    session_life = "12h"  # default
    key_rotation = "30d"  # default
    robot_life = "90d"  # default
    robot_warning = "14d"  # default

    [access.oidc]
    # issuer is not set
    # client_id is not set
    # client_secret_file is not set
    groups_claim = "groups"  # default
    # administrator_group is not set

    [limits]
    # identity_rate is not set
    # address_rate is not set
    burst = 200  # default

    [registry]
    sparse = "all"  # plura.toml:2:10
    upload_expiry = "24h"  # default
    minimum_chunk = "5MiB"  # plura.toml:3:17
    delete = true  # default
    manifest_limit = "4MiB"  # default
    # blob_limit is not set

    [collection]
    enabled = true  # default
    interval = "1m"  # default
    grace = "24h"  # default
    keep_untagged = "30d"  # default
    retention_interval = "7d"  # default

    [evidence]
    gather = true  # default

    [contents]
    read = true  # default
    attach_sbom = "none"  # default

    [vulnerabilities]
    match = true  # default
    longest_exception = "90d"  # default
    exception_warning = "14d"  # default

    [rollout]
    timeout = "10s"  # default

    [rollout.prometheus]
    # url is not set
    # token_file is not set

    [rollout.traffic]
    # url is not set
    # secret_file is not set

    [transparency]
    # origin is not set
    public = false  # default
    integrate = true  # default

    [events]
    send = true  # default
    allow_private_targets = []  # default
    # secrets is not set

    [health]
    interval = "10s"  # default
    failures = 5  # PLURA_HEALTH__FAILURES

    [log]
    level = "info"  # default
    format = "text"  # default
    --- stderr
    "#);
}

#[test]
fn what_show_prints_is_a_settings_file() {
    let place = Place::with_settings("[collection]\nkeep_untagged = \"forever\"\n");
    let printed = data(place.plura(&["config", "show"]));
    let copy = Place::with_settings(&printed);
    let values = |text: &str| toml::from_str::<toml::Table>(text).expect("it is TOML");
    assert_eq!(values(&data(copy.plura(&["config", "show"]))), values(&printed));
}

#[test]
fn show_prints_every_key_as_data() {
    let place = Place::with_settings("[log]\nformat = \"json\"\n");
    let text = data(place.plura(&["config", "show", "--json"]));
    let keys: Vec<serde_json::Value> = serde_json::from_str(&text).expect("it is JSON");
    let of = |name: &str| keys.iter().find(|key| key["key"] == name).expect("the key is there");
    assert_snapshot!(of("log.format"), @r#"{"key":"log.format","origin":"plura.toml:2:10","value":"json"}"#);
    assert_snapshot!(of("server.public_url"), @r#"{"key":"server.public_url","origin":"default","value":null}"#);
}

#[test]
fn show_refuses_settings_that_are_not_valid() {
    let place = Place::with_settings("[registry]\nsprase = \"all\"\n");
    assert_snapshot!(place.run(&["config", "show"]), @"
    exit: 2
    --- stdout
    --- stderr
    error: the settings are not valid
      plura.toml:2:1: unknown key `registry.sprase`; did you mean `registry.sparse`?

    hint: `plura config reference` describes every key
    ");
}

#[test]
fn a_secret_is_not_shown() {
    let settings = "[storage.s3]\nsecret_key = \"hidden\"\naccess_key = \"known\"\n";
    let place = Place::with_settings(settings);
    let shown = place.run(&["config", "show"]);
    assert!(shown.contains("# secret_key is set, and not shown  # plura.toml:2:14"), "{shown}");
    assert!(shown.contains("access_key = \"known\""), "{shown}");
    for arguments in [&["config", "show"][..], &["config", "show", "--json"], &["config", "check"]]
    {
        let printed = place.run(arguments);
        assert!(!printed.contains("hidden"), "{printed}");
    }
}

#[test]
fn a_bucket_needs_more_than_a_backend() {
    let place = Place::with_settings(
        "storage.backend = \"s3\"\n[storage.s3]\nendpoint = \"http://s3.example\"\naccess_key = \"k\"\n\
         part_size = \"1MiB\"\nprefix = \"/a\"\n",
    );
    assert_snapshot!(place.run(&["config", "check"]), @r#"
    exit: 1
    --- stdout
    default: `storage.s3.bucket`: not set, and `storage.backend` is "s3"
    plura.toml:3:12: `storage.s3.endpoint`: is not encrypted; use https, or set `storage.s3.allow_http` if the network is trusted
    plura.toml:4:14: `storage.s3.access_key`: set without its secret
    plura.toml:6:10: `storage.s3.prefix`: expected names with a slash between them and none at the ends
    plura.toml:5:13: `storage.s3.part_size`: expected a size from 5MiB to 1GiB
    --- stderr
    hint: `plura config reference` describes every key
    "#);
}

#[test]
fn check_answers_with_every_problem() {
    let place = Place::with_settings("[registry]\nsprase = \"all\"\nupload_expiry = \"soon\"\n");
    assert_snapshot!(place.run_with(("PLURA_LOG__FORMAT", "xml"), &["config", "check"]), @r#"
    exit: 1
    --- stdout
    plura.toml:2:1: unknown key `registry.sprase`; did you mean `registry.sparse`?
    plura.toml:3:17: `registry.upload_expiry`: expected a duration above zero such as "90s", "24h" or "14d", found "soon"
    PLURA_LOG__FORMAT: `log.format`: unknown variant `xml`, expected `text` or `json`
    --- stderr
    hint: `plura config reference` describes every key
    "#);
}

#[test]
fn check_answers_as_data() {
    let place = Place::with_settings("delete = true\n");
    assert_snapshot!(place.run(&["config", "check", "--json"]), @r#"
    exit: 1
    --- stdout
    {
      "valid": false,
      "problems": [
        {
          "origin": "plura.toml:1:1",
          "message": "unknown key `delete`; did you mean `registry.delete`?"
        }
      ]
    }
    --- stderr
    "#);
}

#[test]
fn check_says_yes() {
    assert_snapshot!(Place::empty().run(&["config", "check"]), @"
    exit: 0
    --- stdout
    --- stderr
    the settings are valid
    ");
    assert_snapshot!(Place::empty().run(&["config", "check", "--quiet"]), @"
    exit: 0
    --- stdout
    --- stderr
    ");
}

#[test]
fn a_settings_file_that_was_named_must_be_there() {
    assert_snapshot!(Place::empty().run(&["config", "check", "--config", "other.toml"]), @"
    exit: 2
    --- stdout
    --- stderr
    error: cannot read the settings file `other.toml`
      caused by: No such file or directory (os error 2)

    hint: name another file with `--config`, or set variables; every setting has a default
    ");
}

#[test]
fn the_settings_file_may_be_named_by_a_variable() {
    let place = Place::with_settings("data = \"from here\"\n");
    place.write("other.toml", "data = \"from there\"\n");
    let shown = place.run_with(("PLURA_CONFIG", "other.toml"), &["config", "show"]);
    assert!(shown.contains("data = \"from there\"  # other.toml:1:8"), "{shown}");
}

#[test]
fn the_address_of_a_server_to_ask_is_not_taken_for_a_setting() {
    let shown = Place::empty().run_with(("PLURA_SERVER", "http://a.example"), &["config", "check"]);
    assert!(shown.starts_with("exit: 0"), "{shown}");
}

#[test]
fn reference_documents_a_key() {
    let text = data(Place::empty().plura(&["config", "reference"]));
    let from = text.find("### `registry.upload_expiry`").expect("the key is documented");
    let to = text[from + 1..].find("### ").expect("other keys follow");
    assert_snapshot!(&text[from..from + to], @r#"
    ### `registry.upload_expiry`

    An upload that was not touched for this long is abandoned.

    - Type: duration above zero
    - Default: `"24h"`
    - Example: `upload_expiry = "2h"`
    - Environment: `PLURA_REGISTRY__UPLOAD_EXPIRY`
    "#);
}

#[test]
fn reference_documents_a_key_as_data() {
    let text = data(Place::empty().plura(&["config", "reference", "--json"]));
    let keys: Vec<serde_json::Value> = serde_json::from_str(&text).expect("it is JSON");
    assert_snapshot!(format!("{:#}", keys[0]), @r#"
    {
      "about": "The directory that holds everything: the database and the bytes. It is created when it is missing. A relative path starts where the command runs.",
      "default": "./plura-data",
      "environment": "PLURA_DATA",
      "example": "/var/lib/plura",
      "key": "data",
      "type": "path"
    }
    "#);
}
