//! What is true of every push and every pull, whatever the rules.

use std::collections::BTreeMap;

use plura_oci::{Digest, RepositoryName, Tag};
use plura_policy::{
    Severity,
    facts::Known,
    gate::Effect,
    pull::Purpose,
    tags::{Push, Refusal, stored},
};
use proptest::prelude::*;

use crate::given::{governance, image, now, vulnerability};

/// Rules that let some of the tags below through, and not others.
const RULES: [&str; 6] = [
    r#"immutable = ["*"]"#,
    r#"immutable = ["1.*", "v*"]"#,
    r#"forbidden = ["latest", "dev-*"]"#,
    r#"shapes = ["{semver}", "pr-{number}"]"#,
    r#"labels = ["a"]"#,
    r#"annotations = ["b"]"#,
];

fn document(rules: &[(usize, bool)]) -> String {
    let rules = rules.iter().enumerate().map(|(index, (rule, enforced))| {
        let mode = if *enforced { "enforce" } else { "warn" };
        let asked = RULES[*rule];
        let forbidden = if asked.starts_with("forbidden") { "" } else { "forbidden = []\n" };
        format!(
            "[[tags]]\nname = \"r{index}\"\nmode = \"{mode}\"\nrepositories = [\"apps/**\"]\n\
             {forbidden}{asked}\n"
        )
    });
    rules.collect()
}

fn rules() -> impl Strategy<Value = Vec<(usize, bool)>> {
    prop::collection::vec((0..RULES.len(), any::<bool>()), 0..5)
}

/// A push that is asked about: its tag, whether that exists and is the same, its keys.
#[derive(Clone, Debug)]
struct Asked {
    tag: Tag,
    existing: Option<Digest>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

fn asked() -> impl Strategy<Value = Asked> {
    let tag = prop_oneof![
        "[0-9]\\.[0-9]\\.[0-9]",
        "(latest|dev-x|main|pr-7|v1)",
        "[A-Za-z0-9_][A-Za-z0-9._-]{0,12}",
    ];
    let existing = prop::option::of(any::<bool>());
    (tag, existing, any::<bool>(), any::<bool>()).prop_map(|(tag, existing, label, annotation)| {
        let some = |given: bool, key: &str| {
            given.then(|| (key.to_owned(), "1".to_owned())).into_iter().collect()
        };
        Asked {
            tag: tag.parse().expect("a tag"),
            existing: existing.map(|same| if same { pushed() } else { Digest::sha256(b"old") }),
            labels: some(label, "a"),
            annotations: some(annotation, "b"),
        }
    })
}

fn pushed() -> Digest {
    Digest::sha256(b"new")
}

fn repository() -> RepositoryName {
    "apps/x".parse().expect("a name")
}

fn check(rules: &[(usize, bool)], asked: &Asked) -> Vec<Refusal> {
    governance(&document(rules)).tags.check(&Push {
        repository: &repository(),
        tag: &asked.tag,
        digest: &pushed(),
        existing: asked.existing.as_ref(),
        labels: Some(&asked.labels),
        annotations: &asked.annotations,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn another_rule_never_lets_more_through(
        asked in asked(), some in rules(), more in rules(),
    ) {
        let before = check(&some, &asked);
        let after = check(&[some, more].concat(), &asked);
        prop_assert!(after.starts_with(&before), "{before:?}\n{after:?}");
    }

    #[test]
    fn a_tag_that_stays_what_it_is_moves_nothing(asked in asked(), rules in rules()) {
        let is_moved = asked.existing.is_some_and(|existing| existing != pushed());
        let refused = check(&rules, &asked);
        let immutable = refused.iter().filter(|refusal| refusal.rule.ends_with(".immutable"));
        prop_assert!(is_moved || immutable.count() == 0, "{refused:?}");
    }

    /// Those who delete a tag learn the same as those who push over it.
    #[test]
    fn what_is_immutable_for_one_is_so_for_all(mut asked in asked(), rules in rules()) {
        asked.existing = Some(Digest::sha256(b"old"));
        let refused = check(&rules, &asked);
        let blocking = refused.iter().filter(|refusal| refusal.is_blocking());
        let names = blocking.filter_map(|refusal| refusal.rule.strip_suffix(".immutable"));
        let names: Vec<&str> = names.collect();
        let governance = governance(&document(&rules));
        let repository = repository();
        let by: Vec<&str> = governance.tags.immutable_by(&repository, &asked.tag).collect();
        prop_assert_eq!(names, by);
    }

    /// What a refusal tells to do is not refused in turn.
    #[test]
    fn the_tag_that_is_told_has_the_shape_that_is_asked_for(mut asked in asked()) {
        let shapes = [(3, true)];
        for refusal in check(&shapes, &asked) {
            let told = refusal.fix.split('`').nth(1).expect("a tag in the fix").to_owned();
            asked.tag = stored(&told).expect("a tag");
            prop_assert_eq!(check(&shapes, &asked), Vec::new());
        }
    }

    #[test]
    fn what_is_about_other_manifests_is_under_no_rule(
        mut asked in asked(), rules in rules(), kind in "(sig|att|sbom)",
    ) {
        let hex = Digest::sha256(b"any").to_string().replacen(':', "-", 1);
        asked.tag = format!("{hex}.{kind}").parse().expect("a tag");
        prop_assert_eq!(check(&rules, &asked), Vec::new());
    }

    /// Whoever signs, looks or scans can always go on; a pull is decided by its gates alone.
    #[test]
    fn only_pulls_are_ever_refused(
        severity in prop::sample::select(Severity::ALL.to_vec()),
        state in 0..3_u8,
        waits in any::<bool>(),
    ) {
        let mut facts = image();
        facts.manifest.vulnerabilities = match state {
            0 => Known::Known(vec![vulnerability("C-1", severity)]),
            1 => Known::Absent("it is absent".to_owned()),
            _ => Known::Waiting("something".to_owned()),
        };
        let waiting = if waits { "allow" } else { "deny" };
        let governance = governance(&format!(
            "[gates.p.vulnerabilities]\n[[pulls]]\nname = \"p\"\nrepositories = [\"**\"]\n\
             gates = [\"p\"]\nwhile_waiting = \"{waiting}\"\n"
        ));
        let exempt = [
            Purpose::Lookup, Purpose::Attached, Purpose::Referrers, Purpose::Inspection,
        ];
        for purpose in exempt {
            let decision = governance.decide_pull(&facts, purpose, now());
            prop_assert_eq!(decision.effect, Effect::Allow);
        }
        let decision = governance.decide_pull(&facts, Purpose::Pull { tag: None }, now());
        match state {
            0 => prop_assert_ne!(decision.effect, Effect::Wait),
            1 => prop_assert_eq!(decision.effect, Effect::Deny),
            _ => prop_assert_eq!(decision.effect == Effect::Allow, waits),
        }
        prop_assert!(decision.blocking().all(|outcome| outcome.fix.is_some()));
    }
}
