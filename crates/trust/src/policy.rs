use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use plura_oci::{Digest, RepositoryName};
use regex::bytes::Regex;
use serde::{Deserialize, Serialize};

use crate::{
    Certificate, Identity, PublicKey, Reason, Refusal, Validity, extension_names,
    json::{self, shortened},
    matcher::{self, Matcher},
};

/// The most bytes of a policy.
const MAX_SIZE: usize = 1024 * 1024;
/// The most keys, and the most identities, of one.
const MAX_SIGNERS: usize = 256;

/// Whose signatures count for which repositories. Can be met, and by somebody in particular.
#[derive(Clone, Debug)]
pub struct TrustPolicy {
    /// What it is called.
    pub name: String,
    /// How many different signers it takes.
    pub required: usize,
    /// The keys that are trusted.
    pub keys: Vec<TrustedKey>,
    /// The identities that are trusted.
    pub identities: Vec<TrustedIdentity>,
    /// The roots whose Notation signatures are trusted.
    pub notation: Vec<TrustedNotation>,
    /// Whether a key's signature must be in a log. An identity's must, unless `log` says otherwise.
    pub log: Option<Demand>,
    /// Whether an identity's certificate must be in a certificate log.
    pub certificate_log: Demand,
    /// Types of statements that must be there, signed by somebody who is trusted.
    pub attestations: BTreeSet<String>,
    /// The SHA-256 of the policy; facts name it as one of their inputs.
    pub source: Digest,
    repositories: Vec<Regex>,
}

/// Whether evidence must be there. What is there must hold, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = LogDemand)]
pub enum Demand {
    /// It must.
    #[default]
    Required,
    /// It may be missing.
    Optional,
}

/// A key that is trusted.
#[derive(Clone, Debug)]
pub struct TrustedKey {
    /// Who holds it. Several keys of one holder, for regions or a rotation, are one signer.
    pub name: String,
    /// Where it is used.
    pub region: Option<String>,
    /// The key.
    pub key: PublicKey,
    /// When signatures of it count.
    pub valid: Validity,
}

/// An identity that is trusted.
#[derive(Clone, Debug)]
pub struct TrustedIdentity {
    /// What it is called here.
    pub name: String,
    /// Who must vouch for it.
    pub issuer: Matcher,
    /// Who it must be.
    pub subject: Matcher,
    /// What else its certificate must say.
    pub extensions: BTreeMap<String, Matcher>,
}

/// A certificate authority whose Notation signatures are trusted.
#[derive(Clone, Debug)]
pub struct TrustedNotation {
    /// What it is called here.
    pub name: String,
    /// Its roots.
    pub roots: Vec<Certificate>,
    /// The leaf's subject: attributes that it must have, such as `O` and `CN`.
    pub subject: BTreeMap<String, String>,
}

/// A policy as it is written.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTrustPolicy)]
pub struct PolicyDocument {
    /// What it is called.
    pub name: String,
    /// Patterns of repositories, `*` within a segment and `**` for anything.
    pub repositories: Vec<String>,
    /// How many different signers it takes; 1 if nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<usize>,
    /// The keys that are trusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<KeyDocument>,
    /// The identities that are trusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<IdentityDocument>,
    /// The authorities whose Notation signatures are trusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notation: Vec<NotationDocument>,
    /// Whether signatures must be in a log. If nothing is said: those of identities, not those of keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<Demand>,
    /// Whether certificates must be in a certificate log.
    #[serde(default)]
    pub certificate_log: Demand,
    /// Types of statements that must be there.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub attestations: BTreeSet<String>,
}

/// A key of a policy as it is written.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TrustedKey)]
pub struct KeyDocument {
    /// Who holds it.
    pub name: String,
    /// Where it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The public key in PEM.
    pub pem: String,
    /// Signatures count from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub start: Option<Timestamp>,
    /// Signatures count until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub end: Option<Timestamp>,
}

