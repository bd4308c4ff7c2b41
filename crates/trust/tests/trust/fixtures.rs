//! What the fixtures hold, and questions about it.

use std::{collections::BTreeMap, path::PathBuf};

use jiff::Timestamp;
use plura_oci::Digest;
use plura_trust::{
    Demand, Fact, IdentityDocument, KeyDocument, PolicyDocument, Presented, Question, Reason,
    Refusal, Signature, TrustPolicy, TrustRoot, Verdict, judge, verify,
};
use serde_json::Value;

pub(crate) const ISSUER: &str = "https://token.actions.githubusercontent.com";
pub(crate) const WORKFLOW: &str =
    "https://github.com/acme/web/.github/workflows/release.yml@refs/heads/main";

pub(crate) fn path(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/fixtures", name].iter().collect()
}

pub(crate) fn read(name: &str) -> Vec<u8> {
    std::fs::read(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

pub(crate) fn text(name: &str) -> String {
    String::from_utf8(read(name)).unwrap()
}

/// The digest that the fixtures of cosign and of the mocks are about.
pub(crate) fn image() -> Digest {
    Digest::sha256(&read("cosign/image.json"))
}

pub(crate) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Long after all fixtures were made.
pub(crate) fn now() -> Timestamp {
    time("2060-01-01T00:00:00Z")
}

pub(crate) fn bundle(name: &str) -> Signature {
    Signature::from_bundle(&read(name)).unwrap()
}

pub(crate) fn json(name: &str) -> Value {
    serde_json::from_slice(&read(name)).unwrap()
}

/// The first layer of the manifest that is stored beside it.
pub(crate) fn annotations(name: &str) -> BTreeMap<String, String> {
    let manifest = json(name);
    serde_json::from_value(manifest["layers"][0]["annotations"].clone()).unwrap()
}

/// The `.sig` that cosign made.
pub(crate) fn simple_signing() -> Signature {
    let annotations = annotations("cosign/sig.manifest.json");
    Signature::from_simple_signing(&read("cosign/sig.layer"), &annotations).unwrap()
}

pub(crate) fn key(name: &str, file: &str) -> KeyDocument {
    KeyDocument { name: name.to_owned(), pem: text(file), ..KeyDocument::default() }
}

pub(crate) fn identity(name: &str, issuer: &str, subject: &str) -> IdentityDocument {
    IdentityDocument {
        name: name.to_owned(),
        issuer: Some(issuer.to_owned()),
        subject: Some(subject.to_owned()),
        ..IdentityDocument::default()
    }
}

pub(crate) fn keys(keys: Vec<KeyDocument>) -> PolicyDocument {
    PolicyDocument {
        name: "release".to_owned(),
        repositories: vec!["**".to_owned()],
        keys,
        ..PolicyDocument::default()
    }
}

pub(crate) fn identities(identities: Vec<IdentityDocument>) -> PolicyDocument {
    PolicyDocument { identities, ..keys(Vec::new()) }
}

/// cosign's key, and no other.
pub(crate) fn cosign_policy() -> PolicyDocument {
    keys(vec![key("release", "cosign/cosign.pub")])
}

/// The workflow that the mocks certify.
pub(crate) fn workflow_policy() -> PolicyDocument {
    identities(vec![identity("ci", ISSUER, WORKFLOW)])
}

pub(crate) fn mock_root() -> TrustRoot {
    TrustRoot::from_json(&read("keyless/trusted_root.json")).unwrap()
}

/// What is asked, with all that it takes.
pub(crate) struct Case {
    pub(crate) digest: Digest,
    pub(crate) children: Vec<Digest>,
    pub(crate) policy: TrustPolicy,
    pub(crate) root: TrustRoot,
    pub(crate) now: Timestamp,
    pub(crate) arrived: Timestamp,
}

impl Case {
    pub(crate) fn new(policy: &PolicyDocument, root: TrustRoot) -> Self {
        Self {
            digest: image(),
            children: Vec::new(),
            policy: TrustPolicy::new(policy).unwrap(),
            root,
            now: now(),
            arrived: now(),
        }
    }

    /// cosign's key, and nobody to trust about identities.
    pub(crate) fn of_key() -> Self {
        Self::new(&cosign_policy(), TrustRoot::default())
    }

    pub(crate) fn of_workflow() -> Self {
        Self::new(&workflow_policy(), mock_root())
    }

    pub(crate) fn without_log(mut self) -> Self {
        self.policy.log = Some(Demand::Optional);
        self
    }

    pub(crate) fn question(&self) -> Question<'_> {
        Question {
            digest: &self.digest,
            children: &self.children,
            policy: &self.policy,
            root: &self.root,
            now: self.now,
        }
    }

    pub(crate) fn verify(&self, signature: &Signature) -> Result<Fact, Refusal> {
        verify(signature, self.arrived, &self.question())
    }

    #[track_caller]
    pub(crate) fn accepts(&self, signature: &Signature) -> Fact {
        self.verify(signature).unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    #[track_caller]
    pub(crate) fn refuses(&self, signature: &Signature, reason: Reason) -> Refusal {
        let refusal = self.verify(signature).expect_err("it was believed");
        assert_eq!(refusal.reason, reason, "{refusal:?}");
        refusal
    }

    pub(crate) fn judge(&self, signatures: Vec<Result<Signature, Refusal>>) -> Verdict {
        let presented = signatures.into_iter().enumerate().map(|(number, signature)| Presented {
            place: format!("layer {number}"),
            arrived: self.arrived,
            signature,
        });
        judge(&presented.collect::<Vec<_>>(), &self.question())
    }
}
