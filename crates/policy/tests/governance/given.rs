//! An image that satisfies every gate, to be changed by tests.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use plura_oci::Digest;
use plura_policy::{
    ChannelName, Governance, Severity,
    facts::{
        AdvisoryFacts, Approval, BaseFacts, ChannelStay, CheckResult, CheckState,
        ConfigurationFacts, ImageFacts, Known, ManifestFacts, ProvenanceFacts, SbomFacts,
        SignatureFacts, Treatment, Vulnerability,
    },
    gate::GateDecision,
};

/// Friday noon in Seoul.
pub(crate) fn now() -> Timestamp {
    "2026-11-20T03:00:00Z".parse().expect("a time")
}

pub(crate) fn hours_ago(hours: i64) -> Timestamp {
    now() - SignedDuration::from_hours(hours)
}

pub(crate) fn in_hours(hours: i64) -> Timestamp {
    hours_ago(-hours)
}

pub(crate) fn stable() -> ChannelName {
    "prod:stable".parse().expect("a channel")
}

pub(crate) fn governance(document: &str) -> Governance {
    Governance::from_toml(document).unwrap_or_else(|error| panic!("{error}\n{document}"))
}

pub(crate) fn decide(governance: &Governance, facts: &ImageFacts) -> GateDecision {
    governance.decide(facts, &stable(), now()).expect("there is the channel")
}

pub(crate) fn manifest(name: &str) -> ManifestFacts {
    ManifestFacts {
        digest: Digest::sha256(name.as_bytes()),
        platform: None,
        annotations: BTreeMap::new(),
        signatures: Known::Known(vec![signature("releases", true)]),
        provenance: Known::Known(vec![provenance()]),
        sboms: Known::Known(vec![SbomFacts { format: "cyclonedx".into(), verified: true }]),
        vulnerabilities: Known::Known(Vec::new()),
        base: Known::Known(BaseFacts {
            name: Some("gcr.io/distroless/static".into()),
            digest: Some(Digest::sha256(b"distroless")),
            matched: true,
            verified: true,
            created: Some(hours_ago(240)),
            newer: None,
        }),
        configuration: Known::Known(ConfigurationFacts {
            user: "65532".into(),
            is_root: false,
            labels: [("org.opencontainers.image.version", "1.4.2"), ("plura.region", "ap-1")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            created: Some(hours_ago(48)),
        }),
        secrets: Known::Known(BTreeMap::new()),
    }
}

/// An image for one platform.
pub(crate) fn image() -> ImageFacts {
    ImageFacts {
        repository: "apps/search/web".parse().expect("a name"),
        manifest: manifest("image"),
        platforms: None,
        author: Some("robot+apps+ci".into()),
        pushed_at: hours_ago(24),
        advisories: Known::Known(AdvisoryFacts { newest: hours_ago(3), compared_at: hours_ago(1) }),
        approvals: vec![approval("alice", 2), approval("bob", 1)],
        checks: vec![check("smoke", CheckState::Success, 1)],
        channels: vec![ChannelStay {
            channel: "prod:candidate".parse().expect("a channel"),
            since: hours_ago(1),
        }],
        blocked: None,
    }
}

/// An image for two platforms, what is true of both.
pub(crate) fn index() -> ImageFacts {
    let mut facts = image();
    let platform = |name: &str| {
        let platform = Some(name.to_owned());
        ManifestFacts { platform, ..manifest(name) }
    };
    facts.platforms = Some(vec![platform("linux/amd64"), platform("linux/arm64")]);
    let nothing = || "an index has none".to_owned();
    facts.manifest.vulnerabilities = Known::Absent(nothing());
    facts.manifest.configuration = Known::Absent(nothing());
    facts.manifest.base = Known::Absent(nothing());
    facts.manifest.secrets = Known::Absent(nothing());
    facts
}

pub(crate) fn signature(policy: &str, verified: bool) -> SignatureFacts {
    SignatureFacts {
        policy: policy.into(),
        verified,
        signers: if verified { BTreeSet::from(["release".to_owned()]) } else { BTreeSet::new() },
        reason: (!verified).then(|| "it has no signature".to_owned()),
    }
}

pub(crate) fn provenance() -> ProvenanceFacts {
    ProvenanceFacts {
        builder: "https://github.com/actions/runner/github-hosted".into(),
        source: Some("https://github.com/example/search".into()),
        revision: Some("3f9c2ab".into()),
        verified: true,
        contradictions: Vec::new(),
    }
}

pub(crate) fn vulnerability(id: &str, severity: Severity) -> Vulnerability {
    Vulnerability {
        id: id.into(),
        aliases: vec![format!("GHSA-{id}")],
        severity,
        package: "openssl".into(),
        version: "3.0.1".into(),
        fixed_in: Some("3.0.2".into()),
        first_seen: hours_ago(72),
        treatment: Treatment::Open,
    }
}

pub(crate) fn excepted(id: &str, severity: Severity, expires: Option<Timestamp>) -> Vulnerability {
    let treatment = Treatment::Excepted { exception: "e-1".into(), expires };
    Vulnerability { treatment, ..vulnerability(id, severity) }
}

pub(crate) fn approval(by: &str, hours: i64) -> Approval {
    Approval {
        by: by.into(),
        roles: BTreeSet::from(["promoter".to_owned()]),
        channel: stable(),
        at: hours_ago(hours),
        expires: None,
    }
}

pub(crate) fn check(name: &str, state: CheckState, hours: i64) -> CheckResult {
    CheckResult { name: name.into(), state, at: hours_ago(hours), by: "robot+apps+tests".into() }
}

pub(crate) fn configuration(facts: &mut ImageFacts) -> &mut ConfigurationFacts {
    match &mut facts.manifest.configuration {
        Known::Known(configuration) => configuration,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn base(facts: &mut ImageFacts) -> &mut BaseFacts {
    match &mut facts.manifest.base {
        Known::Known(base) => base,
        other => panic!("{other:?}"),
    }
}