/// An identity of a policy as it is written.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TrustedIdentity)]
pub struct IdentityDocument {
    /// What it is called here.
    pub name: String,
    /// The issuer as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// The issuer as an anchored pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer_pattern: Option<String>,
    /// The subject as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The subject as an anchored pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_pattern: Option<String>,
    /// What else the certificate says, as it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, String>,
    /// What else the certificate says, as anchored patterns.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extension_patterns: BTreeMap<String, String>,
}

/// An authority of a policy as it is written.
#[derive(Clone, Debug, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TrustedNotation)]
pub struct NotationDocument {
    /// What it is called here.
    pub name: String,
    /// The roots in PEM.
    pub roots: String,
    /// The leaf's subject: attributes that it must have, such as `O` and `CN`.
    pub subject: BTreeMap<String, String>,
}

impl TrustPolicy {
    /// Reads a policy in JSON.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        Self::new(&json::read("trust policy", bytes, MAX_SIZE)?)
    }

    /// Checks a policy: whether it can be met, and leaves somebody out.
    pub fn new(document: &PolicyDocument) -> Result<Self, Refusal> {
        let policy = Self {
            name: document.name.clone(),
            required: document.required.unwrap_or(1),
            keys: document.keys.iter().map(TrustedKey::new).collect::<Result<_, _>>()?,
            identities: document
                .identities
                .iter()
                .map(TrustedIdentity::new)
                .collect::<Result<_, _>>()?,
            notation: document
                .notation
                .iter()
                .map(TrustedNotation::new)
                .collect::<Result<_, _>>()?,
            log: document.log,
            certificate_log: document.certificate_log,
            attestations: document.attestations.clone(),
            source: Digest::sha256(&serde_json::to_vec(document).unwrap_or_default()),
            repositories: document
                .repositories
                .iter()
                .map(|pattern| matcher::repositories(pattern))
                .collect::<Result<_, _>>()?,
        };
        policy.check()?;
        Ok(policy)
    }

    /// Whether it is about that repository.
    pub fn covers(&self, repository: &RepositoryName) -> bool {
        let name = repository.as_str().as_bytes();
        self.repositories.iter().any(|pattern| pattern.is_match(name))
    }

    fn check(&self) -> Result<(), Refusal> {
        let invalid = |observed: String| Err(Refusal::new(Reason::InvalidPolicy, observed));
        if self.name.is_empty() || self.repositories.is_empty() {
            return invalid("the trust policy has no name or no repositories".to_owned());
        }
        if self.keys.len() > MAX_SIGNERS || self.identities.len() > MAX_SIGNERS {
            return invalid(format!("the trust policy has more than {MAX_SIGNERS} signers"));
        }
        if let Some(twice) = self.key_of_two_holders() {
            return invalid(format!("the key {twice} has two holders, and would count twice"));
        }
        let signers = self.signers().len();
        if self.required == 0 || self.required > signers {
            return invalid(format!("{} of {signers} signers are required", self.required));
        }
        if self.attestations.iter().any(String::is_empty) {
            return invalid("a type of statement is empty".to_owned());
        }
        Ok(())
    }

    /// Everybody whose signature counts.
    fn signers(&self) -> BTreeSet<&str> {
        let keys = self.keys.iter().map(|key| &key.name);
        let identities = self.identities.iter().map(|identity| &identity.name);
        let notation = self.notation.iter().map(|notation| &notation.name);
        keys.chain(identities).chain(notation).map(String::as_str).collect()
    }

    fn key_of_two_holders(&self) -> Option<Digest> {
        let mut holders = BTreeMap::new();
        self.keys.iter().find_map(|key| {
            let fingerprint = key.key.fingerprint();
            let holder = holders.entry(fingerprint).or_insert(&key.name);
            (*holder != &key.name).then_some(fingerprint)
        })
    }

    /// The trusted identity that this one is; or the nearest reason why it is none.
    pub(crate) fn identity(&self, identity: &Identity) -> Result<&TrustedIdentity, Refusal> {
        let mut nearest = Refusal::new(
            Reason::BroughtKey,
            "the signature brings a certificate, and no identity is trusted",
        );
        for trusted in &self.identities {
            match trusted.check(identity) {
                Ok(()) => return Ok(trusted),
                // The reasons are ordered by how much of the identity was right.
                Err(refusal) if refusal.reason > nearest.reason => nearest = refusal,
                Err(_) => {}
            }
        }
        Err(nearest)
    }
}

