//! Programs with certificates: known by their SPIFFE ID or by a host name, and by nothing else.

use std::path::PathBuf;

use plura_testkit::{Client, Image, Random};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, SanType,
};
use reqwest::{Certificate, Identity};
use serde_json::json;
use tempfile::TempDir;

use super::{TAGS, briefly, rule};
use crate::access::{ADMINISTRATOR, ClosedServer as Closed, ask_for_token, docker_token};

const CI: &str = "spiffe://td/ns/build/sa/ci";

/// Issues certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("an authority"))
    }

    /// A certificate with these names, and its key, PEM.
    fn issue(&self, uris: &[&str], hosts: &[&str]) -> (String, String) {
        let mut params = CertificateParams::default();
        let uris = uris.iter().map(|uri| SanType::URI((*uri).try_into().expect("a URI")));
        let hosts = hosts.iter().map(|host| match host.parse() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*host).try_into().expect("a host name")),
        });
        params.subject_alt_names = uris.chain(hosts).collect();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }
}

/// A server that knows certificates of one authority.
struct Site {
    closed: Closed,
    authority: Authority,
    server_authority: Authority,
    _folder: TempDir,
}

impl Site {
    /// A server with the projects `apps` and `other`.
    async fn start(clients: &str) -> Self {
        let folder = TempDir::new().expect("a temporary directory");
        let (authority, server_authority) = (Authority::new("clients"), Authority::new("servers"));
        let (certificate, key) = server_authority.issue(&[], &["127.0.0.1"]);
        let write = |name: &str, text: &str| {
            let path: PathBuf = folder.path().join(name);
            std::fs::write(&path, text).expect("a file");
            path.to_str().expect("temporary paths are UTF-8").to_owned()
        };
        let closed = Closed::with(&[
            ("PLURA_SERVER__TLS__CERTIFICATE", &write("tls.crt", &certificate)),
            ("PLURA_SERVER__TLS__KEY", &write("tls.key", &key)),
            ("PLURA_SERVER__TLS__CLIENT_CERTIFICATES", clients),
            ("PLURA_SERVER__TLS__CLIENT_CA", &write("clients.pem", &authority.0.pem())),
        ]);
        let mut site = Self { closed, authority, server_authority, _folder: folder };
        // So that everything else is as with a server without TLS. A certificate whose holder has no
        // role comes along, for where one is required.
        let unknown = site.authority.issue(&[], &[]);
        site.closed.client = site.showing(&site.closed.client, &unknown);
        site.closed.root = site.showing(&site.closed.root, &unknown);
        for project in ["apps", "other"] {
            site.closed.project(project).await;
            site.closed.image(&format!("{project}/web")).await;
        }
        site
    }

    /// A client that trusts the server and shows nothing.
    fn bare(&self) -> Client {
        let root = self.server_root();
        self.closed.server.client().with(|builder| builder.tls_certs_only([root]))
    }

    /// The client, on connections with this certificate.
    fn showing(&self, client: &Client, (certificate, key): &(String, String)) -> Client {
        let identity = format!("{certificate}{key}");
        let identity = Identity::from_pem(identity.as_bytes()).expect("a certificate and its key");
        let root = self.server_root();
        client.with(|builder| builder.tls_certs_only([root]).identity(identity))
    }

    fn server_root(&self) -> Certificate {
        Certificate::from_pem(self.server_authority.0.pem().as_bytes()).expect("an authority")
    }

    /// Who has a certificate with these names.
    fn holder(&self, uris: &[&str], hosts: &[&str]) -> Client {
        self.showing(&self.bare(), &self.authority.issue(uris, hosts))
    }

    async fn member(&self, subject: &str, role: &str, project: &str) {
        self.closed.give(Some(project), json!({"subject": subject, "role": role})).await;
    }
}

