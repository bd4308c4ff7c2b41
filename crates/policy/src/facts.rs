//! What is known of an image: everything that gates look at, as one value that can be stored and
//! decided about again later.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use plura_oci::{Digest, RepositoryName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{ChannelName, Severity};

/// What is known of a manifest of a repository, and of what it consists of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ImageFacts {
    /// The repository.
    #[schema(value_type = String)]
    pub repository: RepositoryName,
    /// The manifest that is asked about.
    pub manifest: ManifestFacts,
    /// Its platforms, if it is an index. What is attached to them, such as the attestations that
    /// `BuildKit` lists as platforms, is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platforms: Option<Vec<ManifestFacts>>,
    /// Who pushed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// When it was pushed.
    #[schema(value_type = String)]
    pub pushed_at: Timestamp,
    /// How recent the knowledge about vulnerabilities is.
    pub advisories: Known<AdvisoryFacts>,
    /// Who approved it, for which channels.
    #[serde(default)]
    pub approvals: Vec<Approval>,
    /// What was found out elsewhere.
    #[serde(default)]
    pub checks: Vec<CheckResult>,
    /// The channels that it is in.
    #[serde(default)]
    pub channels: Vec<ChannelStay>,
    /// Why it must not be run anywhere, if somebody decided that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Block>,
}

/// What is known of one manifest: an image, or an index.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ManifestFacts {
    /// Its digest.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// What it is for, `linux/amd64`; if an index says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Its annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// What the trust policies for its repository say.
    pub signatures: Known<Vec<SignatureFacts>>,
    /// How it was built, by each that says so.
    pub provenance: Known<Vec<ProvenanceFacts>>,
    /// Its bills of materials.
    pub sboms: Known<Vec<SbomFacts>>,
    /// The vulnerabilities of its packages. An index has none of its own.
    pub vulnerabilities: Known<Vec<Vulnerability>>,
    /// What it was built on.
    pub base: Known<BaseFacts>,
    /// What its configuration says.
    pub configuration: Known<ConfigurationFacts>,
    /// Secrets in its layers and its configuration: how many, by the rule that found them.
    pub secrets: Known<BTreeMap<String, u32>>,
}

/// Something that may be known, may not be there, or may not be known yet.
///
/// The difference matters: what is not there has to be brought by somebody, what is not known yet comes
/// by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", tag = "state", content = "value")]
pub enum Known<T> {
    /// It is known.
    Known(T),
    /// It is not there, and why.
    Absent(String),
    /// It is not known yet, and what is waited for.
    Waiting(String),
}

/// What a trust policy says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignatureFacts {
    /// The trust policy.
    pub policy: String,
    /// Whether it is met.
    pub verified: bool,
    /// Whose signatures count.
    #[serde(default)]
    pub signers: BTreeSet<String>,
    /// Why it is not met.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How something was built, as one statement says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProvenanceFacts {
    /// Who built it.
    pub builder: String,
    /// The repository that it was built from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Whether somebody signed it whom a trust policy trusts.
    pub verified: bool,
    /// Where it contradicts what is known otherwise.
    #[serde(default)]
    pub contradictions: Vec<String>,
}

/// A bill of materials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SbomFacts {
    /// `cyclonedx` or `spdx`.
    pub format: String,
    /// Whether somebody signed it whom a trust policy trusts.
    pub verified: bool,
}

/// A vulnerability of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ImageVulnerability)]
pub struct Vulnerability {
    /// Its name: the CVE if it has one.
    pub id: String,
    /// Its other names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// How bad it is.
    pub severity: Severity,
    /// The package.
    pub package: String,
    /// The package's version.
    #[serde(default)]
    pub version: String,
    /// The version that fixes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_in: Option<String>,
    /// When it was first known here about this image.
    #[schema(value_type = String)]
    pub first_seen: Timestamp,
    /// What was decided about it.
    #[serde(default)]
    pub treatment: Treatment,
}

/// What was decided about a vulnerability.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", tag = "kind")]
#[schema(as = VulnerabilityTreatment)]
pub enum Treatment {
    /// Nothing.
    #[default]
    Open,
    /// Somebody decided to live with it for a time.
    Excepted {
        /// The exception.
        exception: String,
        /// When it ends. One without an end excepts nothing.
        #[schema(value_type = Option<String>)]
        expires: Option<Timestamp>,
    },
    /// Somebody whom a trust policy trusts states that the image is not affected (VEX).
    NotAffected {
        /// The statement.
        statement: String,
    },
}

