use plura_inventory::Rule;

use crate::{archive::Archive, facts};

#[track_caller]
fn check(path: &str, text: &str, expected: &[(Rule, u64)]) {
    let facts = facts(Archive::default().file(path, text));
    let found: Vec<_> = facts.findings.iter().map(|f| (f.rule, f.line)).collect();
    assert_eq!(found, expected, "{path}: {text}");
    let stored = serde_json::to_string(&facts).expect("it is JSON");
    for finding in &facts.findings {
        assert_eq!(finding.fingerprint.len(), 8);
        assert!(!stored.contains("hunter2") && !stored.contains("AbCdEf"), "{stored}");
    }
}

const KEY: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";

#[test]
fn private_keys_are_found_where_they_are_meant() {
    let key = format!("x\n-----BEGIN RSA PRIVATE KEY-----\n{KEY}\n-----END RSA PRIVATE KEY-----\n");
    check("etc/ssl/private/key.pem", &key, &[(Rule::PrivateKey, 2)]);
    check("usr/share/doc/openssl/key.pem", &key, &[]);
    check("app/node_modules/x/test/key.pem", &key, &[]);
    check("etc/key.pem", &key.replace("RSA", "ENCRYPTED"), &[]);
    check("etc/key.pem", &key.replace(KEY, "..."), &[]);
    check("etc/readme", "-----BEGIN PRIVATE KEY-----", &[]);
    let certificate = key.replace("RSA PRIVATE KEY", "CERTIFICATE");
    check("etc/key.pem", &certificate, &[]);
}

#[test]
fn service_accounts_are_one_finding() {
    let json = format!(
        "{{\"type\": \"service_account\",\n\"private_key_id\": \"ab\",\n\
         \"private_key\": \"-----BEGIN PRIVATE KEY-----\\n{KEY}\\n-----END PRIVATE KEY-----\\n\"}}"
    );
    check("app/account.json", &json, &[(Rule::GcpServiceAccount, 3)]);
}

/// A token with its right checksum, put together here so that this file has none.
fn checksummed(prefix: &str) -> String {
    let random = "AbCdEfGhIjKlMnOpQrStUvWxYz0123";
    let mut crc = flate2::Crc::new();
    crc.update(random.as_bytes());
    let digits = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let (mut number, mut checksum) = (crc.sum() as usize, String::new());
    for _ in 0..6 {
        checksum.insert(0, char::from(digits[number % 62]));
        number /= 62;
    }
    format!("{prefix}{random}{checksum}")
}

#[test]
fn tokens_with_checksums_are_found_only_if_these_are_right() {
    for (prefix, rule) in
        [("ghp_", Rule::GithubToken), ("ghs_", Rule::GithubToken), ("npm_", Rule::NpmToken)]
    {
        let token = checksummed(prefix);
        check("app/.env", &format!("a\nTOKEN={token}\n"), &[(rule, 2)]);
        check("app/.env", &format!("TOKEN={token}x\n"), &[]);
        check("app/.env", &format!("TOKENx{token}\n"), &[]);
        let wrong = token.replace("AbC", "AbD");
        check("app/.env", &format!("TOKEN={wrong}\n"), &[]);
    }
}

#[test]
fn other_tokens_are_found_by_their_form() {
    let check = |text: &str, rule| check("app/config", text, &[(rule, 1)]);
    check("glpat-AbCdEfGh1234567890xY", Rule::GitlabToken);
    check(
        concat!("xox", "b-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx"),
        Rule::SlackToken,
    );
    check(
        concat!(
            "https://hooks.sl",
            "ack.com/services/T12345678/B12345678/AbCdEfGhIjKlMnOpQrStUvWx"
        ),
        Rule::SlackToken,
    );
    check(
        concat!(
            "pypi-AgEIcHlwaS5v",
            "cmcCJDAbCdEfGhIjKlMnOpQrStUvWxYz0123456789AbCdEfGhIjKlMnOpQrSt"
        ),
        Rule::PypiToken,
    );
    check(concat!("sk_li", "ve_AbCdEfGhIjKlMnOpQrStUvWx"), Rule::StripeKey);
    check(
        concat!("id = AKI", "AZ234567ABCDEFGHI\nsecret = AbCdEfGhIjKlMnOpQrStUvWxYz0123456789/+ab"),
        Rule::AwsSecretKey,
    );
}

#[test]
fn what_only_looks_like_a_token_is_none() {
    for text in [
        "AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        concat!("AKI", "AZ234567ABCDEFGHI and nothing else"),
        "glpat-xxxxxxxxxxxxxxxxxxxx",
        "glpat-tooshort",
        "npm_config_registry npm_lifecycle_event",
        "xoxb-your-token-here",
        "sk_live_xxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ] {
        check("app/config", text, &[]);
    }
}

#[test]
fn files_with_a_place_for_a_password_are_read() {
    let auth = r#"{"auths": {"r.example.com": {"auth": "dXNlcjpodW50ZXIy"}, "x": {}}}"#;
    check("root/.docker/config.json", auth, &[(Rule::DockerLogin, 1)]);
    check("app/config.json", auth, &[]);
    check("kaniko/.docker/config.json", r#"{"auths": {"r": {"auth": "dXNlcjo="}}}"#, &[]);
    check("root/.netrc", "machine a\n login b\n password hunter2\n", &[(Rule::NetrcPassword, 3)]);
    check("root/.pgpass", "# x\nhost:5432:db:user:hunter2\n", &[(Rule::PgpassPassword, 2)]);
    check(
        "root/.git-credentials",
        "https://user:hunter2@git.example.com\n",
        &[(Rule::GitCredentials, 1)],
    );
    check("root/.npmrc", "//r/:_authToken=hunter2\n", &[(Rule::NpmrcCredential, 1)]);
    check("root/.npmrc", "//r/:_authToken=${NPM_TOKEN}\n", &[]);
    check(
        "root/.pypirc",
        "[pypi]\nusername = a\npassword = hunter2\n",
        &[(Rule::PypircPassword, 3)],
    );
    let kubeconfig =
        "kind: Config\nclusters: []\nusers:\n- name: a\n  user:\n    token: AbCdEfGhIjKlMnOpQr\n";
    check("root/.kube/config", kubeconfig, &[(Rule::KubeconfigCredential, 6)]);
    check("etc/kubeconfig.yaml", &kubeconfig.replace("AbCd", "$Ab"), &[]);
}

#[test]
fn binary_and_large_files_are_not_searched() {
    let token = checksummed("ghp_");
    check("app/data", &format!("\0{token}"), &[]);
    let large = format!("{}{token}", " ".repeat(300 << 10));
    check("app/data", &large, &[]);
}