#[tokio::test]
async fn the_holder_of_a_certificate_has_the_roles_of_its_spiffe_id() {
    let site = Site::start("optional").await;
    site.member("spiffe:spiffe://td/ns/*/sa/ci", "developer", "apps").await;
    let ci = site.holder(&[CI], &[]);
    let image = Image::random(&mut Random::printed());
    let repository = ci.repository("apps/job");
    repository.push_image_as("v2", &image).await;
    repository.get_manifest("v2").await.expect(200);
    for refused in [
        ci.get("/v2/other/web/tags/list").await,
        repository.delete_manifest("v2").await,
        ci.get("/api/v1/users").await,
    ] {
        assert_eq!(rule(&refused.expect_error(403, "DENIED")), "no role");
    }
    let me = ci.get("/api/v1/me").await.expect(200).json();
    assert_eq!((&me["kind"], &me["name"]), (&json!("certificate"), &json!(CI)));
    let pushed = site.closed.audit("&action=tag.set&target=apps/job:v2").await;
    assert_eq!(briefly(&pushed), [format!("{CI} certificate tag.set apps/job:v2 allowed")]);
    assert_eq!(pushed[0]["actor"]["kind"], "certificate");
    // A token would be good without the certificate, for whoever has stolen it.
    let token = ask_for_token(&ci, &["repository:apps/web:pull,push"]).await;
    token.expect_error(409, "CONFLICT");
}

#[tokio::test]
async fn other_spiffe_ids_have_no_role() {
    let site = Site::start("optional").await;
    site.member("spiffe:spiffe://td/ns/*/sa/ci", "developer", "apps").await;
    site.holder(&["spiffe://td/ns/other/sa/ci"], &[]).get(TAGS).await.expect(200);
    for other in [
        "spiffe://td/ns/build/sa/ci2",
        "spiffe://td/ns/build/sa/ci/x",
        "spiffe://td/ns/a/b/sa/ci",
        "spiffe://td/ns/sa/ci",
        "spiffe://other/ns/build/sa/ci",
    ] {
        let refused = site.holder(&[other], &[]).get(TAGS).await.expect_error(403, "DENIED");
        assert_eq!(rule(&refused), "no role", "{other}");
    }
    // With two names it is nobody's certificate, and a certificate for nobody shows nothing.
    for uris in [&[CI, "spiffe://td/ns/b/sa/ci"][..], &["https://td/ns/build/sa/ci"], &[]] {
        let holder = site.holder(uris, &[]);
        holder.get(TAGS).await.expect_error(401, "UNAUTHORIZED");
    }
}

#[tokio::test]
async fn certificates_of_others_end_the_handshake() {
    for clients in ["optional", "required"] {
        let site = Site::start(clients).await;
        site.member(&format!("spiffe:{CI}"), "developer", "apps").await;
        let forged = Authority::new("clients").issue(&[CI], &[]);
        let forged = site.showing(&site.bare(), &forged);
        forged.get(TAGS).attempt().await.expect_err("nobody vouches for it");
        let bare = site.bare().get("/v2/").attempt().await;
        match clients {
            "optional" => drop(bare.expect("a connection").expect_error(401, "UNAUTHORIZED")),
            _ => drop(bare.expect_err("there is no connection without a certificate")),
        }
        site.holder(&[CI], &[]).get(TAGS).await.expect(200);
    }
}

#[tokio::test]
async fn what_is_shown_in_a_request_counts_instead_of_the_certificate() {
    let mut site = Site::start("required").await;
    site.member("spiffe:spiffe://td/ns/*/sa/ci", "developer", "apps").await;
    let reader = site.closed.member("rita", "reader", "other").await;
    let token = docker_token(&reader.client, &["repository:other/web:pull"]).await;
    let ci = site.holder(&[CI], &[]);
    for client in [ci.basic(&reader.name, &reader.secret), ci.bearer(&token)] {
        client.get("/v2/other/web/tags/list").await.expect(200);
        client.get(TAGS).await.expect_one_of(&[401, 403]);
        assert_eq!(client.get("/api/v1/me").await.expect(200).json()["name"], "rita");
    }
    // What is wrong is not made good by the certificate, and what is empty shows nothing.
    ci.basic(ADMINISTRATOR, "wrong").get(TAGS).await.expect_error(401, "UNAUTHORIZED");
    ci.bearer("wrong").get(TAGS).await.expect_error(401, "UNAUTHORIZED");
    ci.get(TAGS).await.expect(200);
    ci.basic("", "").get(TAGS).await.expect(200);
    // On the connection of another certificate the same token is as good.
    let other = site.holder(&["spiffe://td/other"], &[]).bearer(&token);
    other.get("/v2/other/web/tags/list").await.expect(200);
}

