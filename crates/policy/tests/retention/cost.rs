//! What it costs to plan for a large repository.

use std::time::{Duration, Instant};

use plura_oci::{AttachmentKind, Digest, Tag};
use plura_policy::retention::{
    Inventory, RetentionDocument, RetentionRules, Roots, TagFacts, plan,
};

use crate::repository::{NOW, days_ago, facts, tag};

/// Builds, each signed under a tag of its own.
const IMAGES: i64 = 50_000;
const MOST_TIME: Duration = Duration::from_secs(5);
const MOST_MEMORY: u64 = 200 << 20;

fn inventory() -> Inventory {
    let mut inventory = Inventory::new("apps/search".parse().expect("a name"));
    for number in 0..IMAGES {
        let (image, signature) = (format!("image {number}"), format!("signature {number}"));
        let digest = Digest::sha256(image.as_bytes());
        let text =
            if number % 2 == 0 { format!("branch-{number}") } else { format!("v1.{number}.0") };
        let attached = Tag::of_attachment(&digest, AttachmentKind::Signatures).expect("a tag");
        for (text, name) in [(tag(&text), &image), (attached, &signature)] {
            inventory.add_manifest(facts(name, number % 400));
            inventory.add_tag(TagFacts {
                tag: text,
                digest: Digest::sha256(name.as_bytes()),
                tagged_at: days_ago(number % 400),
                pulled_at: None,
                immutable: false,
            });
        }
    }
    inventory
}

/// The most memory that the process ever had; the kernel knows.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("the kernel tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes * 1024
}

#[test]
fn a_hundred_thousand_tags_are_planned_in_seconds() {
    let rules = RetentionRules::new(&RetentionDocument::recommended()).expect("rules");
    let before = peak();
    let start = Instant::now();
    let plan = plan(&rules, &inventory(), &Roots::default(), NOW);
    let (time, memory) = (start.elapsed(), peak() - before);
    assert_eq!(plan.deleted.tags + plan.kept.total.tags, 100_000);
    assert!(plan.deleted.manifests > 40_000, "{:?}", plan.deleted);
    assert!(time < MOST_TIME, "{time:?}");
    assert!(memory < MOST_MEMORY, "{} MiB", memory >> 20);
}
