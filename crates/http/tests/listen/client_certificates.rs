//! Clients that show certificates: who is let in, as whom, and for how long.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use http::Response;
use plura_http::body::Body;
use plura_http::listen::{
    ClientCertificate, ClientCertificates, Connection, Metrics, Options, Tls, TlsError, TlsFiles,
};
use plura_oci::Digest;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    AlertDescription, ClientConfig, HandshakeKind, RootCertStore, SupportedProtocolVersion,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::support::{Server, eventually, within};
use crate::tls::{OFTEN, issue};

const WORKLOAD: &str = "spiffe://example.com/ns/ci/sa/builder";

/// Issues certificates of clients.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().der().clone();
        Identity { certificate, key: key.serialize_der() }
    }
}

/// What a client shows.
struct Identity {
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Identity {
    fn fingerprint(&self) -> String {
        Digest::sha256(&self.certificate).hex()
    }
}

/// A certificate for a client with these names.
fn named(uris: &[&str], hosts: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    let uris = uris.iter().map(|uri| SanType::URI((*uri).try_into().unwrap()));
    let hosts = hosts.iter().map(|host| SanType::DnsName((*host).try_into().unwrap()));
    params.subject_alt_names = uris.chain(hosts).collect();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// A server that answers with what it knows about its client.
struct Place {
    folder: TempDir,
    certificate: CertificateDer<'static>,
    tls: Tls,
    server: Server,
    /// Where a slow request waits for the test when it begins and before it is answered.
    meeting: Arc<Barrier>,
}

impl Place {
    async fn new(clients: fn(PathBuf) -> ClientCertificates, authorities: &[&Authority]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificate = issue(folder.path());
        trust(&folder, authorities);
        let tls = load(&folder, clients(folder.path().join("clients.pem"))).unwrap();
        let options = Options { tls: Some(tls.clone()), ..Options::default() };
        let meeting = Arc::new(Barrier::new(2));
        let place = Arc::clone(&meeting);
        let server = Server::start(options, move |request| {
            let meeting = Arc::clone(&place);
            async move {
                if request.uri().path() == "/slow" {
                    meeting.wait().await;
                    meeting.wait().await;
                }
                let connection = request.extensions().get::<Connection>().unwrap();
                Response::new(Body::from(describe(connection.client.as_deref())))
            }
        })
        .await;
        Self { folder, certificate, tls, server, meeting }
    }

    fn client(
        &self,
        identity: Option<&Identity>,
        version: &'static SupportedProtocolVersion,
    ) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        Arc::new(match identity {
            None => builder.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let key = PrivateKeyDer::try_from(key.clone()).unwrap();
                builder.with_client_auth_cert(vec![certificate.clone()], key).unwrap()
            }
        })
    }

    async fn dial(&self, config: &Arc<ClientConfig>) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.server.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        within(TlsConnector::from(Arc::clone(config)).connect(name, stream)).await
    }

    /// What the server says that the client is.
    async fn ask(
        &self,
        identity: Option<&Identity>,
        version: &'static SupportedProtocolVersion,
    ) -> io::Result<String> {
        ask(&mut self.dial(&self.client(identity, version)).await?).await
    }

    /// In both versions of TLS.
    async fn check(&self, identity: Option<&Identity>, expected: &str) {
        for version in [&TLS12, &TLS13] {
            let answer = self.ask(identity, version).await;
            assert_eq!(answer.unwrap(), expected, "{version:?}");
        }
    }

    /// In both versions of TLS, with the reason.
    async fn refuses(&self, identity: Option<&Identity>, expected: AlertDescription) {
        for version in [&TLS12, &TLS13] {
            let refused = Metrics::get(&self.server.metrics.refused);
            let error = self.ask(identity, version).await.unwrap_err();
            assert_eq!(alert(&error), Some(expected), "{version:?}: {error}");
            eventually(|| Metrics::get(&self.server.metrics.refused) == refused + 1).await;
        }
    }
}

fn trust(folder: &TempDir, authorities: &[&Authority]) {
    let bundle: String = authorities.iter().map(|authority| authority.0.pem()).collect();
    std::fs::write(folder.path().join("clients.pem"), bundle).unwrap();
}

fn load(folder: &TempDir, clients: ClientCertificates) -> Result<Tls, TlsError> {
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    Tls::load(TlsFiles { certificate, key, clients }, OFTEN)
}

fn optional(authorities: PathBuf) -> ClientCertificates {
    ClientCertificates::Optional { authorities }
}

fn required(authorities: PathBuf) -> ClientCertificates {
    ClientCertificates::Required { authorities }
}

fn describe(client: Option<&ClientCertificate>) -> String {
    let Some(ClientCertificate { spiffe_id, dns_names, fingerprint }) = client else {
        return "anyone".to_owned();
    };
    let workload = spiffe_id.as_ref().map_or("no workload", |id| id.as_str());
    format!("{workload} {dns_names:?} {fingerprint}")
}

