//! What may be pushed under which tags.

use std::collections::BTreeMap;

use plura_oci::{Digest, RepositoryName, Tag};
use plura_policy::{
    gate::Mode,
    tags::{Push, is_attached, stored},
};

use crate::given::governance;

const RULES: &str = r#"
[[tags]]
name = "releases"
repositories = ["apps/**"]
except = ["apps/sandbox/**"]
immutable = ["*"]
shapes = ["{semver}+{gitsha}", "pr-{number}"]
labels = ["org.opencontainers.image.version", "org.opencontainers.image.revision"]

[[tags]]
name = "annotated"
mode = "warn"
repositories = ["apps/**"]
tags = ["1.*"]
forbidden = []
annotations = ["org.opencontainers.image.source"]
"#;

fn labels() -> BTreeMap<String, String> {
    ["version", "revision"]
        .map(|key| (format!("org.opencontainers.image.{key}"), "1".into()))
        .into()
}

/// The rules that refuse; those that warn in brackets.
fn check(repository: &str, tag: &str, labels: &BTreeMap<String, String>, existing: bool) -> String {
    let repository: RepositoryName = repository.parse().expect("a name");
    let tag = stored(tag).expect("a tag");
    let (digest, other) = (Digest::sha256(b"new"), Digest::sha256(b"old"));
    let push = Push {
        repository: &repository,
        tag: &tag,
        digest: &digest,
        existing: existing.then_some(&other),
        labels: Some(labels),
        annotations: &BTreeMap::new(),
    };
    let refusals = governance(RULES).tags.check(&push);
    let words = refusals.iter().map(|refusal| match refusal.mode {
        Mode::Enforce => refusal.rule.clone(),
        Mode::Warn => format!("({})", refusal.rule),
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn pushes_are_refused_by_every_rule_that_is_not_kept() {
    let good = labels();
    let none = BTreeMap::new();
    for (repository, tag, labels, existing, refused) in [
        ("apps/search", "1.4.2+3f9c2ab", &good, false, "(annotated.annotations)"),
        ("apps/search", "pr-17", &good, false, ""),
        ("apps/search", "pr-17", &good, true, "releases.immutable"),
        ("apps/search", "latest", &good, false, "releases.forbidden releases.shapes"),
        ("apps/search", "main", &good, false, "releases.shapes"),
        ("apps/search", "pr-17", &none, false, "releases.labels"),
        (
            "apps/search",
            "latest",
            &none,
            true,
            "releases.forbidden releases.immutable releases.shapes releases.labels",
        ),
        ("apps/sandbox/x", "latest", &none, true, ""),
        ("charts/search", "latest", &none, true, ""),
    ] {
        assert_eq!(check(repository, tag, labels, existing), refused, "{repository}:{tag}");
    }
}

#[test]
fn a_refusal_says_what_to_do() {
    let repository: RepositoryName = "apps/search".parse().unwrap();
    let tag: Tag = "latest".parse().unwrap();
    let (digest, labels) = (Digest::sha256(b"new"), labels());
    let push = Push {
        repository: &repository,
        tag: &tag,
        digest: &digest,
        existing: None,
        labels: Some(&labels),
        annotations: &BTreeMap::new(),
    };
    let refusals = governance(RULES).tags.check(&push);
    assert_eq!(
        refusals[0].to_string(),
        "releases.forbidden: the tag `latest`; required: another tag than `latest`; push it under a \
         tag such as `1.4.2+3f9c2ab`"
    );
    assert_eq!(refusals[1].required, "a tag like `{semver}+{gitsha}` or `pr-{number}`");
}

#[test]
fn pushing_the_same_again_is_no_change() {
    let repository: RepositoryName = "apps/search".parse().unwrap();
    let tag: Tag = "pr-17".parse().unwrap();
    let (digest, labels) = (Digest::sha256(b"new"), labels());
    let push = Push {
        repository: &repository,
        tag: &tag,
        digest: &digest,
        existing: Some(&digest),
        labels: Some(&labels),
        annotations: &BTreeMap::new(),
    };
    assert_eq!(governance(RULES).tags.check(&push), []);
}

#[test]
fn what_is_about_another_manifest_may_always_be_pushed() {
    let digest = Digest::sha256(b"x");
    for (tag, attached) in [
        (format!("sha256-{}.sig", digest.hex()), true),
        (format!("sha256-{}.att", digest.hex()), true),
        (format!("sha256-{}.sbom", digest.hex()), true),
        (format!("sha256-{}", digest.hex()), true),
        (format!("sha256-{}.tar", digest.hex()), false),
        ("sha256-abc.sig".to_owned(), false),
        ("latest".to_owned(), false),
    ] {
        assert_eq!(is_attached(&tag.parse().unwrap()), attached, "{tag}");
        let refused = check("apps/search", &tag, &BTreeMap::new(), true);
        assert_eq!(refused.is_empty(), attached, "{tag}");
    }
}

#[test]
fn artifacts_say_by_annotations_what_images_say_by_labels() {
    let repository: RepositoryName = "apps/search".parse().unwrap();
    let tag: Tag = "pr-17".parse().unwrap();
    let (digest, labels) = (Digest::sha256(b"new"), labels());
    let mut push = Push {
        repository: &repository,
        tag: &tag,
        digest: &digest,
        existing: None,
        labels: None,
        annotations: &labels,
    };
    let governance = governance(RULES);
    assert_eq!(governance.tags.check(&push), []);
    let nothing = BTreeMap::new();
    push.annotations = &nothing;
    assert_eq!(governance.tags.check(&push).len(), 1);
}

#[test]
fn who_deletes_can_ask_what_must_stay() {
    let governance = governance(RULES);
    let immutable = |repository: &str, tag: &str| {
        let (repository, tag) = (repository.parse().unwrap(), tag.parse().unwrap());
        governance.tags.immutable_by(&repository, &tag).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(immutable("apps/search", "1.0.0"), ["releases"]);
    assert!(immutable("charts/search", "1.0.0").is_empty());
    let signatures = format!("sha256-{}.sig", Digest::sha256(b"x").hex());
    assert!(immutable("apps/search", &signatures).is_empty());
}
