//! What is true of every decision, whatever the facts.

use std::collections::BTreeMap;

use plura_policy::{
    Severity,
    facts::{
        AdvisoryFacts, BaseFacts, CheckState, ConfigurationFacts, ImageFacts, Known, ManifestFacts,
        SbomFacts,
    },
    gate::{Effect, GateDecision, Mode, Outcome},
};
use proptest::prelude::*;

use crate::given::{
    approval, check, excepted, governance, hours_ago, image, in_hours, now, provenance, signature,
    stable, vulnerability,
};

/// Gates with settings that let some of the facts below through, and not others.
const GATES: [&str; 13] = [
    "signature = {}",
    "provenance = { builders = [\"https://github.com/*\"] }",
    "sbom = {}",
    "vulnerabilities = { grace = { high = \"3d\" } }",
    "base_image = { signed = true, max_age = \"9d\" }",
    "labels = { required = [\"a\"] }",
    "non_root = {}",
    "secrets = {}",
    "age = { max = \"2d\", min = \"2h\" }",
    "advisories = { newest_within = \"1d\" }",
    "approvals = { required = 2 }",
    "checks = { required = [\"smoke\"] }",
    "predicates.p = { expression = \"vulnerabilities.all(v, v.fixed_in != null) && user != ''\" }",
];

fn document(gates: &[usize], mode: Mode) -> String {
    let mut parts = vec!["[base_images.b]\nnames = [\"gcr.io/*\"]\n".to_owned()];
    for gate in gates {
        let (key, settings) = GATES[*gate].split_once(" = {").expect("a table");
        let separator = if settings == "}" { "" } else { "," };
        parts.push(format!("[gates.g{gate}]\n{key} = {{ mode = \"{mode}\"{separator}{settings}\n"));
    }
    let names: Vec<String> = gates.iter().map(|gate| format!("\"g{gate}\"")).collect();
    parts.push(format!("[[channels]]\nname = \"prod\"\ngates = [{}]\n", names.join(", ")));
    parts.concat()
}

fn known<T: Clone + std::fmt::Debug + 'static>(
    what: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Known<T>> {
    prop_oneof![
        4 => what.prop_map(Known::Known),
        1 => Just(Known::Absent("it is absent".to_owned())),
        1 => Just(Known::Waiting("something".to_owned())),
    ]
    .boxed()
}

fn manifest() -> impl Strategy<Value = ManifestFacts> {
    let severity = prop::sample::select(Severity::ALL.to_vec());
    let found = (severity, 0..4_u8).prop_map(|(severity, kind)| match kind {
        0 => vulnerability("C-1", severity),
        1 => excepted("C-2", severity, Some(in_hours(5))),
        2 => excepted("C-3", severity, Some(hours_ago(5))),
        _ => {
            let mut one = vulnerability("C-4", severity);
            one.fixed_in = None;
            one.first_seen = hours_ago(500);
            one
        }
    });
    let configuration =
        (any::<bool>(), any::<bool>(), 0..200_i64).prop_map(|(root, label, hours)| {
            let user = if root { "root" } else { "app" }.to_owned();
            let labels = label.then(|| ("a".to_owned(), "1".to_owned())).into_iter().collect();
            ConfigurationFacts { user, is_root: root, labels, created: Some(hours_ago(hours)) }
        });
    let base = (any::<bool>(), any::<bool>(), 0..400_i64).prop_map(|(named, verified, hours)| {
        let name = if named { "gcr.io/x" } else { "other" }.to_owned();
        let created = Some(hours_ago(hours));
        BaseFacts { name: Some(name), digest: None, matched: true, verified, created, newer: None }
    });
    let secrets = prop::collection::btree_map("[a-z]{1,3}", 0..3_u32, 0..3);
    let statements = prop::collection::vec(any::<bool>(), 0..3);
    (
        known(statements.clone().prop_map(|all| {
            all.into_iter().map(|verified| signature("releases", verified)).collect::<Vec<_>>()
        })),
        known(statements.clone().prop_map(|all| {
            let one = |verified| {
                let mut one = provenance();
                one.verified = verified;
                one
            };
            all.into_iter().map(one).collect::<Vec<_>>()
        })),
        known(statements.prop_map(|all| {
            let one = |verified| SbomFacts { format: "spdx".into(), verified };
            all.into_iter().map(one).collect::<Vec<_>>()
        })),
        known(prop::collection::vec(found, 0..4)),
        known(base),
        known(configuration),
        known(secrets),
    )
        .prop_map(
            |(signatures, provenance, sboms, vulnerabilities, base, configuration, secrets)| {
                ManifestFacts {
                    digest: plura_oci::Digest::sha256(b"any"),
                    platform: None,
                    annotations: BTreeMap::new(),
                    signatures,
                    provenance,
                    sboms,
                    vulnerabilities,
                    base,
                    configuration,
                    secrets,
                }
            },
        )
}