/// One request; the connection stays open.
async fn ask(stream: &mut TlsStream<TcpStream>) -> io::Result<String> {
    // A refusal that has arrived meanwhile is what the reading tells.
    let _ = within(stream.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n")).await;
    answer(stream).await
}

async fn answer(stream: &mut TlsStream<TcpStream>) -> io::Result<String> {
    within(async {
        let mut answer = String::new();
        let mut buffer = [0; 1024];
        loop {
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            answer.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            if let Some((head, body)) = answer.split_once("\r\n\r\n")
                && head.contains(&format!("content-length: {}", body.len()))
            {
                return Ok(body.to_owned());
            }
        }
    })
    .await
}

fn alert(error: &io::Error) -> Option<AlertDescription> {
    match error.get_ref()?.downcast_ref()? {
        rustls::Error::AlertReceived(alert) => Some(*alert),
        _ => None,
    }
}

#[tokio::test]
async fn a_required_certificate_says_who_the_client_is() {
    let authority = Authority::new("authority");
    let place = Place::new(required, &[&authority]).await;
    let workload = authority.issue(&named(&[WORKLOAD], &["CI.example.com", "*.example.com"]));
    let expected = format!("{WORKLOAD} [\"ci.example.com\"] {}", workload.fingerprint());
    place.check(Some(&workload), &expected).await;
    let host = authority.issue(&named(&[], &["ci.example.com"]));
    let expected = format!("no workload [\"ci.example.com\"] {}", host.fingerprint());
    place.check(Some(&host), &expected).await;
    let nameless = authority.issue(&named(&[], &[]));
    place.check(Some(&nameless), &format!("no workload [] {}", nameless.fingerprint())).await;
    place.refuses(None, AlertDescription::CertificateRequired).await;
}

#[tokio::test]
async fn an_optional_certificate_may_be_missing_but_not_wrong() {
    let authority = Authority::new("authority");
    let place = Place::new(optional, &[&authority]).await;
    place.check(None, "anyone").await;
    let workload = authority.issue(&named(&[WORKLOAD], &[]));
    place.check(Some(&workload), &format!("{WORKLOAD} [] {}", workload.fingerprint())).await;
    let stranger = Authority::new("stranger").issue(&named(&[WORKLOAD], &[]));
    place.refuses(Some(&stranger), AlertDescription::UnknownCA).await;
}

#[tokio::test]
async fn without_the_setting_nobody_is_asked() {
    let authority = Authority::new("authority");
    let place = Place::new(|_| ClientCertificates::Off, &[&authority]).await;
    let workload = authority.issue(&named(&[WORKLOAD], &[]));
    place.check(Some(&workload), "anyone").await;
    place.check(None, "anyone").await;
}

#[tokio::test]
async fn certificates_that_are_not_for_this_client_now_are_refused() {
    let authority = Authority::new("authority");
    let place = Place::new(required, &[&authority]).await;
    let refuse = async |params: &CertificateParams, expected| {
        place.refuses(Some(&authority.issue(params)), expected).await;
    };
    let mut expired = named(&[WORKLOAD], &[]);
    expired.not_after = date_time_ymd(2020, 1, 1);
    refuse(&expired, AlertDescription::CertificateExpired).await;
    let mut early = named(&[WORKLOAD], &[]);
    early.not_before = date_time_ymd(4000, 1, 1);
    refuse(&early, AlertDescription::CertificateExpired).await;
    let mut server = named(&[WORKLOAD], &[]);
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    refuse(&server, AlertDescription::UnsupportedCertificate).await;
    let mut signing = named(&[WORKLOAD], &[]);
    signing.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    refuse(&signing, AlertDescription::CertificateUnknown).await;
    // The same name as the authority's does not make it the authority.
    let namesake = Authority::new("authority").issue(&named(&[WORKLOAD], &[]));
    place.refuses(Some(&namesake), AlertDescription::DecryptError).await;
    // A certificate without any purposes has all of them (RFC 5280, section 4.2.1.12).
    let mut any = named(&[WORKLOAD], &[]);
    any.extended_key_usages.clear();
    let any = authority.issue(&any);
    place.check(Some(&any), &format!("{WORKLOAD} [] {}", any.fingerprint())).await;
}

#[tokio::test]
async fn a_certificate_is_of_a_workload_only_by_the_rules_of_spiffe() {
    let authority = Authority::new("authority");
    let place = Place::new(required, &[&authority]).await;
    for uris in [
        &[WORKLOAD, "spiffe://example.com/ns/ci/sa/other"][..],
        &[WORKLOAD, "https://example.com"],
        &["spiffe://example.com"],
        &["spiffe://Example.com/ci"],
        &["spiffe://example.com/a/../ci"],
        &["spiffe://example.com:443/ci"],
        &["https://example.com/ci"],
    ] {
        let client = authority.issue(&named(uris, &["ci.example.com"]));
        let expected = format!("no workload [\"ci.example.com\"] {}", client.fingerprint());
        assert_eq!(place.ask(Some(&client), &TLS13).await.unwrap(), expected, "{uris:?}");
    }
}

#[tokio::test]
async fn authorities_are_replaced_while_serving_and_a_bad_file_replaces_nothing() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let place = Place::new(required, &[&old]).await;
    let (before, after) = (old.issue(&named(&[], &[])), new.issue(&named(&[], &[])));
    place.refuses(Some(&after), AlertDescription::UnknownCA).await;

    trust(&place.folder, &[&old, &new]);
    within(async { while place.ask(Some(&after), &TLS13).await.is_err() {} }).await;
    place.ask(Some(&before), &TLS13).await.unwrap();

    trust(&place.folder, &[&new]);
    within(async { while place.ask(Some(&before), &TLS13).await.is_ok() {} }).await;
    place.refuses(Some(&before), AlertDescription::UnknownCA).await;
    place.ask(Some(&after), &TLS13).await.unwrap();

    let bundle = place.folder.path().join("clients.pem");
    std::fs::write(&bundle, "nonsense").unwrap();
    assert!(matches!(place.tls.reload(), Err(TlsError::Pem { .. })));
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(&bundle, new.0.pem() + broken).unwrap();
    assert!(matches!(place.tls.reload(), Err(TlsError::Authority { .. })));
    std::fs::remove_file(&bundle).unwrap();
    assert!(matches!(place.tls.reload(), Err(TlsError::Read { .. })));
    place.ask(Some(&after), &TLS13).await.unwrap();
    place.refuses(Some(&before), AlertDescription::UnknownCA).await;
}

