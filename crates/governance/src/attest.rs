//! What was decided, signed and attached to the image, so that clusters and auditors can verify it without
//! asking.

use bytes::Bytes;
use plura_oci::{Digest, Page, Reference, RepositoryName, media_types};
use plura_policy::gate::{Effect, GateDecision, Mode};
use plura_registry::{Chunk, ImageQuery, PutManifest};
use plura_trust::{
    bundle, media_types::BUNDLE, predicate_types::VERIFICATION_SUMMARY, statement,
    statement_to_be_signed,
};
use serde_json::{Value, json, value::RawValue};

use crate::{Governance, ReportError};

/// Which decision a summary is of: another one is attached only where something else was decided.
const DECISION: &str = "plura.decision";
const EMPTY: &[u8] = b"{}";
/// More attestations are not listed in a summary.
const MOST_INPUTS: usize = 200;

impl Governance {
    /// Attaches a decision to what it is about, as a signed summary of a verification (SLSA, VSA), and
    /// tells which manifest has it. What waits is no decision, and nothing is attached.
    ///
    /// The same decision about the same facts is attached once. Summaries are no facts that anything is
    /// decided from, so that one never leads to the next.
    pub async fn attest(&self, decision: &GateDecision) -> Result<Option<Digest>, ReportError> {
        if decision.effect == Effect::Wait {
            return Ok(None);
        }
        let (repository, digest) = (&decision.repository, decision.digest);
        let identity = identity_of(decision);
        if let Some(attached) = self.attached(repository, &digest, &identity).await? {
            return Ok(Some(attached));
        }
        let query = ImageQuery {
            repository: repository.clone(),
            reference: Reference::Digest(digest),
            platform: None,
        };
        let subject = self.shared.registry.image_manifest(&query).await?;
        let inputs = self.inputs(repository, &digest).await?;
        let signed = self.signed(decision, &inputs)?;
        for blob in [Bytes::from_static(EMPTY), Bytes::from(signed.clone())] {
            self.push_bytes(repository, blob).await?;
        }
        let manifest = referrer(decision, &identity, &subject.bytes, &signed);
        let attached = Digest::sha256(&manifest);
        let put = PutManifest {
            repository: repository.clone(),
            reference: Reference::Digest(attached),
            tags: Vec::new(),
            content_type: Some(media_types::OCI_MANIFEST.to_owned()),
            bytes: manifest.into(),
        };
        self.shared.registry.put_manifest(put).await?;
        Ok(Some(attached))
    }

    /// What verifies summaries, in PEM.
    pub fn attestation_key(&self) -> String {
        self.shared.sources.attestor.public_key()
    }

    fn signed(&self, decision: &GateDecision, inputs: &[Digest]) -> Result<Vec<u8>, ReportError> {
        let attestor = &self.shared.sources.attestor;
        let place = place_of(attestor.id(), &decision.repository);
        let predicate = summary(decision, attestor.id(), inputs);
        let statement = statement(&place, &decision.digest, VERIFICATION_SUMMARY, &predicate);
        let key = attestor.key();
        let signature =
            key.sign(&statement_to_be_signed(&statement)).map_err(ReportError::Signing)?;
        Ok(bundle(&statement, &signature, key.public_key()))
    }

    /// The attestations that trust policies were met by.
    async fn inputs(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<Digest>, ReportError> {
        let reference = Reference::Digest(*digest);
        let evidence = self.shared.sources.evidence.of(repository, &reference).await?;
        let facts = evidence.verdicts.iter().flat_map(|verdict| &verdict.facts);
        // A place is a manifest or a tag, and which of its layers.
        let manifest = |place: &str| place.split('#').next().and_then(|name| name.parse().ok());
        let mut inputs: Vec<Digest> = facts.filter_map(|found| manifest(&found.place)).collect();
        inputs.sort_unstable_by_key(ToString::to_string);
        inputs.dedup();
        inputs.truncate(MOST_INPUTS);
        Ok(inputs)
    }

    async fn attached(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        identity: &str,
    ) -> Result<Option<Digest>, ReportError> {
        let identity = json!(identity);
        let mut page = Page::default();
        loop {
            let registry = &self.shared.registry;
            let found = registry.referrers(repository, digest, Some(BUNDLE), &page).await?;
            let same = |one: &&plura_registry::ReferrerDescriptor| {
                one.annotations.get(DECISION) == Some(&identity)
            };
            if let Some(one) = found.descriptors.iter().find(same) {
                return Ok(Some(one.digest));
            }
            let last = found.descriptors.last().map(|last| last.digest.to_string());
            if !found.more || last.is_none() {
                return Ok(None);
            }
            page.after = last;
        }
    }

    async fn push_bytes(
        &self,
        repository: &RepositoryName,
        bytes: Bytes,
    ) -> Result<(), ReportError> {
        let digest = Digest::sha256(&bytes);
        let registry = &self.shared.registry;
        if registry.own_blob(repository, &digest).await?.is_none() {
            registry.push_blob(repository, &digest, Chunk::from(bytes)).await?;
        }
        Ok(())
    }
}

/// The manifest of a bundle, as cosign writes it.
fn referrer(decision: &GateDecision, identity: &str, subject: &[u8], signed: &[u8]) -> Vec<u8> {
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": media_types::OCI_MANIFEST,
        "artifactType": BUNDLE,
        "config": descriptor(media_types::OCI_EMPTY, EMPTY),
        "layers": [descriptor(BUNDLE, signed)],
        "subject": descriptor(&media_type_of(subject), subject),
        "annotations": {
            "org.opencontainers.image.created": decision.decided_at.to_string(),
            "dev.sigstore.bundle.content": "dsse-envelope",
            "dev.sigstore.bundle.predicateType": VERIFICATION_SUMMARY,
            DECISION: identity,
        },
    });
    manifest.to_string().into_bytes()
}

