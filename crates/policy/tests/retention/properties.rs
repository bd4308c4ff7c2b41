//! What holds for all rules and all repositories.

use std::collections::{BTreeMap, BTreeSet};

use plura_oci::{Digest, Tag};
use plura_policy::retention::{
    ChannelWindow, ExpireRule, History, Inventory, KeepRule, ManifestFacts, Object, Order, Plan,
    RetentionDocument, RetentionRules, Root, RootKind, Roots, TagFacts, plan,
};
use proptest::prelude::*;

use crate::repository::{NOW, attachment, days_ago, digest, tag};

const COUNT: usize = 14;

fn name(number: usize) -> String {
    format!("manifest {number}")
}

/// Subjects and children have lower numbers: nothing can contain its own digest.
fn manifests() -> impl Strategy<Value = Vec<ManifestFacts>> {
    let one = (
        0_i64..20,
        prop::option::of(0_i64..20),
        prop::option::of(0_i64..20),
        prop::option::weighted(0.4, 0..COUNT),
        prop::collection::vec(0..COUNT, 0..3),
    );
    prop::collection::vec(one, 1..COUNT).prop_map(|all| {
        let facts = all.into_iter().enumerate().map(
            |(number, (pushed, pulled, untagged, subject, children))| {
                let lower = |other: usize| (other < number).then(|| digest(&name(other)));
                ManifestFacts {
                    digest: digest(&name(number)),
                    bytes: 1 << number,
                    pushed_at: days_ago(pushed),
                    pulled_at: pulled.map(days_ago),
                    untagged_at: untagged.map(days_ago),
                    subject: subject.and_then(lower),
                    children: children.into_iter().filter_map(lower).collect(),
                }
            },
        );
        facts.collect()
    })
}

fn tags() -> impl Strategy<Value = Vec<TagFacts>> {
    let text = prop_oneof![
        3 => "(v1\\.[0-9]\\.[0-9]|main|branch-[ab]|dev)",
        1 => (0..COUNT).prop_map(|number| attachment(&name(number))),
        1 => (0..COUNT).prop_map(|number| Tag::of_referrers(&digest(&name(number))).to_string()),
    ];
    let one = (text, 0..COUNT, 0_i64..20, prop::option::of(0_i64..20), any::<bool>());
    prop::collection::vec(one, 0..12).prop_map(|all| {
        let facts = all.into_iter().map(|(text, target, tagged, pulled, immutable)| TagFacts {
            tag: tag(&text),
            digest: digest(&name(target)),
            tagged_at: days_ago(tagged),
            pulled_at: pulled.map(days_ago),
            immutable,
        });
        facts.collect()
    })
}

fn inventory() -> impl Strategy<Value = Inventory> {
    (manifests(), tags()).prop_map(|(manifests, tags)| {
        let mut inventory = Inventory::new("apps/search".parse().expect("a name"));
        for manifest in manifests {
            inventory.add_manifest(manifest);
        }
        for tag in tags {
            inventory.add_tag(tag);
        }
        inventory
    })
}

fn patterns() -> impl Strategy<Value = Vec<String>> {
    let one = prop::sample::select(vec!["*", "v*", "v1.1.*", "branch-*", "main", "*a*"]);
    prop::collection::vec(one.prop_map(str::to_owned), 1..3)
}

fn keep() -> impl Strategy<Value = KeepRule> {
    let order = prop::sample::select(vec![
        None,
        Some(Order::Version),
        Some(Order::Pushed),
        Some(Order::Pulled),
        Some(Order::Active),
    ]);
    (patterns(), any::<bool>(), 0..5, 1_u32..20, order).prop_map(
        |(tags, untagged, condition, number, order)| {
            let days = |this: i32| (condition == this).then(|| format!("{number}d"));
            KeepRule {
                tags,
                untagged,
                newest: (condition == 0).then_some(number % 4 + 1),
                order: order.filter(|_| condition == 0),
                pushed_within: days(1),
                pulled_within: days(2),
                active_within: days(3),
                ..KeepRule::default()
            }
        },
    )
}

fn expire() -> impl Strategy<Value = ExpireRule> {
    (patterns(), any::<bool>(), 0..4, 1_u32..20).prop_map(|(tags, untagged, condition, number)| {
        let days = |these: [i32; 2]| these.contains(&condition).then(|| format!("{number}d"));
        ExpireRule {
            tags,
            untagged,
            older_than: days([1, 3]),
            idle: days([2, 3]),
            unless_kept: condition == 0,
            ..ExpireRule::default()
        }
    })
}

