//! Inclusion proofs of transparency logs: RFC 9162, section 2.1.

use plura_oci::Algorithm;

/// A node of the tree.
pub(crate) type Node = [u8; 32];

pub(crate) fn leaf(entry: &[u8]) -> Node {
    hash(&[&[0], entry])
}

fn parent(left: &Node, right: &Node) -> Node {
    hash(&[&[1], left, right])
}

fn hash(parts: &[&[u8]]) -> Node {
    let mut hasher = Algorithm::Sha256.hasher();
    for part in parts {
        hasher.update(part);
    }
    node(hasher.finish().hash()).unwrap_or_default()
}

/// A node has 32 bytes.
pub(crate) fn node(bytes: &[u8]) -> Option<Node> {
    bytes.try_into().ok()
}

/// The root that the path leads to from the leaf at that index of a tree of that size; nothing if the
/// path has another length than such a tree has. RFC 9162, section 2.1.3.2.
pub(crate) fn root(leaf: Node, index: u64, size: u64, path: &[Node]) -> Option<Node> {
    if index >= size {
        return None;
    }
    let (mut index, mut last, mut node) = (index, size - 1, leaf);
    for sibling in path {
        if last == 0 {
            return None;
        }
        if index & 1 == 1 || index == last {
            node = parent(sibling, &node);
            while index & 1 == 0 && index != 0 {
                index >>= 1;
                last >>= 1;
            }
        } else {
            node = parent(&node, sibling);
        }
        index >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(node)
}

/// The root of a whole tree, which only tests have.
#[cfg(test)]
pub(crate) fn tree(leaves: &[Node]) -> Node {
    match leaves {
        [] => hash(&[]),
        [one] => *one,
        _ => {
            let split = leaves.len().next_power_of_two() / 2;
            parent(&tree(&leaves[..split]), &tree(&leaves[split..]))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 9162, section 2.1.3.1.
    fn path(leaves: &[Node], index: usize) -> Vec<Node> {
        if leaves.len() <= 1 {
            return Vec::new();
        }
        let split = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(split);
        let (mut path, sibling) = if index < split {
            (path(left, index), tree(right))
        } else {
            (path(right, index - split), tree(left))
        };
        path.push(sibling);
        path
    }

    proptest! {
        #[test]
        fn a_path_leads_to_the_root_of_its_tree_and_of_no_other(
            size in 1_usize..80,
            index: prop::sample::Index,
            flip: prop::sample::Index,
        ) {
            let leaves: Vec<_> = (0..size).map(|n| leaf(&n.to_be_bytes())).collect();
            let index = index.index(size);
            let mut path = path(&leaves, index);
            let found = |path: &[Node], index: usize| {
                root(leaves[index], index as u64, size as u64, path)
            };
            prop_assert_eq!(found(&path, index), Some(tree(&leaves)));
            prop_assert_eq!(root(leaves[index], size as u64, size as u64, &path), None);
            if size > 1 {
                let other = (index + 1) % size;
                prop_assert_ne!(found(&path, other), Some(tree(&leaves)));
                let flipped = flip.index(path.len());
                path[flipped][0] ^= 1;
                prop_assert_ne!(found(&path, index), Some(tree(&leaves)));
                path[flipped][0] ^= 1;
                path.pop();
                prop_assert_ne!(found(&path, index), Some(tree(&leaves)));
            }
        }
    }
}
