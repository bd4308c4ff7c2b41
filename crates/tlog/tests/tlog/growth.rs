//! A log that grows is the tree of all its entries, however they were added.

use plura_tlog::{
    EntryError, Error, Frontier, MAX_ENTRY, Resource, consistency, inclusion, verify_log,
};
use proptest::prelude::*;

use crate::logs::{Log, Store, entries, leaves, path, proof, tree};

#[test]
fn every_size_has_the_root_and_the_tiles_of_its_entries() {
    let all = leaves(1100);
    let mut log = Log::default();
    for size in 1..=1100 {
        log.append(&entries(size - 1..size));
        let root = log.frontier.root();
        assert_eq!(root, tree(&all[..usize::try_from(size).expect("small")]), "{size}");
        for resource in Resource::all(size) {
            assert!(log.store.contains_key(&resource), "{resource} of {size}");
        }
        if size % 97 == 0 || [255, 256, 257, 511, 512, 513].contains(&size) {
            let loaded = Frontier::load(&log.store, size, &root).expect("a frontier");
            assert_eq!(loaded, log.frontier, "{size}");
            verify_log(&log.store, size, &root).expect("a whole log");
        }
    }
}

#[test]
fn a_log_of_70_000_entries_needs_only_its_last_partial_tiles() {
    let log = Log::of(70_000);
    let needed: Vec<_> = Resource::all(70_000).collect();
    assert_eq!(log.store.keys().copied().collect::<Vec<_>>(), needed);
    let root = log.frontier.root();
    verify_log(&log.store, 70_000, &root).expect("a whole log");
    let proof = inclusion(&log.store, 65_536, 70_000).expect("a proof");
    assert!(proof.verify(&leaves(65_537)[65_536], &root));
}

#[test]
fn partial_tiles_may_be_forgotten_once_they_are_full() {
    let mut log = Log::of(300);
    let old = log.frontier.root();
    log.append(&entries(300..70_000));
    let full: Store =
        log.store.into_iter().filter(|(resource, _)| !resource.is_partial()).collect();
    let loaded = Frontier::load(&full, 300, &old).expect("a frontier");
    assert_eq!(loaded, Log::of(300).frontier);
    verify_log(&full, 300, &old).expect("a whole log");
    let missing = verify_log(&full, 65_536, &Log::of(65_536).frontier.root());
    assert!(matches!(missing, Err(Error::Damaged { .. })), "a tile of level 2 was never full");
    let proof = inclusion(&full, 299, 300).expect("level 0 is there");
    assert!(proof.verify(&leaves(300)[299], &old));
}

#[test]
fn an_entry_that_is_too_long_leaves_the_log_as_it_was() {
    let log = Log::of(3);
    let error = log.frontier.append(&[vec![0; MAX_ENTRY], vec![0; MAX_ENTRY + 1]]);
    assert!(matches!(error, Err(Error::Entry(EntryError::TooLarge(_)))));
    assert_eq!(log.frontier.size(), 3);
    assert_eq!(log.frontier.append::<&[u8]>(&[]).expect("nothing").1, []);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn entries_may_come_in_any_batches(sizes in prop::collection::vec(0_u64..400, 1..6)) {
        let mut log = Log::default();
        let mut size = 0;
        for batch in sizes {
            log.append(&entries(size..size + batch));
            size += batch;
            let root = log.frontier.root();
            prop_assert_eq!(root, tree(&leaves(size)));
            prop_assert!(verify_log(&log.store, size, &root).is_ok());
            let loaded = Frontier::load(&log.store, size, &root).expect("a frontier");
            prop_assert_eq!(&loaded, &log.frontier);
        }
    }

    #[test]
    fn proofs_are_those_of_the_whole_tree(
        size in 1_u64..1100,
        index: prop::sample::Index,
        old: prop::sample::Index,
    ) {
        let log = Log::of(size);
        let all = leaves(size);
        let root = tree(&all);
        let here = index.index(all.len());
        let made = inclusion(&log.store, here as u64, size).expect("a proof");
        prop_assert_eq!(&made.path, &path(here, &all));
        prop_assert!(made.verify(&all[here], &root));
        let old = old.index(all.len()) + 1;
        let made = consistency(&log.store, old as u64, size).expect("a proof");
        prop_assert_eq!(&made.path, &proof(old, &all, true));
        prop_assert!(made.verify(&tree(&all[..old]), &root));
    }
}
