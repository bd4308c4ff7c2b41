//! An installation with a document in force, and images to promote.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use plura_contents::Contents;
use plura_evidence::Evidence;
use plura_governance::{
    Attestor, ChannelFilter, ChannelHead, Error, Governance, Moved, Origin, PromoteRequest,
    Promoted, Promotion, RollbackRequest, RolledBack, Secret, Sources, State,
};
use plura_meta::{
    Timestamp, Tx, digest_block,
    digest_block::StoredBlock,
    policy_version::{self, PolicyVersion},
};
use plura_oci::{Digest, Reference, RepositoryName, media_types};
use plura_registry::{
    Chunk, CollectReport, CollectRequest, KeepUntagged, PutManifest, Readable, Registry, Settings,
};
use plura_rollout::{Rollout, Traffic};
use plura_transparency::Transparency;
use plura_vulnerabilities::Vulnerabilities;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// The repository of the service `search`.
pub(crate) const REPOSITORY: &str = "apps/search";

/// A document with channels one after the other, and nothing that is asked for beside the order.
pub(crate) const PLAIN: &str = r#"
    format = 1
    [[channels]]
    name = "dev:stable"
    [[channels]]
    name = "stg:stable"
    from = ["dev:stable"]
    [[channels]]
    name = "prod:stable"
    from = ["stg:stable"]
"#;

/// An installation whose promotions go on when a test says so.
pub(crate) struct Place {
    pub(crate) registry: Registry,
    pub(crate) governance: Governance,
    pub(crate) hook: Hook,
    directory: TempDir,
}

/// Who moves traffic: what was asked for, and whether it is acknowledged.
#[derive(Clone)]
pub(crate) struct Hook {
    url: String,
    state: Arc<Mutex<HookState>>,
}

struct HookState {
    status: u16,
    asked: Vec<Value>,
}

pub(crate) fn digest_of(text: &str) -> Digest {
    Digest::sha256(text.as_bytes())
}

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().expect("what the test needs")
}

pub(crate) fn somebody(actor: &str) -> Origin {
    Origin { actor_kind: "user".into(), actor: actor.into(), ..Origin::system() }
}

impl Place {
    pub(crate) async fn start(document: &str) -> Self {
        let directory = tempfile::tempdir().expect("what the test needs");
        let settings = Settings {
            grace: Duration::ZERO,
            keep_untagged: KeepUntagged::For(Duration::ZERO),
            ..Settings::default()
        };
        let registry =
            Registry::open(directory.path(), settings).await.expect("what the test needs");
        let hook = Hook::start().await;
        std::fs::write(directory.path().join("hook"), "secret").expect("what the test needs");
        let governance = govern(&registry, &directory, &hook);
        let place = Self { registry, governance, hook, directory };
        place.apply(document).await
    }

    /// Puts a document in force.
    pub(crate) async fn apply(self, document: &str) -> Self {
        let document = document.to_owned();
        let work = async move |tx: &mut Tx| {
            let current = policy_version::current(tx).await?;
            let id = current.map_or(1, |current| current.id + 1);
            let version = PolicyVersion {
                id,
                digest: Digest::sha256(document.as_bytes()).to_string(),
                document,
                author: "alice".into(),
                reason: String::new(),
                applied_at: Timestamp::now(),
            };
            policy_version::add(tx, &version).await
        };
        let database = self.registry.database();
        database
            .write(move |tx| Box::pin(async move { work(tx).await }))
            .await
            .expect("what the test needs");
        self.again()
    }

    /// Decides that an image must not be run.
    pub(crate) async fn block(self, digest: Digest) -> Self {
        let block = StoredBlock {
            id: digest.to_string(),
            digest: digest.to_string(),
            repository: String::new(),
            kind: "manual".into(),
            reason: "a back door".into(),
            blocker: "bob".into(),
            blocked_at: Timestamp::now(),
            lifted_at: None,
            lifted_by: None,
            lifted_because: None,
        };
        let work = async move |tx: &mut Tx| digest_block::add(tx, &block).await;
        let database = self.registry.database();
        database
            .write(move |tx| Box::pin(async move { work(tx).await }))
            .await
            .expect("what the test needs");
        self.again()
    }

