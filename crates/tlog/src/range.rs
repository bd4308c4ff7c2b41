//! Which nodes of the tree a proof is made of, by RFC 6962, section 2.1: pure arithmetic.

use crate::{Hash, hash::EMPTY_ROOT, node_hash};

/// The entries from `start` up to `end`, whose part of the tree is a node: `start` is a multiple of the
/// smallest power of two that is not below the length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// A node whose part of the tree is whole: the hash of `2^height` entries from `index << height`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WholeNode {
    pub(crate) height: u8,
    pub(crate) index: u64,
}

impl Range {
    fn len(self) -> u64 {
        self.end - self.start
    }

    /// The two parts of which the node is made; nothing for a single entry.
    fn halves(self) -> Option<(Self, Self)> {
        let length = self.len();
        if length < 2 {
            return None;
        }
        // The largest power of two that is below the length.
        let middle = self.start + (1 << (length - 1).ilog2());
        Some((Self { end: middle, ..self }, Self { start: middle, ..self }))
    }

    /// The whole nodes that the node is made of, from the left, each smaller than the one before.
    pub(crate) fn whole_nodes(self) -> Vec<WholeNode> {
        let mut nodes = Vec::new();
        let mut start = self.start;
        let mut length = self.len();
        while length > 0 {
            let height = length.ilog2();
            #[expect(clippy::cast_possible_truncation, reason = "a u64 has 64 bits")]
            nodes.push(WholeNode { height: height as u8, index: start >> height });
            start += 1 << height;
            length -= 1 << height;
        }
        nodes
    }
}

/// The nodes of an inclusion proof, from the entry's neighbour to the root's child. The index is below
/// the size.
pub(crate) fn inclusion(index: u64, size: u64) -> Vec<Range> {
    let mut ranges = Vec::new();
    let mut here = Range { start: 0, end: size };
    while let Some((left, right)) = here.halves() {
        let (within, sibling) = if index < left.end { (left, right) } else { (right, left) };
        ranges.push(sibling);
        here = within;
    }
    ranges.reverse();
    ranges
}

/// The nodes of a consistency proof: section 2.1.2. Both trees have entries, the old one not more.
pub(crate) fn consistency(old: u64, new: u64) -> Vec<Range> {
    let mut ranges = Vec::new();
    let mut here = Range { start: 0, end: new };
    // As long as it was never turned right, what is here is a whole tree that the verifier knows.
    let mut known = true;
    while here.end != old {
        let Some((left, right)) = here.halves() else { break };
        if old <= left.end {
            ranges.push(right);
            here = left;
        } else {
            ranges.push(left);
            here = right;
            known = false;
        }
    }
    if !known {
        ranges.push(here);
    }
    ranges.reverse();
    ranges
}

/// The root over these hashes, however many.
pub(crate) fn root(hashes: &[Hash]) -> Hash {
    fold(&mut subtrees(hashes))
}

/// The roots of the whole parts that the hashes have, from the left.
pub(crate) fn subtrees(hashes: &[Hash]) -> Vec<Hash> {
    let mut roots: Vec<(u32, Hash)> = Vec::new();
    for hash in hashes {
        let (mut height, mut node) = (0, *hash);
        while let Some((_, left)) = roots.pop_if(|(other, _)| *other == height) {
            node = node_hash(&left, &node);
            height += 1;
        }
        roots.push((height, node));
    }
    roots.into_iter().map(|(_, root)| root).collect()
}

/// The root of a tree whose whole parts have these roots, from the left.
pub(crate) fn fold(roots: &mut Vec<Hash>) -> Hash {
    let Some(mut root) = roots.pop() else { return EMPTY_ROOT };
    while let Some(left) = roots.pop() {
        root = node_hash(&left, &root);
    }
    root
}
