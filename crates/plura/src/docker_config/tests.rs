use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use insta::assert_snapshot;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::exit::hint_of;

const HOST: &str = "registry.example.com";

/// A helper that keeps one login in a file beside itself and writes down what it was asked.
const HELPER: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$1" >> "$here/asked"
case "$1" in
    store) cat > "$here/kept" ;;
    get) if [ -s "$here/kept" ]; then cat "$here/kept"; else
             echo "credentials not found in native keychain"; exit 1; fi ;;
    erase) rm -f "$here/kept" ;;
esac
"#;

/// A home directory, with a search path of its own.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(TempDir::new().expect("a temporary directory"))
    }

    fn with(config: &Value) -> Self {
        let home = Self::new();
        fs::create_dir(home.path().join(".docker")).expect("the directory is made");
        fs::write(home.config(), config.to_string()).expect("the file is written");
        home
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn config(&self) -> PathBuf {
        self.path().join(".docker/config.json")
    }

    fn document(&self) -> Value {
        let text = fs::read(self.config()).expect("the file is there");
        serde_json::from_slice(&text).expect("it is JSON")
    }

    fn logins(&self) -> Logins {
        // The helpers of the tests need the programs of the system as well.
        let system = env::var_os("PATH").unwrap_or_default();
        let search = [self.path().to_owned()].into_iter().chain(env::split_paths(&system));
        Logins {
            docker: self.config(),
            podman: vec![self.path().join("auth.json")],
            search: Some(env::join_paths(search).expect("paths without colons")),
        }
    }

    fn helper(&self, name: &str, script: &str) {
        let path = self.path().join(format!("docker-credential-{name}"));
        fs::write(&path, script).expect("the helper is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
    }
}

fn password(name: &str, password: &str) -> Credentials {
    Credentials::Password { name: name.to_owned(), password: Secret::new(password) }
}

fn token(name: Option<&str>, token: &str) -> Credentials {
    Credentials::IdentityToken { name: name.map(str::to_owned), token: Secret::new(token) }
}

#[track_caller]
fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

#[test]
fn what_is_kept_is_found_and_can_be_forgotten() {
    for credentials in [
        password("alice", "pass:word"),
        password("robot+apps+ci", "plura_rs_x"),
        token(Some("alice"), "plura_rf_x"),
        token(None, "plura_rf_x"),
    ] {
        let home = Home::new();
        let logins = home.logins();
        assert_eq!(logins.find(HOST).expect("an empty home is fine"), None);
        logins.keep(HOST, &credentials).expect("it is kept");
        assert_eq!(logins.find(HOST).expect("it is readable"), Some(credentials));
        assert_eq!(logins.find("other.example.com").expect("it is readable"), None);
        assert!(logins.forget(HOST).expect("it is forgotten"));
        assert!(!logins.forget(HOST).expect("it is forgotten"));
        assert_eq!(logins.find(HOST).expect("it is readable"), None);
    }
}

#[test]
fn fields_of_others_stay_and_the_file_is_as_docker_writes_it() {
    let home = Home::with(&json!({
        "HttpHeaders": { "X-Meta": "yes" },
        "auths": { "ghcr.io": { "auth": "YTpi", "email": "a@b.c" } },
        "detachKeys": "ctrl-e,e",
        "proxies": { "default": { "noProxy": ["a", 1, null] } },
    }));
    home.logins().keep(HOST, &password("alice", "secret")).expect("it is kept");
    assert_snapshot!(fs::read_to_string(home.config()).expect("it is there").replace('\t', "  "), @r#"
    {
      "HttpHeaders": {
        "X-Meta": "yes"
      },
      "auths": {
        "ghcr.io": {
          "auth": "YTpi",
          "email": "a@b.c"
        },
        "registry.example.com": {
          "auth": "YWxpY2U6c2VjcmV0"
        }
      },
      "detachKeys": "ctrl-e,e",
      "proxies": {
        "default": {
          "noProxy": [
            "a",
            1,
            null
          ]
        }
      }
    }
    "#);
}

#[test]
fn the_file_is_for_its_owner_alone_and_nothing_is_left_beside_it() {
    let home = Home::with(&json!({}));
    fs::set_permissions(home.config(), fs::Permissions::from_mode(0o644)).expect("mode set");
    home.logins().keep(HOST, &password("alice", "secret")).expect("it is kept");
    assert_eq!(mode(&home.config()), 0o600);
    let beside = fs::read_dir(home.path().join(".docker")).expect("the directory is there");
    assert_eq!(beside.count(), 1);

    let fresh = Home::new();
    fresh.logins().keep(HOST, &password("alice", "secret")).expect("it is kept");
    assert_eq!(mode(&fresh.config()), 0o600);
    assert_eq!(mode(&fresh.path().join(".docker")), 0o700);
}

#[test]
fn behind_symbolic_links_the_target_is_written() {
    for exists in [true, false] {
        let home = Home::new();
        let [kept, docker] = ["kept", ".docker"].map(|name| home.path().join(name));
        fs::create_dir(&kept).expect("the directory is made");
        fs::create_dir(&docker).expect("the directory is made");
        symlink("second.json", kept.join("first.json")).expect("a link");
        symlink("../kept/first.json", home.config()).expect("a link");
        if exists {
            fs::write(kept.join("second.json"), "{}").expect("the target is written");
        }
        home.logins().keep(HOST, &password("alice", "secret")).expect("it is kept");
        assert!(home.config().is_symlink() && kept.join("first.json").is_symlink());
        assert!(!kept.join("second.json").is_symlink());
        assert_eq!(mode(&kept.join("second.json")), 0o600);
        assert!(home.logins().find(HOST).expect("it is readable").is_some());
    }
}

#[test]
fn links_that_lead_to_themselves_are_an_error() {
    let home = Home::with(&json!({}));
    fs::remove_file(home.config()).expect("it is removed");
    symlink("config.json", home.config()).expect("a link");
    assert!(home.logins().keep(HOST, &password("alice", "secret")).is_err());
}

#[test]
fn entries_of_every_kind_are_read() {
    for (entry, expected) in [
        (json!({ "auth": "YWxpY2U6cGFzczp3b3Jk" }), Some(password("alice", "pass:word"))),
        (json!({ "auth": "YWxpY2U6cGFzcwAA" }), Some(password("alice", "pass"))),
        (json!({ "username": "alice", "password": "pass" }), Some(password("alice", "pass"))),
        (json!({ "auth": "YWxpY2U6", "identitytoken": "t" }), Some(token(Some("alice"), "t"))),
        (json!({ "identitytoken": "t" }), Some(token(None, "t"))),
        (json!({}), None),
        (json!(null), None),
    ] {
        let home = Home::with(&json!({ "auths": { HOST: entry } }));
        assert_eq!(home.logins().find(HOST).expect("it is readable"), expected, "{entry}");
    }
}

#[test]
fn a_damaged_entry_is_reported_without_what_is_in_it() {
    let home = Home::with(&json!({ "auths": { HOST: { "auth": "c2VjcmV0" } } }));
    let error = home.logins().find(HOST).expect_err("there is no colon in it");
    let text = format!("{error:#}");
    assert!(!text.contains("secret") && !text.contains("c2VjcmV0"), "{text}");
    assert!(text.ends_with("`auth` is not the base64 of NAME:PASSWORD"), "{text}");
    assert_eq!(hint_of(&error), Some("log in again: plura login registry.example.com"));
}

#[test]
fn a_damaged_file_is_left_alone() {
    for text in ["{", "[]", "not JSON"] {
        let home = Home::with(&json!({}));
        fs::write(home.config(), text).expect("it is written");
        let logins = home.logins();
        assert!(logins.find(HOST).is_err());
        assert!(logins.keep(HOST, &password("alice", "secret")).is_err());
        assert_eq!(fs::read_to_string(home.config()).expect("it is there"), text);
    }
}

#[test]
fn podman_is_asked_when_docker_has_nothing() {
    let home = Home::new();
    let theirs = json!({ "auths": { HOST: { "auth": "Ym9iOnBhc3M=" } } });
    fs::write(home.path().join("auth.json"), theirs.to_string()).expect("it is written");
    let logins = home.logins();
    assert_eq!(logins.find(HOST).expect("it is readable"), Some(password("bob", "pass")));
    logins.keep(HOST, &password("alice", "pass")).expect("it is kept");
    assert_eq!(logins.find(HOST).expect("it is readable"), Some(password("alice", "pass")));
    logins.forget(HOST).expect("it is forgotten");
    assert_eq!(logins.find(HOST).expect("it is readable"), Some(password("bob", "pass")));
}

#[test]
fn a_helper_keeps_what_the_file_then_does_not() {
    for config in [json!({ "credsStore": "fake" }), json!({ "credHelpers": { HOST: "fake" } })] {
        let home = Home::with(&config);
        home.helper("fake", HELPER);
        let logins = home.logins();
        assert_eq!(logins.find(HOST).expect("the helper answers"), None);
        for credentials in [password("alice", "pass"), token(None, "identity")] {
            let place = logins.keep(HOST, &credentials).expect("the helper keeps it");
            assert_eq!(place, "the credential helper `fake`");
            assert_eq!(logins.find(HOST).expect("the helper answers"), Some(credentials));
            assert_eq!(home.document()["auths"], json!({ HOST: {} }));
        }
        let kept = fs::read_to_string(home.path().join("kept")).expect("it was kept");
        let kept: Value = serde_json::from_str(&kept).expect("it is JSON");
        let expected = json!({ "ServerURL": HOST, "Username": "<token>", "Secret": "identity" });
        assert_eq!(kept, expected);

        assert!(logins.forget(HOST).expect("the helper forgets it"));
        assert!(!home.path().join("kept").exists());
        assert_eq!(home.document()["auths"], json!({}));
        assert!(!logins.forget(HOST).expect("the helper has nothing"));
        let asked = fs::read_to_string(home.path().join("asked")).expect("it was asked");
        let asked: Vec<_> = asked.lines().collect();
        assert_eq!(asked, ["get", "store", "get", "store", "get", "get", "erase", "get"]);
    }
}

#[test]
fn a_helper_of_another_registry_is_not_asked() {
    let home = Home::with(&json!({ "credHelpers": { "ghcr.io": "fake" } }));
    home.helper("fake", HELPER);
    let place = home.logins().keep(HOST, &password("alice", "pass")).expect("the file keeps it");
    assert!(place.contains("config.json"), "{place}");
    assert!(!home.path().join("asked").exists());
}

#[test]
fn a_helper_that_is_missing_is_named() {
    let home = Home::with(&json!({ "credsStore": "nowhere" }));
    let error = home.logins().find(HOST).expect_err("there is no such helper");
    assert_snapshot!(error, @"the credential helper `docker-credential-nowhere` is not installed");
    assert_snapshot!(hint_of(&error).unwrap_or_default(), @"install it, or take `nowhere` out of `credsStore` or `credHelpers` in docker's config.json");
}

#[test]
fn a_helper_is_a_name_and_not_a_path() {
    let home = Home::with(&json!({ "credsStore": "/../../bin/sh" }));
    let error = home.logins().find(HOST).expect_err("that is no helper");
    assert_snapshot!(error, @r#""/../../bin/sh" is not a credential helper"#);
}

#[test]
fn a_helper_that_fails_is_quoted_unless_it_repeats_the_secret() {
    let home = Home::with(&json!({ "credsStore": "fake" }));
    home.helper("fake", "#!/bin/sh\necho the keychain is locked\nexit 1\n");
    let logins = home.logins();
    let failed = logins.keep(HOST, &password("alice", "pass")).expect_err("it fails");
    assert_snapshot!(failed, @"`docker-credential-fake store` failed: the keychain is locked");

    home.helper("fake", "#!/bin/sh\ncat\nexit 1\n");
    let failed = logins.keep(HOST, &password("alice", "pass")).expect_err("it fails");
    assert_snapshot!(failed, @"`docker-credential-fake store` failed");

    home.helper("fake", "#!/bin/sh\necho hunter2\n");
    let failed = logins.find(HOST).expect_err("that is no login");
    assert_snapshot!(failed, @"`docker-credential-fake get` answered something else than a login");
}
