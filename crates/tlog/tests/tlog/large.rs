//! Logs larger than any machine: all their entries are the same, so that a tile follows from its level.

use std::cell::RefCell;
use std::collections::BTreeSet;

use plura_tlog::{
    EMPTY_ROOT, Frontier, Hash, Resource, Source, SourceError, Tile, consistency,
    consistency_resources, inclusion, inclusion_resources, leaf_hash, node_hash,
};
use proptest::prelude::*;

/// A log of that size. It remembers what was read of it.
#[derive(Default)]
struct Monotonous {
    read: RefCell<BTreeSet<Resource>>,
}

/// The root over `2^height` entries.
fn whole(height: u32) -> Hash {
    (0..height).fold(leaf_hash(b"x"), |node, _| node_hash(&node, &node))
}

fn root(size: u64) -> Hash {
    let heights = (0..64).filter(|height| size >> height & 1 == 1).map(whole);
    heights.reduce(|right, left| node_hash(&left, &right)).unwrap_or(EMPTY_ROOT)
}

impl Source for Monotonous {
    fn read(&self, resource: &Resource) -> Result<Option<Vec<u8>>, SourceError> {
        self.read.borrow_mut().insert(*resource);
        Ok(Some(match resource {
            Resource::Entries { width, .. } => [0, 1, b'x'].repeat(usize::from(*width)),
            Resource::Hashes { level, width, .. } => {
                whole(8 * u32::from(*level)).as_bytes().repeat(usize::from(*width))
            }
        }))
    }
}

fn sizes() -> impl Strategy<Value = u64> {
    let near = |height: u32| (1_u64 << height).saturating_sub(2)..=(1_u64 << height) + 2;
    prop_oneof![1_u64..=u64::MAX, (1_u32..63).prop_flat_map(near), Just(u64::MAX)]
        .prop_filter("has entries", |size| *size > 0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_entry_of_any_log_is_proved(size in sizes(), index: u64) {
        let (log, index) = (Monotonous::default(), index % size);
        let proof = inclusion(&log, index, size).expect("a proof");
        prop_assert!(proof.verify(&leaf_hash(b"x"), &root(size)));
        prop_assert_eq!(log.read.take(), inclusion_resources(index, size));
        let mut other = proof.clone();
        other.path.push(EMPTY_ROOT);
        prop_assert!(!other.verify(&leaf_hash(b"x"), &root(size)));
        if let Some(node) = other.path.first_mut() {
            *node = EMPTY_ROOT;
            other.path.truncate(proof.path.len());
            prop_assert!(proof.path.is_empty() || !other.verify(&leaf_hash(b"x"), &root(size)));
        }
    }

    #[test]
    fn any_log_continues_any_shorter_one(new in sizes(), old: u64) {
        let (log, old) = (Monotonous::default(), old % new);
        let proof = consistency(&log, old, new).expect("a proof");
        prop_assert!(proof.verify(&root(old), &root(new)));
        prop_assert_eq!(log.read.take(), consistency_resources(old, new));
        // Everything continues nothing.
        prop_assert!(old == 0 || !proof.verify(&root(old), &root(new - 1)));
        prop_assert!(!proof.verify(&leaf_hash(b"y"), &root(new)));
    }

    #[test]
    fn any_log_goes_on(size in sizes()) {
        let log = Monotonous::default();
        let frontier = Frontier::load(&log, size, &root(size)).expect("a frontier");
        match frontier.append(&["x"]) {
            Ok((next, writes)) => {
                prop_assert_eq!(next.root(), root(size + 1));
                for write in writes {
                    let expected = log.read(&write.resource).expect("always");
                    prop_assert!(write.resource.is_within(size + 1), "{}", write.resource);
                    prop_assert_eq!(Some(write.bytes), expected, "{}", write.resource);
                }
            }
            Err(error) => prop_assert_eq!((size, error.to_string()), (u64::MAX, "the log is full".into())),
        }
    }
}

#[test]
fn a_tile_of_the_last_level_is_the_root_of_all() {
    let tile = Tile::from_bytes(&whole(0).as_bytes().repeat(256)).expect("a tile");
    assert_eq!(tile.root(), whole(8));
}
