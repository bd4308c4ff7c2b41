//! Handshakes, protocols, and certificates that change while serving.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{Response, Version};
use plura_http::body::Body;
use plura_http::listen::{
    ClientCertificates, Connection, Metrics, Options, Tls, TlsError, TlsFiles,
};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{LENGTH, Server, assert_range, eventually, file, within};

pub(crate) const OFTEN: Duration = Duration::from_millis(10);

/// Writes a new certificate and its key, and returns the certificate.
pub(crate) fn issue(folder: &Path) -> CertificateDer<'static> {
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("tls.crt"), issued.cert.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), issued.signing_key.serialize_pem()).unwrap();
    issued.cert.der().clone()
}

fn load(folder: &Path, reload_interval: Duration) -> Result<Tls, TlsError> {
    let (certificate, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    Tls::load(TlsFiles { certificate, key, clients: ClientCertificates::Off }, reload_interval)
}

fn options(tls: Tls) -> Options {
    Options { tls: Some(tls), ..Options::default() }
}

async fn dial(
    server: &Server,
    trusted: &CertificateDer<'static>,
    protocols: &[&str],
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(server.address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    within(TlsConnector::from(Arc::new(config)).connect(name, stream)).await
}

#[tokio::test]
async fn the_protocol_is_negotiated() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = issue(folder.path());
    let server = Server::start(options(load(folder.path(), OFTEN).unwrap()), |_| async {
        Response::new(Body::empty())
    })
    .await;
    for (offered, expected) in [
        (&["h2", "http/1.1"][..], Some(&b"h2"[..])),
        (&["http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ] {
        let stream = dial(&server, &certificate, offered).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), expected);
    }
}

#[tokio::test]
async fn files_arrive_over_both_protocols() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = issue(folder.path());
    let file = file();
    let server = Server::start(options(load(folder.path(), OFTEN).unwrap()), move |request| {
        let connection = request.extensions().get::<Connection>().unwrap();
        assert!(connection.tls && connection.client.is_none());
        let slice =
            plura_http::body::FileSlice { file: Arc::clone(&file), start: 5, end: LENGTH as u64 };
        async { Response::new(Body::file(slice)) }
    })
    .await;
    let url = format!("https://localhost:{}/", server.address.port());
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let root = reqwest::Certificate::from_der(&certificate).unwrap();
        let builder = reqwest::Client::builder().tls_certs_only([root]);
        let builder = builder.resolve("localhost", server.address);
        let builder = if version == Version::HTTP_11 { builder.http1_only() } else { builder };
        let answer = within(builder.build().unwrap().get(&url).send()).await.unwrap();
        assert_eq!(answer.version(), version);
        assert_range(&within(answer.bytes()).await.unwrap(), 5, LENGTH);
    }
    assert_eq!(Metrics::get(&server.metrics.bytes_out_zero_copy), 0);
}

#[tokio::test]
async fn a_new_certificate_is_used_and_a_bad_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = issue(folder.path());
    let tls = load(folder.path(), OFTEN).unwrap();
    let server =
        Server::start(options(tls.clone()), |_| async { Response::new(Body::empty()) }).await;
    dial(&server, &first, &[]).await.unwrap();

    let second = issue(folder.path());
    within(async { while dial(&server, &second, &[]).await.is_err() {} }).await;
    assert!(dial(&server, &first, &[]).await.is_err());

    std::fs::write(folder.path().join("tls.crt"), "nonsense").unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Pem { .. })));
    dial(&server, &second, &[]).await.unwrap();

    std::fs::remove_file(folder.path().join("tls.crt")).unwrap();
    assert!(matches!(tls.reload(), Err(TlsError::Read { .. })));
    dial(&server, &second, &[]).await.unwrap();

    let third = issue(folder.path());
    tls.reload().unwrap();
    dial(&server, &third, &[]).await.unwrap();
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    issue(folder.path());
    let certificate = std::fs::read(folder.path().join("tls.crt")).unwrap();
    issue(folder.path());
    std::fs::write(folder.path().join("tls.crt"), certificate).unwrap();
    assert!(matches!(load(folder.path(), OFTEN), Err(TlsError::Pair(_))));
}

#[tokio::test]
async fn a_handshake_has_a_time_limit() {
    let folder = tempfile::tempdir().unwrap();
    issue(folder.path());
    let tls = load(folder.path(), OFTEN).unwrap();
    let options = Options { handshake_timeout: OFTEN * 5, ..options(tls) };
    let server = Server::start(options, |_| async { Response::new(Body::empty()) }).await;
    let mut silent = server.connect().await;
    assert_eq!(silent.rest().await, b"");
    eventually(|| Metrics::get(&server.metrics.refused) == 1).await;
    let mut plain = server.connect().await;
    plain.get("/").await;
    plain.rest().await;
    eventually(|| Metrics::get(&server.metrics.refused) == 2).await;
}
