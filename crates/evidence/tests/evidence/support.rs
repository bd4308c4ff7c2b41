//! An installation, and what is pushed to it.

use std::sync::Arc;

use bytes::Bytes;
use plura_evidence::{Evidence, ManifestEvidence, Origin, PolicyDocument};
use plura_meta::build::Build;
use plura_oci::{Digest, RepositoryName};
use plura_registry::{Chunk, PutManifest, Registry, Settings};
use plura_trust::{
    KeyDocument, Layer, PrivateKey, SimpleSigning, attestation_layer, bundle, media_types,
    signature_statement, simple_signing_layer, statement, statement_to_be_signed,
};
use serde_json::{Value, json, value::RawValue};
use tempfile::TempDir;

pub(crate) const EMPTY: &str = "application/vnd.oci.empty.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// An installation with evidence that nobody watches: it is gathered when a test says so.
pub(crate) struct Installation {
    pub(crate) registry: Registry,
    pub(crate) evidence: Evidence,
    _directory: TempDir,
}

impl Installation {
    pub(crate) async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let registry = Registry::open(directory.path(), Settings::default()).await.unwrap();
        let evidence = Evidence::new(registry.clone());
        Self { registry, evidence, _directory: directory }
    }

    pub(crate) async fn blob(&self, bytes: &[u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        let chunk = Chunk::from(Bytes::copy_from_slice(bytes));
        self.registry.push_blob(&repository(), &digest, chunk).await.unwrap();
        digest
    }

    pub(crate) async fn put(&self, reference: &str, manifest: &Value) -> Digest {
        self.put_by(&self.registry, reference, manifest).await
    }

    async fn put_by(&self, registry: &Registry, reference: &str, manifest: &Value) -> Digest {
        let put = PutManifest {
            repository: repository(),
            reference: reference.parse().unwrap(),
            tags: Vec::new(),
            content_type: None,
            bytes: manifest.to_string().into(),
        };
        registry.put_manifest(put).await.unwrap().digest
    }

    /// Pushes a manifest by its digest alone.
    pub(crate) async fn put_untagged(&self, manifest: &Value) -> Digest {
        let digest = Digest::sha256(manifest.to_string().as_bytes());
        self.put(&digest.to_string(), manifest).await
    }

    /// An image; another for each name.
    pub(crate) async fn image(&self, name: &str) -> Digest {
        self.image_by(&self.registry, name).await
    }

    /// The same, pushed by a build of that commit.
    pub(crate) async fn image_built_from(&self, commit: &str, name: &str) -> Digest {
        let source = "https://github.com/acme/web".to_owned();
        let build = Build { source, revision: commit.to_owned(), run: String::new() };
        let origin = Origin { build: Some(Arc::new(build)), ..Origin::system() };
        self.image_by(&self.registry.on_behalf_of(Arc::new(origin)), name).await
    }

    async fn image_by(&self, registry: &Registry, name: &str) -> Digest {
        let config = json!({ "config": { "Labels": {
            "org.opencontainers.image.title": name,
            "org.opencontainers.image.revision": "c0ffee",
        } } });
        let manifest = self.manifest(config.to_string().as_bytes(), &[]).await;
        self.put_by(registry, name, &manifest).await
    }

    async fn manifest(&self, config: &[u8], layers: &[Layer]) -> Value {
        let digest = self.blob(config).await;
        let mut described = Vec::new();
        for layer in layers {
            let digest = self.blob(&layer.bytes).await;
            described.push(json!({
                "mediaType": layer.media_type, "digest": digest, "size": layer.bytes.len(),
                "annotations": layer.annotations,
            }));
        }
        json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest, "size": config.len(),
            },
            "layers": described,
        })
    }

    pub(crate) async fn index(&self, tag: &str, children: &[Digest]) -> Digest {
        let children: Vec<_> = children
            .iter()
            .map(|digest| json!({ "mediaType": MANIFEST, "digest": digest, "size": 1 }))
            .collect();
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": children });
        self.put(tag, &index).await
    }

    /// Pushes layers under a tag of the subject's name, as cosign 2 does.
    pub(crate) async fn attach(&self, subject: Digest, kind: &str, layers: &[Layer]) {
        let manifest = self.manifest(b"{}", layers).await;
        self.put(&format!("sha256-{}.{kind}", subject.hex()), &manifest).await;
    }

    /// Pushes a layer as a referrer.
    pub(crate) async fn refer(&self, subject: Digest, artifact_type: &str, layer: Layer) -> Digest {
        let mut manifest = self.manifest(b"{}", &[layer]).await;
        manifest["artifactType"] = artifact_type.into();
        manifest["config"]["mediaType"] = EMPTY.into();
        manifest["subject"] = json!({ "mediaType": MANIFEST, "digest": subject, "size": 1 });
        self.put_untagged(&manifest).await
    }

    /// What cosign 3 pushes.
    pub(crate) async fn refer_bundle(&self, subject: Digest, bundle: Vec<u8>) -> Digest {
        self.refer(subject, media_types::BUNDLE, layer(media_types::BUNDLE, bundle)).await
    }

    pub(crate) async fn trust(&self, document: &PolicyDocument) {
        self.evidence.put_policy(&Origin::system(), document).await.unwrap();
    }

    pub(crate) async fn of(&self, digest: Digest) -> ManifestEvidence {
        self.evidence.of(&repository(), &digest.to_string().parse().unwrap()).await.unwrap()
    }

    /// Gathers until there is nothing left to gather.
    pub(crate) async fn settle(&self) {
        while self.evidence.work().await.unwrap() {}
    }
}

