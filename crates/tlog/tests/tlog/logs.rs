//! Logs in memory, and the tree as the RFC defines it.

use std::collections::BTreeMap;

use plura_tlog::{EMPTY_ROOT, Frontier, Hash, Resource, leaf_hash, node_hash};

/// Where a log is kept.
pub(crate) type Store = BTreeMap<Resource, Vec<u8>>;

/// A log and all that was ever written for it.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) frontier: Frontier,
    pub(crate) store: Store,
}

impl Log {
    /// Resources never change: whatever is written twice is the same.
    pub(crate) fn append<E: AsRef<[u8]>>(&mut self, entries: &[E]) {
        let (next, writes) = self.frontier.append(entries).expect("entries are short");
        for write in writes {
            let before = self.store.insert(write.resource, write.bytes.clone());
            assert!(before.is_none_or(|old| old == write.bytes), "{} changed", write.resource);
        }
        self.frontier = next;
    }

    pub(crate) fn of(size: u64) -> Self {
        let mut log = Self::default();
        log.append(&entries(0..size));
        log
    }
}

pub(crate) fn entries(numbers: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    numbers.map(entry).collect()
}

/// Entries are of many lengths, the first of none.
pub(crate) fn entry(number: u64) -> Vec<u8> {
    let text = number.to_string().repeat(usize::try_from(number % 5).expect("small"));
    text.into_bytes()
}

pub(crate) fn leaves(size: u64) -> Vec<Hash> {
    (0..size).map(|number| leaf_hash(&entry(number))).collect()
}

fn split(length: usize) -> usize {
    length.next_power_of_two() / 2
}

/// MTH of RFC 6962, section 2.1.
pub(crate) fn tree(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => EMPTY_ROOT,
        [one] => *one,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&tree(left), &tree(right))
        }
    }
}

/// PATH of section 2.1.1.
pub(crate) fn path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut nodes, sibling) = if index < left.len() {
        (path(index, left), tree(right))
    } else {
        (path(index - left.len(), right), tree(left))
    };
    nodes.push(sibling);
    nodes
}

/// PROOF of section 2.1.2.
pub(crate) fn proof(old: usize, leaves: &[Hash], known: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if known { Vec::new() } else { vec![tree(leaves)] };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut nodes, sibling) = if old <= left.len() {
        (proof(old, left, known), tree(right))
    } else {
        (proof(old - left.len(), right, false), tree(left))
    };
    nodes.push(sibling);
    nodes
}
