//! Encryption from two files, both versions of HTTP, and certificates that change while serving.

use std::path::Path;

use plura_testkit::{Client, Random, Server, digest, eventually};
use reqwest::{Certificate, ClientBuilder, Version};
use tempfile::TempDir;

use super::{binary, logged, plura_with, server, text};

/// Two files and the certificate in them.
struct Issued(TempDir);

impl Issued {
    fn new() -> Self {
        let issued = Self(TempDir::new().expect("a temporary directory"));
        issued.renew();
        issued
    }

    fn certificate_file(&self) -> std::path::PathBuf {
        self.0.path().join("tls.crt")
    }

    fn key_file(&self) -> std::path::PathBuf {
        self.0.path().join("tls.key")
    }

    /// Writes a new certificate with a new key, and returns the certificate.
    fn renew(&self) -> String {
        let names = ["127.0.0.1".to_owned()];
        let issued = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let certificate = issued.cert.pem();
        self.write(&certificate, &issued.signing_key.serialize_pem());
        certificate
    }

    fn write(&self, certificate: &str, key: &str) {
        std::fs::write(self.certificate_file(), certificate).expect("the certificate is written");
        std::fs::write(self.key_file(), key).expect("the key is written");
    }

    fn server(&self) -> Server {
        server(&[
            ("PLURA_SERVER__TLS__CERTIFICATE", text(&self.certificate_file())),
            ("PLURA_SERVER__TLS__KEY", text(&self.key_file())),
            ("PLURA_SERVER__TLS__RELOAD_INTERVAL", "20ms"),
        ])
        .start()
    }
}

/// A client that trusts this certificate and no other.
fn trusting(client: &Client, certificate: &str) -> Client {
    trusting_by(client, certificate, |builder| builder)
}

fn trusting_by(
    client: &Client,
    certificate: &str,
    set_up: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> Client {
    let root = Certificate::from_pem(certificate.as_bytes()).expect("a certificate");
    client.with(|builder| set_up(builder.tls_certs_only([root])))
}

/// Pushes and pulls a blob of several MiB and compares it.
async fn check_transfer(client: &Client, version: Version) {
    let bytes = Random::printed().bytes(5 << 20);
    let repository = client.repository("apps/encrypted");
    let pushed = repository.push_bytes(&bytes).await;
    let pulled = repository.get_blob(&pushed).await.expect(200);
    assert_eq!(pulled.version, version);
    assert_eq!(digest(&pulled.body), pushed);
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_encrypted() {
    let files = Issued::new();
    let certificate = files.renew();
    let server = files.server();
    assert!(server.base().starts_with("https://"), "{}", server.base());
    check_transfer(&trusting(&server.client(), &certificate), Version::HTTP_2).await;
    let http1 = trusting_by(&server.client(), &certificate, ClientBuilder::http1_only);
    check_transfer(&http1, Version::HTTP_11).await;
}

#[tokio::test]
async fn http2_is_spoken_in_the_clear_to_clients_that_know_it_beforehand() {
    let server = Server::start(binary());
    let http2 = server.client().with(ClientBuilder::http2_prior_knowledge);
    check_transfer(&http2, Version::HTTP_2).await;
}

#[tokio::test]
async fn a_client_that_does_not_encrypt_is_not_served() {
    let files = Issued::new();
    let server = files.server();
    let plain = Client::of(&server.base().replace("https://", "http://"));
    plain.get("/v2/").attempt().await.expect_err("a plain request is not answered");
}

#[tokio::test]
async fn a_new_certificate_is_used_without_a_restart_and_a_broken_one_is_not() {
    let files = Issued::new();
    let first = files.renew();
    let server = files.server();
    let client = server.client();
    trusting(&client, &first).get("/v2/").await.expect(200);

    let second = files.renew();
    let renewed = || async { trusting(&client, &second).get("/v2/").attempt().await.ok() };
    eventually("the new certificate is used", renewed).await.expect(200);
    trusting(&client, &first).get("/v2/").attempt().await.expect_err("the old one is not shown");

    files.write("nonsense", "nonsense");
    logged(&server, "the TLS certificate stays as it was").await;
    trusting(&client, &second).get("/v2/").await.expect(200);

    let third = files.renew();
    let mended = || async { trusting(&client, &third).get("/v2/").attempt().await.ok() };
    eventually("the mended certificate is used", mended).await.expect(200);
    logged(&server, "the TLS certificate was replaced").await;
}

#[test]
fn a_certificate_that_cannot_be_used_stops_the_start() {
    let files = Issued::new();
    let missing = files.0.path().join("missing.pem");
    let key = files.key_file();
    let start = |certificate: &Path| {
        let environment = [
            ("PLURA_SERVER__TLS__CERTIFICATE", text(certificate)),
            ("PLURA_SERVER__TLS__KEY", text(&key)),
        ];
        plura_with(&environment, &["serve", "--listen", "127.0.0.1:0", "--data", "data"])
    };
    start(&missing)
        .expect(2)
        .expect_stderr(&format!("error: cannot read {}", missing.display()))
        .expect_stderr("hint: `server.tls.certificate` and `server.tls.key`");
    start(&key).expect(2).expect_stderr("error: no usable PEM section in");
}
