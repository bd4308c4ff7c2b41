use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    Error, Hash, Resource, Source,
    hash::{EMPTY_ROOT, node_hash},
    range::{self, Range},
    read::{self, Reader},
};

/// Proof that a log of some size has an entry: the nodes beside the way from the entry to the root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inclusion {
    /// The number of the entry, from zero.
    pub index: u64,
    /// How many entries the log has.
    pub size: u64,
    /// The nodes, from the entry's neighbour to the root's child.
    pub path: Vec<Hash>,
}

/// Proof that a log continues what it was before: nothing was changed, only added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consistency {
    /// How many entries the log had.
    pub old: u64,
    /// How many it has.
    pub new: u64,
    /// The nodes that both roots are made of.
    pub path: Vec<Hash>,
}

/// The proof of an entry. It says what the tiles say: [`Inclusion::verify`] tells whether it is true.
pub fn inclusion(source: &dyn Source, index: u64, size: u64) -> Result<Inclusion, Error> {
    if index >= size {
        return Err(Error::NoSuchEntry { index, size });
    }
    let path = nodes(source, &range::inclusion(index, size), size)?;
    Ok(Inclusion { index, size, path })
}

/// The tiles that [`inclusion`] reads.
pub fn inclusion_resources(index: u64, size: u64) -> BTreeSet<Resource> {
    if index >= size {
        return BTreeSet::new();
    }
    read::resources(&range::inclusion(index, size), size)
}

/// The proof that a log of `new` entries continues the one of `old` entries.
pub fn consistency(source: &dyn Source, old: u64, new: u64) -> Result<Consistency, Error> {
    if old > new {
        return Err(Error::Shrunk { old, new });
    }
    let path = nodes(source, &continued(old, new), new)?;
    Ok(Consistency { old, new, path })
}

/// The tiles that [`consistency`] reads.
pub fn consistency_resources(old: u64, new: u64) -> BTreeSet<Resource> {
    read::resources(&continued(old, new), new)
}

/// Everything continues nothing, and itself, without proof.
fn continued(old: u64, new: u64) -> Vec<Range> {
    if old == 0 || old >= new { Vec::new() } else { range::consistency(old, new) }
}

fn nodes(source: &dyn Source, ranges: &[Range], size: u64) -> Result<Vec<Hash>, Error> {
    let reader = Reader::new(source, size);
    ranges.iter().map(|range| reader.range(*range)).collect()
}

impl Inclusion {
    /// Whether it leads from the entry with this hash to this root.
    pub fn verify(&self, leaf: &Hash, root: &Hash) -> bool {
        let last = self.size.checked_sub(1).filter(|last| self.index <= *last);
        last.and_then(|last| root_above(*leaf, self.index, last, &self.path)) == Some(*root)
    }
}

/// The root that the path leads to from the node at that index, where `last` is the index of the last
/// node at its height; nothing if the path has another length. RFC 9162, section 2.1.3.2.
pub(crate) fn root_above(node: Hash, index: u64, last: u64, path: &[Hash]) -> Option<Hash> {
    let (mut index, mut last, mut node) = (index, last, node);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if index & 1 == 1 || index == last {
            node = node_hash(sibling, &node);
            skip_alone(&mut index, &mut last);
        } else {
            node = node_hash(&node, sibling);
        }
        index >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(node)
}

/// A node without a neighbour is what it is one level up, too.
fn skip_alone(index: &mut u64, last: &mut u64) {
    while *index & 1 == 0 && *index != 0 {
        *index >>= 1;
        *last >>= 1;
    }
}

impl Consistency {
    /// Whether it leads to both roots.
    pub fn verify(&self, old_root: &Hash, new_root: &Hash) -> bool {
        match (self.old, self.new) {
            (old, new) if old > new => false,
            (0, 0) => self.path.is_empty() && *old_root == EMPTY_ROOT && old_root == new_root,
            (0, _) => self.path.is_empty() && *old_root == EMPTY_ROOT,
            (old, new) if old == new => self.path.is_empty() && old_root == new_root,
            _ => self.roots(old_root) == Some((*old_root, *new_root)),
        }
    }

    /// The two roots that the path leads to. RFC 9162, section 2.1.4.2.
    fn roots(&self, old_root: &Hash) -> Option<(Hash, Hash)> {
        let (mut index, mut last) = (self.old - 1, self.new - 1);
        while index & 1 == 1 {
            index >>= 1;
            last >>= 1;
        }
        // An old tree that is whole is itself the first node.
        let (first, path) = if self.old.is_power_of_two() {
            (old_root, &self.path[..])
        } else {
            self.path.split_first()?
        };
        let (mut old, mut new) = (*first, *first);
        for node in path {
            if last == 0 {
                return None;
            }
            if index & 1 == 1 || index == last {
                old = node_hash(node, &old);
                new = node_hash(node, &new);
                skip_alone(&mut index, &mut last);
            } else {
                new = node_hash(&new, node);
            }
            index >>= 1;
            last >>= 1;
        }
        (last == 0).then_some((old, new))
    }
}