fn document() -> impl Strategy<Value = RetentionDocument> {
    let rules = (prop::collection::vec(keep(), 0..3), prop::collection::vec(expire(), 0..4));
    rules.prop_map(|(mut keep, mut expire)| {
        let window = ChannelWindow { channel: "prod".to_owned(), window: "10d".to_owned() };
        keep.iter_mut().enumerate().for_each(|(at, rule)| rule.name = format!("keep-{at}"));
        expire.iter_mut().enumerate().for_each(|(at, rule)| rule.name = format!("expire-{at}"));
        RetentionDocument { channels: vec![window], keep, expire }
    })
}

fn roots() -> impl Strategy<Value = Roots> {
    let history = (0..COUNT, prop::option::of(0_i64..20)).prop_map(|(number, until)| History {
        channel: "prod:stable".to_owned(),
        digest: digest(&name(number)),
        until: until.map(days_ago),
    });
    let kind = prop::sample::select(vec![RootKind::Running, RootKind::Hold, RootKind::Rollback]);
    let needed = (0..COUNT, kind).prop_map(|(number, kind)| Root {
        digest: digest(&name(number)),
        kind,
        detail: String::new(),
    });
    (prop::collection::vec(history, 0..2), prop::collection::vec(needed, 0..2))
        .prop_map(|(history, needed)| Roots { history, needed })
}

fn planned(document: &RetentionDocument, inventory: &Inventory, roots: &Roots) -> Plan {
    plan(&RetentionRules::new(document).expect("rules"), inventory, roots, NOW)
}

fn objects(plan: &Plan) -> BTreeSet<Object> {
    plan.delete.iter().map(|deletion| deletion.object.clone()).collect()
}