#[tokio::test]
async fn hosts_are_members_by_their_names() {
    let site = Site::start("optional").await;
    site.member("dns:build-7.example.com", "developer", "apps").await;
    let host = site.holder(&[], &["build-7.example.com"]);
    host.get(TAGS).await.expect(200);
    host.get("/v2/other/web/tags/list").await.expect_error(403, "DENIED");
    site.holder(&[], &["BUILD-7.example.com"]).get(TAGS).await.expect(200);
    site.holder(&[], &["build-8.example.com"]).get(TAGS).await.expect_error(403, "DENIED");
    site.holder(&[], &["*.example.com"]).get(TAGS).await.expect_error(401, "UNAUTHORIZED");
    let image = Image::random(&mut Random::printed());
    host.repository("apps/job").push_image_as("v1", &image).await;
    let pushed = site.closed.audit("&action=tag.set&target=apps/job:v1").await;
    let actor = pushed[0]["actor"]["name"].as_str().expect("a name");
    assert!(actor.ends_with("build-7.example.com"), "{actor}");
}

/// With several names, the one that has the role is who did it.
#[tokio::test]
async fn of_several_names_the_one_that_decided_is_written_down() {
    let site = Site::start("optional").await;
    site.member("dns:two.example.com", "developer", "apps").await;
    site.member("dns:three.example.com", "maintainer", "other").await;
    let names = ["one.example.com", "two.example.com", "three.example.com"];
    let image = Image::random(&mut Random::printed());
    for (uris, first) in [(&[][..], names[0]), (&[CI][..], CI)] {
        let host = site.holder(uris, &names);
        for (repository, decided) in [("apps/job", names[1]), ("other/job", names[2])] {
            host.repository(repository).push_image_as("v1", &image).await;
            let pushed =
                site.closed.audit(&format!("&action=tag.set&target={repository}:v1")).await;
            assert_eq!(
                briefly(&pushed[..1]),
                [format!("{decided} certificate tag.set {repository}:v1 allowed")]
            );
            host.repository(repository).delete_manifest("v1").await.expect_one_of(&[202, 403]);
        }
        let member = json!({"subject": "everyone", "role": "reader"});
        host.post("/api/v1/projects/other/members").json(&member).await.expect_one_of(&[200, 201]);
        let added = site.closed.audit("&action=member.add&target=everyone").await;
        assert_eq!(added[0]["actor"]["name"], names[2]);
        assert_eq!(host.get("/api/v1/me").await.expect(200).json()["name"], first);
    }
}

#[tokio::test]
async fn a_role_that_is_taken_back_ends_on_connections_that_are_open() {
    let site = Site::start("optional").await;
    let given = json!({"subject": format!("spiffe:{CI}"), "role": "reader"});
    let id = site.closed.give(Some("apps"), given).await;
    let ci = site.holder(&[CI], &[]);
    ci.get(TAGS).await.expect(200);
    site.closed.root.delete(&format!("/api/v1/projects/apps/members/{id}")).await.expect(204);
    super::soon(403, async || ci.get(TAGS).await).await;
}

/// What is remembered for a moment is remembered for what proved it.
#[tokio::test]
async fn an_empty_authorization_stands_for_nobody_elses_certificate() {
    let site = Site::start("optional").await;
    site.member(&format!("spiffe:{CI}"), "reader", "apps").await;
    let ci = site.holder(&[CI], &[]).basic("", "");
    let nobody = site.bare().basic("", "");
    for _ in 0..3 {
        ci.get(TAGS).await.expect(200);
        nobody.get(TAGS).await.expect_error(401, "UNAUTHORIZED");
    }
}