#[tokio::test]
async fn the_servers_certificate_is_replaced_even_if_the_authorities_cannot_be() {
    let authority = Authority::new("authority");
    let mut place = Place::new(required, &[&authority]).await;
    std::fs::write(place.folder.path().join("clients.pem"), "nonsense").unwrap();
    place.certificate = issue(place.folder.path());
    place.tls.reload().unwrap_err();
    place.ask(Some(&authority.issue(&named(&[], &[]))), &TLS13).await.unwrap();
}

#[tokio::test]
async fn connections_of_replaced_authorities_serve_no_further_request() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let place = Place::new(optional, &[&old]).await;
    let identity = old.issue(&named(&[], &[]));
    let mut known = place.dial(&place.client(Some(&identity), &TLS13)).await.unwrap();
    let mut anyone = place.dial(&place.client(None, &TLS13)).await.unwrap();
    ask(&mut known).await.unwrap();
    ask(&mut anyone).await.unwrap();

    trust(&place.folder, &[&new]);
    place.tls.reload().unwrap();
    let mut rest = Vec::new();
    within(known.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"");
    eventually(|| Metrics::get(&place.server.metrics.open) == 1).await;
    ask(&mut anyone).await.unwrap();
}

#[tokio::test]
async fn requests_under_way_finish_when_the_authorities_are_replaced() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let place = Place::new(required, &[&old]).await;
    let identity = old.issue(&named(&[], &[]));
    let mut known = place.dial(&place.client(Some(&identity), &TLS13)).await.unwrap();
    known.write_all(b"GET /slow HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
    within(place.meeting.wait()).await;

    trust(&place.folder, &[&new]);
    place.tls.reload().unwrap();
    within(async { while place.ask(Some(&identity), &TLS13).await.is_ok() {} }).await;
    within(place.meeting.wait()).await;
    assert!(answer(&mut known).await.unwrap().contains(&identity.fingerprint()));
    let mut rest = Vec::new();
    within(known.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(rest, b"");
}

#[tokio::test]
async fn a_session_is_never_resumed_where_certificates_count() {
    let authority = Authority::new("authority");
    let identity = authority.issue(&named(&[WORKLOAD], &[]));
    for (clients, expected) in [
        ((|_| ClientCertificates::Off) as fn(PathBuf) -> _, HandshakeKind::Resumed),
        (optional, HandshakeKind::Full),
        (required, HandshakeKind::Full),
    ] {
        let place = Place::new(clients, &[&authority]).await;
        for version in [&TLS12, &TLS13] {
            let config = place.client(Some(&identity), version);
            ask(&mut place.dial(&config).await.unwrap()).await.unwrap();
            let second = place.dial(&config).await.unwrap();
            let kind = second.get_ref().1.handshake_kind();
            assert_eq!(kind, Some(expected), "{version:?}");
        }
    }
}

#[test]
fn authorities_that_cannot_be_used_stop_the_start() {
    let folder = tempfile::tempdir().unwrap();
    issue(folder.path());
    let missing = folder.path().join("missing.pem");
    assert!(matches!(load(&folder, required(missing)), Err(TlsError::Read { .. })));
    let key = folder.path().join("tls.key");
    assert!(matches!(load(&folder, optional(key)), Err(TlsError::Pem { .. })));
}