fn gone(plan: &Plan) -> BTreeSet<Digest> {
    let gone = plan.delete.iter().filter_map(|deletion| match deletion.object {
        Object::Manifest { digest } => Some(digest),
        Object::Tag { .. } => None,
    });
    gone.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn another_keep_rule_or_need_never_deletes_more(
        document in document(),
        more in keep(),
        inventory in inventory(),
        roots in roots(),
        need in 0..COUNT,
    ) {
        let before = objects(&planned(&document, &inventory, &roots));
        let mut kept = document.clone();
        kept.keep.push(KeepRule { name: "more".to_owned(), ..more });
        prop_assert!(objects(&planned(&kept, &inventory, &roots)).is_subset(&before));
        let mut needed = roots.clone();
        needed.needed.push(Root {
            digest: digest(&name(need)),
            kind: RootKind::Hold,
            detail: String::new(),
        });
        prop_assert!(objects(&planned(&document, &inventory, &needed)).is_subset(&before));
    }

    #[test]
    fn what_goes_and_what_stays_is_everything(
        document in document(),
        inventory in inventory(),
        roots in roots(),
    ) {
        let plan = planned(&document, &inventory, &roots);
        let goes = objects(&plan);
        prop_assert_eq!(goes.len(), plan.delete.len(), "nothing goes twice");
        let (deleted, kept) = (&plan.deleted, &plan.kept.total);
        prop_assert_eq!(deleted.tags + kept.tags, inventory.tags().count() as u64);
        prop_assert_eq!(deleted.manifests + kept.manifests, inventory.manifests().count() as u64);
        let all: u64 = inventory.manifests().map(|manifest| manifest.bytes).sum();
        prop_assert_eq!(deleted.bytes + kept.bytes, all);
        prop_assert_eq!(plan.kept.because.values().sum::<u64>(), kept.tags + kept.manifests);
        let names: BTreeSet<_> = document.expire.iter().map(|rule| &rule.name).collect();
        prop_assert!(plan.delete.iter().all(|deletion| names.contains(&deletion.rule)));
    }

    #[test]
    fn nothing_that_is_needed_is_in_a_plan(
        document in document(),
        inventory in inventory(),
        roots in roots(),
    ) {
        let plan = planned(&document, &inventory, &roots);
        let mut needed: BTreeSet<_> = roots.needed.iter().map(|root| root.digest).collect();
        let within = roots.history.iter().filter(|h| h.until.is_none_or(|until| until >= days_ago(10)));
        needed.extend(within.map(|history| history.digest));
        for deletion in &plan.delete {
            let (Object::Tag { digest, .. } | Object::Manifest { digest }) = &deletion.object;
            prop_assert!(!needed.contains(digest), "{}", deletion.object);
        }
    }

    #[test]
    fn what_belongs_together_stays_or_goes_together(
        document in document(),
        inventory in inventory(),
        roots in roots(),
    ) {
        let plan = planned(&document, &inventory, &roots);
        let gone = gone(&plan);
        let here: BTreeSet<_> = inventory.manifests().map(|manifest| manifest.digest).collect();
        for manifest in inventory.manifests() {
            let goes = gone.contains(&manifest.digest);
            if let Some(subject) = manifest.subject.filter(|subject| here.contains(subject)) {
                prop_assert_eq!(goes, gone.contains(&subject), "a referrer and its subject");
            }
            for child in manifest.children.iter().filter(|_| !goes) {
                prop_assert!(!gone.contains(child), "a child of an index that stays");
            }
        }
        for tag in inventory.tags() {
            let object = Object::Tag { tag: tag.tag.clone(), digest: tag.digest };
            if !objects(&plan).contains(&object) && tag.tag.attachment().is_none() {
                prop_assert!(!gone.contains(&tag.digest), "what a tag that stays points at");
            }
        }
    }

    #[test]
    fn nothing_goes_before_what_it_belongs_to(
        document in document(),
        inventory in inventory(),
        roots in roots(),
    ) {
        // Circles, which no order satisfies, come by tags, and where something is about its own child.
        let plan = planned(&document, &inventory, &roots);
        let at = |wanted: &Digest| plan.delete.iter().position(|deletion| {
            deletion.object == Object::Manifest { digest: *wanted }
        });
        let by_tags = inventory.tags().any(|tag| tag.tag.as_str().starts_with("sha256-"));
        let circles = by_tags || is_circular(&inventory);
        for manifest in inventory.manifests().filter(|_| !circles) {
            let Some(here) = at(&manifest.digest) else { continue };
            if let Some(subject) = manifest.subject.as_ref().and_then(at) {
                prop_assert!(subject < here);
            }
            for child in manifest.children.iter().filter_map(at) {
                prop_assert!(here < child);
            }
        }
        let is_name = |object: &Object| {
            matches!(object, Object::Tag { tag, .. } if !tag.as_str().starts_with("sha256-"))
        };
        let names = plan.delete.iter().take_while(|deletion| is_name(&deletion.object)).count();
        prop_assert!(plan.delete[names..].iter().all(|deletion| !is_name(&deletion.object)));
    }

    #[test]
    fn the_same_is_always_planned_the_same(
        document in document(),
        manifests in manifests(),
        tags in tags(),
        roots in roots(),
    ) {
        let mut forwards = Inventory::new("apps/search".parse().expect("a name"));
        let mut backwards = forwards.clone();
        let tags: BTreeMap<_, _> =
            tags.into_iter().map(|tag| (tag.tag.clone(), tag)).collect();
        manifests.iter().cloned().for_each(|manifest| forwards.add_manifest(manifest));
        manifests.into_iter().rev().for_each(|manifest| backwards.add_manifest(manifest));
        tags.values().cloned().for_each(|tag| forwards.add_tag(tag));
        tags.into_values().rev().for_each(|tag| backwards.add_tag(tag));
        let mut reversed = roots.clone();
        reversed.needed.reverse();
        reversed.history.reverse();
        prop_assert_eq!(
            planned(&document, &forwards, &roots),
            planned(&document, &backwards, &reversed)
        );
    }

    /// What was planned is gone after it was carried out, and nothing else follows from that at once.
    #[test]
    fn a_plan_that_was_carried_out_leaves_nothing_half(
        document in document(),
        inventory in inventory(),
        roots in roots(),
    ) {
        let first = planned(&document, &inventory, &roots);
        let goes = objects(&first);
        let mut left = Inventory::new(inventory.repository().clone());
        for manifest in inventory.manifests() {
            if !goes.contains(&Object::Manifest { digest: manifest.digest }) {
                left.add_manifest(manifest.clone());
            }
        }
        for tag in inventory.tags() {
            if !goes.contains(&Object::Tag { tag: tag.tag.clone(), digest: tag.digest }) {
                left.add_tag(tag.clone());
            }
        }
        let here: BTreeSet<_> = left.manifests().map(|manifest| manifest.digest).collect();
        let before: BTreeSet<_> = inventory.manifests().map(|manifest| manifest.digest).collect();
        for manifest in left.manifests() {
            let lost = |digest: &Digest| before.contains(digest) && !here.contains(digest);
            prop_assert!(!manifest.children.iter().any(lost));
            prop_assert!(!manifest.subject.iter().any(lost));
        }
    }
}

/// Whether no order has every subject before what is about it, and every index before its children.
fn is_circular(inventory: &Inventory) -> bool {
    let mut waits: BTreeMap<Digest, BTreeSet<Digest>> = BTreeMap::new();
    for manifest in inventory.manifests() {
        waits.entry(manifest.digest).or_default().extend(manifest.subject);
        for child in &manifest.children {
            waits.entry(*child).or_default().insert(manifest.digest);
        }
    }
    loop {
        let known: BTreeSet<Digest> = waits.keys().copied().collect();
        let before = waits.len();
        waits.retain(|_, for_these| for_these.iter().any(|one| known.contains(one)));
        if waits.len() == before {
            return !waits.is_empty();
        }
    }
}