    /// As another process would see it: nothing is remembered.
    pub(crate) fn again(self) -> Self {
        let governance = govern(&self.registry, &self.directory, &self.hook);
        Self { governance, ..self }
    }

    /// Pushes an image that no other text gives.
    pub(crate) async fn push(&self, text: &str) -> Digest {
        let repository = name(REPOSITORY);
        let config = json!({ "config": { "Labels": { "text": text } } }).to_string();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_types::OCI_MANIFEST,
            "config": self.blob(media_types::OCI_CONFIG, &config).await,
            "layers": [self.blob(media_types::OCI_LAYER, text).await],
        });
        self.put(&repository, text, &manifest).await
    }

    async fn blob(&self, media_type: &str, content: &str) -> Value {
        let digest = digest_of(content);
        let chunk = Chunk::from(Bytes::copy_from_slice(content.as_bytes()));
        self.registry
            .push_blob(&name(REPOSITORY), &digest, chunk)
            .await
            .expect("what the test needs");
        json!({ "mediaType": media_type, "digest": digest, "size": content.len() })
    }

    /// Pushes something about an image.
    pub(crate) async fn attach(&self, subject: Digest, text: &str) -> Digest {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_types::OCI_MANIFEST,
            "artifactType": "application/vnd.example.signature",
            "config": self.blob("application/vnd.oci.empty.v1+json", "{}").await,
            "layers": [self.blob("application/octet-stream", text).await],
            "subject": { "mediaType": media_types::OCI_MANIFEST, "digest": subject, "size": 1 },
        });
        let digest = digest_of(&manifest.to_string());
        self.put(&name(REPOSITORY), &digest.to_string(), &manifest).await
    }

    async fn put(&self, repository: &RepositoryName, reference: &str, manifest: &Value) -> Digest {
        let put = PutManifest {
            repository: repository.clone(),
            reference: reference.parse().expect("what the test needs"),
            tags: Vec::new(),
            content_type: None,
            bytes: manifest.to_string().into(),
        };
        self.registry.put_manifest(put).await.expect("what the test needs").digest
    }

    pub(crate) async fn promote(&self, digest: Digest, to: &str) -> Result<Promoted, Error> {
        self.governance.promote(&somebody("alice"), &request(digest, to)).await
    }

    /// The image is in the channel at once.
    pub(crate) async fn promoted(&self, digest: Digest, to: &str) -> Promoted {
        let promoted = self.promote(digest, to).await.expect("what the test needs");
        let state = promoted.promotion.as_ref().map(|promotion| promotion.state);
        assert_eq!(state, Some(State::Finished), "{}", promoted.decision);
        promoted
    }

    pub(crate) async fn roll_back(
        &self,
        to: &str,
        digest: Option<Digest>,
        key: Option<Secret>,
    ) -> Result<RolledBack, Error> {
        let request = RollbackRequest { digest, key, ..rollback(to) };
        self.governance.roll_back(&somebody("bob"), &request).await
    }

    /// Goes on with promotions until there is nothing to do now.
    pub(crate) async fn go_on(&self) {
        while self.governance.advance().await.expect("what the test needs") {}
    }

    pub(crate) async fn promotion(&self, promoted: &Promoted) -> Promotion {
        let id = &promoted.promotion.as_ref().expect("what the test needs").id;
        self.governance.promotion(id).await.expect("what the test needs")
    }

    pub(crate) async fn head(&self, channel: &str) -> Option<ChannelHead> {
        let filter = ChannelFilter::default();
        let heads = self
            .governance
            .channels(&filter, &Readable::Everything)
            .await
            .expect("what the test needs");
        heads.into_iter().find(|head| head.at.channel.to_string() == channel)
    }

    pub(crate) async fn points_at(&self, channel: &str) -> Option<Digest> {
        self.head(channel).await.map(|head| head.at.digest)
    }

    pub(crate) async fn moves(&self, channel: &str) -> Vec<Moved> {
        let channel = channel.parse().expect("what the test needs");
        let page = (None, 1000);
        let all = Readable::Everything;
        let history = self.governance.history((&channel, "search"), None, page, &all).await;
        history.expect("what the test needs").moves
    }

    /// What a client gets who pulls.
    pub(crate) async fn pull(&self, repository: &str, reference: &str) -> Option<Digest> {
        let reference: Reference = reference.parse().expect("what the test needs");
        let found = self.registry.manifest(&name(repository), &reference).await;
        found.ok().map(|found| found.digest)
    }

    pub(crate) async fn delete(&self, digest: Digest) {
        let reference = Reference::Digest(digest);
        self.registry
            .delete_manifest(&name(REPOSITORY), &reference)
            .await
            .expect("what the test needs");
    }

    /// Collects as if a long time had passed.
    pub(crate) async fn collect(&self) -> CollectReport {
        let now = Timestamp::now().after(Duration::from_hours(24 * 365));
        let request = CollectRequest { repository: None, dry_run: false, now };
        self.registry.collect(request).await.expect("what the test needs")
    }
}