/// What tells a decision from another: what was asked, by which document, and what came out for which
/// reasons. That it is a little later, or that a fact changed that no gate looks at, makes no other one.
fn identity_of(decision: &GateDecision) -> String {
    let outcomes = decision.outcomes.iter().map(|one| (&one.rule, &one.platform, one.effect));
    let told =
        json!([decision.channel, decision.policy, decision.effect, outcomes.collect::<Vec<_>>(),]);
    Digest::sha256(told.to_string().as_bytes()).to_string()
}

/// The predicate, `https://slsa.dev/spec/v1.0/verification_summary`.
fn summary(decision: &GateDecision, id: &str, inputs: &[Digest]) -> Box<RawValue> {
    let hex = |digest: &Digest| json!({ digest.algorithm().to_string(): digest.hex() });
    let inputs: Vec<Value> = inputs
        .iter()
        .map(|digest| json!({ "uri": digest.to_string(), "digest": hex(digest) }))
        .collect();
    let passed = decision.effect == Effect::Allow;
    let channel = decision.channel.as_ref().map(ToString::to_string);
    let summary = json!({
        "verifier": { "id": id, "version": { "plura": env!("CARGO_PKG_VERSION") } },
        "timeVerified": decision.decided_at.to_string(),
        "resourceUri": format!("{}@{}", place_of(id, &decision.repository), decision.digest),
        "policy": {
            "uri": format!("{id}/api/v1/policy"),
            "digest": hex(&decision.policy),
        },
        "inputAttestations": inputs,
        "verificationResult": if passed { "PASSED" } else { "FAILED" },
        "verifiedLevels": if passed { levels(decision) } else { Vec::new() },
        "slsaVersion": "1.0",
        // Extensions are fields whose names are URIs (SLSA, "Extension fields").
        "https://plura.dev/decision/v1": {
            "channel": channel,
            "effect": decision.effect,
            "facts": decision.facts.to_string(),
            "rules": decision.outcomes.iter().map(|one| json!({
                "rule": one.rule,
                "gate": one.gate,
                "platform": one.platform,
                "effect": one.effect,
                "observed": one.observed,
                "required": one.required,
            })).collect::<Vec<_>>(),
        },
    });
    RawValue::from_string(summary.to_string()).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// What may be claimed: the channel that it may be in, and that its provenance is known where a gate
/// asked for that. Whether the builder was hardened is not known here.
fn levels(decision: &GateDecision) -> Vec<String> {
    let is_known = decision.outcomes.iter().any(|one| {
        one.gate == "provenance" && one.mode == Mode::Enforce && one.effect == Effect::Allow
    });
    let name = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let channel = decision.channel.as_ref().map(|channel| {
        format!("PLURA_CHANNEL_{}", channel.to_string().chars().map(name).collect::<String>())
    });
    let slsa = is_known.then(|| "SLSA_BUILD_LEVEL_1".to_owned());
    slsa.into_iter().chain(channel).collect()
}

/// A repository as references name it.
fn place_of(id: &str, repository: &RepositoryName) -> String {
    let host = id.split_once("://").map_or(id, |(_, host)| host);
    format!("{host}/{repository}")
}

fn media_type_of(manifest: &[u8]) -> String {
    let value: Value = serde_json::from_slice(manifest).unwrap_or_default();
    value["mediaType"].as_str().unwrap_or(media_types::OCI_MANIFEST).to_owned()
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::sha256(bytes), "size": bytes.len() })
}