/// What an image was built on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BaseFacts {
    /// The reference, as far as it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub digest: Option<Digest>,
    /// Whether its layers were found in the image. What is only declared may be wrong.
    #[serde(default)]
    pub matched: bool,
    /// Whether the base is signed itself, by somebody whom a trust policy trusts.
    #[serde(default)]
    pub verified: bool,
    /// When the base was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub created: Option<Timestamp>,
    /// A newer one of the same name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newer: Option<NewerBase>,
}

/// A newer base of the same name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewerBase {
    /// Its manifest.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// Since when it is known.
    #[schema(value_type = String)]
    pub since: Timestamp,
}

/// What an image's configuration says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationFacts {
    /// As which user it runs, as written.
    #[serde(default)]
    pub user: String,
    /// Whether that is root.
    pub is_root: bool,
    /// Labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// When it was built, as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub created: Option<Timestamp>,
}

/// How recent the knowledge about vulnerabilities is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AdvisoryFacts {
    /// When the newest advisory was published that is known.
    #[schema(value_type = String)]
    pub newest: Timestamp,
    /// When the image was last compared with them.
    #[schema(value_type = String)]
    pub compared_at: Timestamp,
}

/// Somebody's approval, of this digest for one channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Approval {
    /// Who.
    pub by: String,
    /// The roles that they had then.
    #[serde(default)]
    pub roles: BTreeSet<String>,
    /// For which channel.
    #[schema(value_type = String)]
    pub channel: ChannelName,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// When it ends, if somebody said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub expires: Option<Timestamp>,
}

/// What was found out elsewhere, such as by a synthetic test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CheckResult {
    /// What it is called.
    pub name: String,
    /// How it went.
    pub state: CheckState,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// Who says so.
    pub by: String,
}

/// How a check went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckState {
    /// Well.
    Success,
    /// Not well.
    Failure,
    /// It is not done yet.
    Pending,
}

/// That a digest is in a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelStay {
    /// The channel.
    #[schema(value_type = String)]
    pub channel: ChannelName,
    /// Since when, without interruption.
    #[schema(value_type = String)]
    pub since: Timestamp,
}

/// That somebody decided that an image must not be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ImageBlock)]
pub struct Block {
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
}

impl ImageFacts {
    /// What can be run: the platforms of an index, or the image itself.
    pub fn runnable(&self) -> &[ManifestFacts] {
        match &self.platforms {
            Some(platforms) => platforms,
            None => std::slice::from_ref(&self.manifest),
        }
    }

    /// The same facts, if there were an exception for that vulnerability: what `--if-exception` asks.
    #[must_use]
    pub fn with_exception(&self, vulnerability: &str, expires: Timestamp) -> Self {
        let mut facts = self.clone();
        let platforms = facts.platforms.iter_mut().flatten();
        for manifest in std::iter::once(&mut facts.manifest).chain(platforms) {
            let Known::Known(known) = &mut manifest.vulnerabilities else { continue };
            for one in known.iter_mut().filter(|one| one.is_called(vulnerability)) {
                let exception = "the one asked about".to_owned();
                one.treatment = Treatment::Excepted { exception, expires: Some(expires) };
            }
        }
        facts
    }

    /// The SHA-256 of the facts, which says what a decision was made from.
    pub fn digest(&self) -> Digest {
        // Nothing in facts can fail to be written: keys of maps are texts.
        Digest::sha256(&serde_json::to_vec(self).unwrap_or_default())
    }
}

impl<T> Known<T> {
    /// What is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(what) => Some(what),
            Self::Absent(_) | Self::Waiting(_) => None,
        }
    }

    /// The same of something that is made of it.
    pub fn map<U>(&self, change: impl FnOnce(&T) -> U) -> Known<U> {
        match self {
            Self::Known(what) => Known::Known(change(what)),
            Self::Absent(why) => Known::Absent(why.clone()),
            Self::Waiting(what) => Known::Waiting(what.clone()),
        }
    }
}

impl Vulnerability {
    /// Whether that is one of its names.
    pub fn is_called(&self, name: &str) -> bool {
        let mut names = std::iter::once(&self.id).chain(&self.aliases);
        names.any(|known| known.eq_ignore_ascii_case(name))
    }

    /// Whether the image is not affected, as somebody who is trusted states.
    pub fn is_not_affected(&self) -> bool {
        matches!(self.treatment, Treatment::NotAffected { .. })
    }

    /// Until when it is excepted; nothing where it is not, or not any more.
    pub fn excepted_until(&self, now: Timestamp) -> Option<Timestamp> {
        match self.treatment {
            Treatment::Excepted { expires, .. } => expires.filter(|expires| *expires > now),
            Treatment::Open | Treatment::NotAffected { .. } => None,
        }
    }
}