fn govern(registry: &Registry, directory: &TempDir, hook: &Hook) -> Governance {
    let contents = plura_contents::Settings { attach_sbom: None };
    let vulnerabilities = plura_vulnerabilities::Settings {
        directory: directory.path().to_owned(),
        longest_exception: Duration::from_hours(24 * 90),
        expiry_warning: Duration::from_hours(24 * 14),
    };
    let traffic = Traffic {
        url: hook.url.parse().expect("what the test needs"),
        secret_file: directory.path().join("hook"),
    };
    let rollout =
        plura_rollout::Settings { traffic: Some(traffic), ..plura_rollout::Settings::default() };
    let (evidence, contents) =
        (Evidence::new(registry.clone()), Contents::new(registry.clone(), contents));
    let known =
        plura_vulnerabilities::Sources { contents: contents.clone(), evidence: evidence.clone() };
    let log = plura_transparency::Settings {
        directory: directory.path().to_owned(),
        origin: None,
        default_origin: None,
    };
    let sources = Sources {
        evidence,
        contents,
        vulnerabilities: Vulnerabilities::new(registry.clone(), known, vulnerabilities),
        rollout: Rollout::new(rollout),
        attestor: Attestor::open(&directory.path().join("keys"), None)
            .expect("what the test needs"),
        transparency: Transparency::new(registry.clone(), log),
    };
    Governance::new(registry.clone(), sources)
}

pub(crate) fn request(digest: Digest, to: &str) -> PromoteRequest {
    PromoteRequest {
        repository: name(REPOSITORY),
        digest,
        from: None,
        to: to.parse().expect("what the test needs"),
        reason: String::new(),
        dry_run: false,
        idempotency: None,
    }
}

pub(crate) fn rollback(to: &str) -> RollbackRequest {
    RollbackRequest {
        repository: name(REPOSITORY),
        channel: to.parse().expect("what the test needs"),
        digest: None,
        key: None,
        reason: "it fails".into(),
        break_glass: None,
        dry_run: false,
        idempotency: None,
    }
}

impl Hook {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("what the test needs");
        let url = format!("http://{}/shift", listener.local_addr().expect("what the test needs"));
        let state = Arc::new(Mutex::new(HookState { status: 200, asked: Vec::new() }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let body = read(&mut stream).await;
                let status = {
                    let mut state = shared.lock().expect("what the test needs");
                    state.asked.push(body);
                    state.status
                };
                let answer = format!(
                    "HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, state }
    }

    /// What is answered from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.state.lock().expect("what the test needs").status = status;
    }

    /// Which parts of the traffic were asked for, in order.
    pub(crate) fn weights(&self) -> Vec<i64> {
        let state = self.state.lock().expect("what the test needs");
        state
            .asked
            .iter()
            .map(|asked| asked["weight"].as_i64().expect("what the test needs"))
            .collect()
    }
}

async fn read(stream: &mut tokio::net::TcpStream) -> Value {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                let is_length = key.eq_ignore_ascii_case("content-length");
                is_length.then(|| value.trim().parse::<usize>().expect("what the test needs"))
            });
            if body.len() >= length.unwrap_or(0) {
                return serde_json::from_str(body).unwrap_or(Value::Null);
            }
        }
        match stream.read(&mut buffer).await {
            Ok(count) if count > 0 => bytes.extend_from_slice(&buffer[..count]),
            _ => return Value::Null,
        }
    }
}
