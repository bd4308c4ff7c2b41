//! What may be pulled.

use plura_oci::{Digest, Tag};
use plura_policy::{
    Severity,
    facts::{ImageFacts, Known},
    gate::Effect,
    pull::Purpose,
};

use crate::given::{governance, image, index, now, vulnerability};

const RULES: &str = r#"
[gates.pulls.vulnerabilities]
high = "any"
medium = "any"

[[pulls]]
name = "no-critical"
repositories = ["apps/**"]
except = ["apps/quarantine"]
gates = ["pulls"]
"#;

const PULL: Purpose<'static> = Purpose::Pull { tag: None };

fn critical() -> ImageFacts {
    let mut facts = image();
    let found = vec![vulnerability("C-1", Severity::Critical)];
    facts.manifest.vulnerabilities = Known::Known(found);
    facts
}

fn effect(rules: &str, facts: &ImageFacts, purpose: Purpose<'_>) -> Effect {
    governance(rules).decide_pull(facts, purpose, now()).effect
}

#[test]
fn what_is_too_bad_is_not_pulled() {
    assert_eq!(effect(RULES, &image(), PULL), Effect::Allow);
    assert_eq!(effect(RULES, &critical(), PULL), Effect::Deny);
    let mut elsewhere = critical();
    for repository in ["apps/quarantine", "charts/x"] {
        elsewhere.repository = repository.parse().unwrap();
        assert_eq!(effect(RULES, &elsewhere, PULL), Effect::Allow, "{repository}");
        assert!(!governance(RULES).governs_pulls(&elsewhere.repository));
    }
    let mut index = index();
    let found = vec![vulnerability("C-1", Severity::Critical)];
    index.platforms.as_mut().unwrap()[0].vulnerabilities = Known::Known(found);
    assert_eq!(effect(RULES, &index, PULL), Effect::Deny, "an index is not skipped");
}

#[test]
fn signing_and_scanning_are_never_refused() {
    let facts = critical();
    let attached = |kind: &str| -> Tag {
        format!("sha256-{}.{kind}", Digest::sha256(b"x").hex()).parse().unwrap()
    };
    let (signatures, attestations) = (attached("sig"), attached("att"));
    for purpose in [
        Purpose::Lookup,
        Purpose::Attached,
        Purpose::Referrers,
        Purpose::Inspection,
        Purpose::Pull { tag: Some(&signatures) },
        Purpose::Pull { tag: Some(&attestations) },
    ] {
        assert_eq!(effect(RULES, &facts, purpose), Effect::Allow, "{purpose:?}");
    }
    let tag: Tag = "1.4.2".parse().unwrap();
    assert_eq!(effect(RULES, &facts, Purpose::Pull { tag: Some(&tag) }), Effect::Deny);
}

#[test]
fn what_is_not_known_yet_waits_unless_it_may_be_pulled() {
    let mut facts = image();
    facts.manifest.vulnerabilities = Known::Waiting("the scan".into());
    assert_eq!(effect(RULES, &facts, PULL), Effect::Wait);
    let lenient = format!("{RULES}while_waiting = \"allow\"\n");
    assert_eq!(effect(&lenient, &facts, PULL), Effect::Allow);
    assert_eq!(effect(&lenient, &critical(), PULL), Effect::Deny);
    facts.manifest.vulnerabilities = Known::Absent("the scan failed".into());
    assert_eq!(effect(&lenient, &facts, PULL), Effect::Deny, "it does not come by itself");
}
