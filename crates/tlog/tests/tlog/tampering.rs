//! Whatever is changed in a log is found, and named.

use plura_tlog::{Damage, Error, Resource, verify_log};
use proptest::prelude::*;

use crate::logs::{Log, entries};

fn damaged(log: &Log) -> Option<(String, Damage)> {
    match verify_log(&log.store, log.frontier.size(), &log.frontier.root()) {
        Ok(()) => None,
        Err(Error::Damaged { resource, damage }) => Some((resource.to_string(), damage)),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn every_byte_of_every_part_counts() {
    let mut log = Log::of(600);
    for resource in Resource::all(600) {
        let length = log.store[&resource].len();
        // Of the long ones every seventh, and all of the first two hashes or entries.
        for place in (0..length).filter(|place| *place < 64 || place % 7 == 0) {
            log.store.get_mut(&resource).expect("written")[place] ^= 1;
            let (named, damage) = damaged(&log).expect("it is found");
            assert_eq!(named, resource.to_string(), "byte {place}: {damage}");
            log.store.get_mut(&resource).expect("written")[place] ^= 1;
        }
    }
    assert_eq!(damaged(&log), None);
}

#[test]
fn what_is_missing_cut_or_longer_is_named() {
    for resource in Resource::all(600) {
        let mut log = Log::of(600);
        let bytes = log.store.remove(&resource).expect("written");
        assert_eq!(damaged(&log), Some((resource.to_string(), Damage::Missing)));
        for other in [&bytes[..bytes.len() - 1], &[bytes.as_slice(), &[0; 32]].concat(), &[]] {
            log.store.insert(resource, other.to_vec());
            let (named, damage) = damaged(&log).expect("it is found");
            assert_eq!(named, resource.to_string());
            assert!(matches!(damage, Damage::Malformed(_)), "{damage}");
        }
    }
}

#[test]
fn an_entry_that_was_exchanged_together_with_its_hashes_is_named() {
    let mut log = Log::of(600);
    let mut other = Log::default();
    let mut forged = entries(0..600);
    forged[300] = b"something else".to_vec();
    other.append(&forged);
    let bundle = Resource::entries(1, 600).expect("there is one");
    let tile = Resource::hashes(0, 1, 600).expect("there is one");
    log.store.insert(bundle, other.store[&bundle].clone());
    assert_eq!(damaged(&log), Some((bundle.to_string(), Damage::OtherEntry(300))));
    log.store.insert(tile, other.store[&tile].clone());
    assert_eq!(damaged(&log), Some((tile.to_string(), Damage::OtherPart)));
    // Somebody who wrote all of it again has another root.
    let error = verify_log(&other.store, 600, &log.frontier.root()).expect_err("another root");
    assert!(matches!(error, Error::OtherRoot { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn one_changed_byte_is_named_wherever_it_is(
        size in 1_u64..1000,
        which: prop::sample::Index,
        place: prop::sample::Index,
        bit in 0_u32..8,
    ) {
        let mut log = Log::of(size);
        let resources: Vec<_> = Resource::all(size).collect();
        let resource = *which.get(&resources);
        let bytes = log.store.get_mut(&resource).expect("written");
        let place = place.index(bytes.len());
        bytes[place] ^= 1_u8 << bit;
        let (named, _) = damaged(&log).expect("it is found");
        prop_assert_eq!(named, resource.to_string());
    }
}
