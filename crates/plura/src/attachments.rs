//! Signatures and statements, stored beside what they are about.

use anyhow::Context;
use jiff::{Timestamp, Unit};
use plura_oci::{AttachmentKind, Digest, Tag, media_types};
use plura_trust::{Layer, SimpleSigning, media_types as signed};
use serde_json::{Value, json};

use crate::cli::Form;
use crate::repository_client::{RepositoryClient, Stored};
use crate::signing_key::SigningKey;

/// The configuration of what has none.
const NOTHING: &[u8] = b"{}";

/// What is signed, and how it is to be stored.
pub(crate) struct Attaching<'a> {
    /// Where it is pushed to.
    pub(crate) repository: &'a RepositoryClient,
    /// Who signs.
    pub(crate) key: &'a SigningKey,
    /// How it is stored.
    pub(crate) form: Form,
}

impl Attaching<'_> {
    /// Signs a payload of cosign's first format, and adds it under the tag for signatures.
    pub(crate) async fn payload(&self, payload: &SimpleSigning) -> anyhow::Result<String> {
        let signature = self.key.sign(&payload.to_json()).await?;
        let layer = plura_trust::simple_signing_layer(payload, &signature);
        self.push_layer(&payload.digest, AttachmentKind::Signatures, layer).await
    }

    /// Signs a statement, and stores it in the form that was asked for; where it is then.
    pub(crate) async fn statement(
        &self,
        subject: &Stored,
        predicate_type: &str,
        statement: Vec<u8>,
    ) -> anyhow::Result<String> {
        let signature = self.key.sign(&plura_trust::statement_to_be_signed(&statement)).await?;
        if self.form == Form::Tag {
            let layer = plura_trust::attestation_layer(statement, predicate_type, signature);
            return self.push_layer(&subject.digest, AttachmentKind::Attestations, layer).await;
        }
        let bundle = plura_trust::bundle(&statement, &signature, self.key.public_key());
        let config = self.repository.push_blob(media_types::OCI_EMPTY, NOTHING.to_vec()).await?;
        let bundle = self.repository.push_blob(signed::BUNDLE, bundle).await?;
        let manifest = referrer(subject, predicate_type, &config, &bundle);
        let digest = self.repository.push_manifest(manifest.to_string().into_bytes()).await?;
        Ok(digest.to_string())
    }

    /// What is there already is kept by the server, so that only the new layer is pushed.
    async fn push_layer(
        &self,
        subject: &Digest,
        kind: AttachmentKind,
        layer: Layer,
    ) -> anyhow::Result<String> {
        let tag = Tag::of_attachment(subject, kind).with_context(|| {
            format!("the digest {subject} is too long for a tag; use `--form bundle`")
        })?;
        let config = self.repository.push_blob(media_types::OCI_CONFIG, NOTHING.to_vec()).await?;
        let Layer { media_type, bytes, annotations } = layer;
        let stored = self.repository.push_blob(media_type, bytes).await?;
        let mut layer = descriptor(&stored);
        layer["annotations"] = json!(annotations);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_types::OCI_MANIFEST,
            "config": descriptor(&config),
            "layers": [layer],
        });
        self.repository.push_attachment(&tag, manifest.to_string().into_bytes()).await?;
        Ok(tag.to_string())
    }
}

/// The manifest of a bundle, as cosign 3 writes it.
fn referrer(subject: &Stored, predicate_type: &str, config: &Stored, bundle: &Stored) -> Value {
    let mut config = descriptor(config);
    config["artifactType"] = signed::BUNDLE.into();
    json!({
        "schemaVersion": 2,
        "mediaType": media_types::OCI_MANIFEST,
        "artifactType": signed::BUNDLE,
        "config": config,
        "layers": [descriptor(bundle)],
        "subject": descriptor(subject),
        "annotations": {
            "org.opencontainers.image.created": now(),
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": predicate_type,
        },
    })
}

fn descriptor(stored: &Stored) -> Value {
    let Stored { media_type, digest, size } = stored;
    json!({ "mediaType": media_type, "digest": digest, "size": size })
}

/// The time to the second.
fn now() -> String {
    let now = Timestamp::now();
    now.round(Unit::Second).unwrap_or(now).to_string()
}