pub(crate) fn repository() -> RepositoryName {
    "apps/web".parse().unwrap()
}

pub(crate) fn layer(media_type: &'static str, bytes: Vec<u8>) -> Layer {
    Layer { media_type, bytes, annotations: [].into() }
}

/// A key, and whose it is.
pub(crate) struct Signatory {
    name: &'static str,
    key: PrivateKey,
}

impl Signatory {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, key: PrivateKey::generate().unwrap() }
    }

    pub(crate) fn document(&self) -> KeyDocument {
        let pem = self.key.public_key().to_pem();
        KeyDocument { name: self.name.to_owned(), pem, ..KeyDocument::default() }
    }

    /// A layer of a `.sig`.
    pub(crate) fn simple_signing(&self, digest: Digest) -> Layer {
        let payload = SimpleSigning {
            digest,
            reference: "registry/apps/web".to_owned(),
            annotations: [].into(),
        };
        simple_signing_layer(&payload, &self.key.sign(&payload.to_json()).unwrap())
    }

    /// A bundle that says that it is signed.
    pub(crate) fn bundle(&self, digest: Digest) -> Vec<u8> {
        self.bundle_of(&signature_statement(&digest, &std::collections::BTreeMap::new()))
    }

    pub(crate) fn bundle_of(&self, statement: &[u8]) -> Vec<u8> {
        let signature = self.key.sign(&statement_to_be_signed(statement)).unwrap();
        bundle(statement, &signature, self.key.public_key())
    }

    /// A layer of an `.att`.
    pub(crate) fn attestation(&self, statement: Vec<u8>, predicate_type: &str) -> Layer {
        let signature = self.key.sign(&statement_to_be_signed(&statement)).unwrap();
        attestation_layer(statement, predicate_type, signature)
    }
}

/// Provenance of a build of a commit.
pub(crate) fn provenance(digest: Digest, commit: &str) -> Vec<u8> {
    let predicate = json!({
        "buildDefinition": {
            "buildType": "https://actions.github.io/buildtypes/workflow/v1",
            "externalParameters": { "workflow": {
                "ref": "refs/heads/main", "repository": "https://github.com/acme/web",
                "path": ".github/workflows/build.yml",
            } },
            "resolvedDependencies": [{
                "uri": "git+https://github.com/acme/web@refs/heads/main",
                "digest": { "gitCommit": commit },
            }],
        },
        "runDetails": { "builder": { "id": "https://github.com/acme/builder" } },
    });
    let predicate = RawValue::from_string(predicate.to_string()).unwrap();
    statement("apps/web", &digest, "https://slsa.dev/provenance/v1", &predicate)
}

/// A policy for everything that wants one of the signatories.
pub(crate) fn policy(name: &str, signatories: &[&Signatory]) -> PolicyDocument {
    PolicyDocument {
        name: name.to_owned(),
        repositories: vec!["**".to_owned()],
        keys: signatories.iter().map(|one| one.document()).collect(),
        ..PolicyDocument::default()
    }
}