fn named(what: &str, name: &str) -> Result<String, Refusal> {
    if name.trim().is_empty() {
        let observed = format!("{what} of the trust policy has no name");
        return Err(Refusal::new(Reason::InvalidPolicy, observed));
    }
    Ok(name.to_owned())
}

impl TrustedKey {
    fn new(document: &KeyDocument) -> Result<Self, Refusal> {
        let valid = Validity { start: document.start, end: document.end };
        if let (Some(start), Some(end)) = (valid.start, valid.end)
            && start > end
        {
            let observed = format!("the key `{}` ends before it begins", shortened(&document.name));
            return Err(Refusal::new(Reason::InvalidPolicy, observed));
        }
        Ok(Self {
            name: named("a key", &document.name)?,
            region: document.region.clone(),
            key: PublicKey::from_pem(&document.pem)?,
            valid,
        })
    }
}

impl TrustedIdentity {
    fn new(document: &IdentityDocument) -> Result<Self, Refusal> {
        let mut extensions = BTreeMap::new();
        let exact = document.extensions.iter().map(|(name, value)| (name, Some(value), None));
        let patterns =
            document.extension_patterns.iter().map(|(name, value)| (name, None, Some(value)));
        for (name, exact, pattern) in exact.chain(patterns) {
            let matcher =
                Matcher::new(name, exact.map(String::as_str), pattern.map(String::as_str))?;
            let known = extension_names().contains(&name.as_str());
            if !known || extensions.insert(name.clone(), matcher).is_some() {
                let observed = format!("the extension `{}` of an identity", shortened(name));
                return Err(Refusal::new(Reason::InvalidPolicy, observed)
                    .requiring(format!("one of {}, once", extension_names().join(", "))));
            }
        }
        Ok(Self {
            name: named("an identity", &document.name)?,
            issuer: Matcher::new(
                "issuer",
                document.issuer.as_deref(),
                document.issuer_pattern.as_deref(),
            )?,
            subject: Matcher::new(
                "subject",
                document.subject.as_deref(),
                document.subject_pattern.as_deref(),
            )?,
            extensions,
        })
    }

    fn check(&self, identity: &Identity) -> Result<(), Refusal> {
        let other = |reason, what: &str, found: &str, wanted: &Matcher| {
            Err(Refusal::new(reason, format!("the {what} is `{}`", shortened(found)))
                .requiring(format!("the {what} `{}` of {}", wanted.as_str(), self.name)))
        };
        if !self.issuer.matches(&identity.issuer) {
            return other(Reason::OtherIssuer, "issuer", &identity.issuer, &self.issuer);
        }
        if !self.subject.matches(&identity.subject) {
            return other(Reason::OtherSubject, "subject", &identity.subject, &self.subject);
        }
        for (name, wanted) in &self.extensions {
            let found = identity.extensions.get(name).map_or("", String::as_str);
            if !wanted.matches(found) {
                return other(Reason::OtherExtension, name, found, wanted);
            }
        }
        Ok(())
    }
}

impl TrustedNotation {
    fn new(document: &NotationDocument) -> Result<Self, Refusal> {
        let empty = |(name, value): (&String, &String)| name.is_empty() || value.is_empty();
        if document.subject.is_empty() || document.subject.iter().any(empty) {
            let observed = format!("`{}` trusts every subject", shortened(&document.name));
            return Err(Refusal::new(Reason::EmptyIdentity, observed));
        }
        Ok(Self {
            name: named("an authority", &document.name)?,
            roots: Certificate::chain_from_pem(&document.roots)?,
            subject: document.subject.clone(),
        })
    }
}