fn facts() -> impl Strategy<Value = ImageFacts> {
    let platforms = prop::option::of(prop::collection::vec(manifest(), 0..3));
    let state =
        prop::sample::select(vec![CheckState::Success, CheckState::Failure, CheckState::Pending]);
    let advisories = known((0..48_i64).prop_map(|hours| AdvisoryFacts {
        newest: hours_ago(hours),
        compared_at: hours_ago(hours / 2),
    }));
    let approvals = prop::collection::vec("(alice|bob|robot\\+apps\\+ci)", 0..4);
    (manifest(), platforms, advisories, approvals, prop::option::of(state), 0..100_i64).prop_map(
        |(manifest, platforms, advisories, approvals, state, pushed)| {
            let approvals = approvals.iter().map(|by| approval(by, 1)).collect();
            let checks = state.into_iter().map(|state| check("smoke", state, 1)).collect();
            let pushed_at = hours_ago(pushed);
            ImageFacts { manifest, platforms, advisories, approvals, checks, pushed_at, ..image() }
        },
    )
}

fn gates() -> impl Strategy<Value = Vec<usize>> {
    prop::sample::subsequence((0..GATES.len()).collect::<Vec<_>>(), 0..=GATES.len())
}

fn decide(gates: &[usize], mode: Mode, facts: &ImageFacts) -> GateDecision {
    governance(&document(gates, mode)).decide(facts, &stable(), now()).expect("a decision")
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let effects = prop::sample::select(vec![Effect::Allow, Effect::Wait, Effect::Deny]);
    let modes = prop::sample::select(vec![Mode::Enforce, Mode::Warn]);
    (effects, modes).prop_map(|(effect, mode)| Outcome {
        gate: "any".into(),
        rule: "any".into(),
        effect,
        mode,
        platform: None,
        observed: String::new(),
        required: String::new(),
        fix: None,
        until: None,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn another_outcome_never_makes_a_decision_laxer(
        outcomes in prop::collection::vec(outcome(), 0..6),
        more in outcome(),
    ) {
        let before = GateDecision::effect_of(&outcomes);
        let with = [outcomes, vec![more.clone()]].concat();
        let after = GateDecision::effect_of(&with);
        prop_assert!(after >= before);
        prop_assert!(more.mode == Mode::Enforce || after == before);
    }

    #[test]
    fn another_gate_never_makes_a_decision_laxer(
        facts in facts(), some in gates(), more in gates(),
    ) {
        let mut all: Vec<usize> = some.iter().chain(&more).copied().collect();
        all.sort_unstable();
        all.dedup();
        let before = decide(&some, Mode::Enforce, &facts);
        let after = decide(&all, Mode::Enforce, &facts);
        prop_assert!(after.effect >= before.effect, "{before}\n{after}");
        for outcome in &before.outcomes {
            prop_assert!(after.outcomes.contains(outcome), "{outcome} in\n{after}");
        }
    }

    #[test]
    fn a_warning_never_decides(facts in facts(), gates in gates()) {
        let warned = decide(&gates, Mode::Warn, &facts);
        prop_assert_eq!(warned.effect, Effect::Allow, "{}", warned);
        let enforced = decide(&gates, Mode::Enforce, &facts);
        let effects = |decision: &GateDecision| {
            decision.outcomes.iter().map(|outcome| outcome.effect).collect::<Vec<_>>()
        };
        prop_assert_eq!(effects(&warned), effects(&enforced), "both modes see the same");
    }

    #[test]
    fn a_decision_is_a_function_of_what_it_is_made_from(facts in facts(), gates in gates()) {
        let decision = decide(&gates, Mode::Enforce, &facts);
        prop_assert_eq!(&decision, &decide(&gates, Mode::Enforce, &facts));
        // Also of facts that were stored meanwhile, and it can be stored itself.
        let stored: ImageFacts = serde_json::from_str(&serde_json::to_string(&facts).unwrap()).unwrap();
        prop_assert_eq!(&stored, &facts);
        prop_assert_eq!(&decision, &decide(&gates, Mode::Enforce, &stored));
        let read: GateDecision =
            serde_json::from_str(&serde_json::to_string(&decision).unwrap()).unwrap();
        prop_assert_eq!(&read, &decision);
    }

    #[test]
    fn every_gate_that_is_in_the_way_says_what_to_do(facts in facts(), gates in gates()) {
        let decision = decide(&gates, Mode::Enforce, &facts);
        for outcome in &decision.outcomes {
            prop_assert_eq!(outcome.fix.is_some(), outcome.effect != Effect::Allow, "{}", outcome);
            prop_assert!(!outcome.observed.is_empty() && !outcome.required.is_empty());
            prop_assert!(outcome.until.is_none_or(|until| until > now()), "{}", outcome);
        }
    }

    /// Until then nothing changes by itself.
    #[test]
    fn a_decision_holds_until_it_says(facts in facts(), gates in gates(), hours in 1..2_000_i64) {
        let governance = governance(&document(&gates, Mode::Enforce));
        let decision = governance.decide(&facts, &stable(), now()).unwrap();
        let later = in_hours(hours);
        prop_assume!(decision.until.is_none_or(|until| later < until));
        let again = governance.decide(&facts, &stable(), later).unwrap();
        // A refusal may be worded by the time that passed; the answers stay.
        let effects = |decision: &GateDecision| {
            decision.outcomes.iter().map(|outcome| outcome.effect).collect::<Vec<_>>()
        };
        // What stands in the way now says nothing of what will stand in the way as well.
        for (before, after) in effects(&decision).into_iter().zip(effects(&again)) {
            prop_assert!(before == after, "{}\n{}", decision, again);
        }
    }
}
