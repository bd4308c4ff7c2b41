//! What is found in trees, whole and damaged. Damage is what real registries were seen to leave. The same
//! is found in a directory and in a bucket.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod bucket;
mod damage;
#[expect(dead_code, reason = "some of it is for tests of adoption")]
mod fixture;
mod layouts;
mod trees;

use std::{collections::BTreeMap, path::Path};

use plura_adopt::{Finding, FindingKind, Format, Item, Options, Outcome, Place, Scan, Tree};

pub(crate) const OPTIONS: Options =
    Options { verify: false, relink: false, manifest_limit: 4 << 20 };

/// Everything that was found, in an order that does not depend on the file system.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Found {
    /// `repository@digest` with where the bytes are.
    pub(crate) blobs: BTreeMap<String, Place>,
    /// `repository@digest` with the bytes.
    pub(crate) manifests: BTreeMap<String, Vec<u8>>,
    /// `repository:tag` with the digest.
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) findings: Vec<Finding>,
    pub(crate) damaged: Vec<String>,
}

/// What is found in a tree, in its directory and in a bucket that holds the same files.
pub(crate) async fn scan(root: &Path, format: Format, options: Options) -> Found {
    let found = scan_directory(root, format, options).await;
    let copy = bucket::Copy::of(root);
    assert_eq!(found, scan_tree(copy.tree(), format, options).await, "in a bucket");
    found
}

/// The same where it differs by what a bucket cannot have: links, and directories without files.
pub(crate) async fn scan_directory(root: &Path, format: Format, options: Options) -> Found {
    scan_tree(Tree::directory(root).unwrap(), format, options).await
}

pub(crate) async fn scan_tree(tree: Tree, format: Format, options: Options) -> Found {
    let mut scan = Scan::start(tree, format, options).await.unwrap();
    let mut found = Found::default();
    while let Some(item) = scan.next().await {
        match item.unwrap() {
            Item::Blob(blob) => {
                let name = format!("{}@{}", blob.repository, blob.digest);
                found.blobs.insert(name, blob.place);
            }
            Item::Manifest(manifest) => {
                let name = format!("{}@{}", manifest.repository, manifest.digest);
                found.manifests.insert(name, manifest.bytes);
            }
            Item::Tag(tag) => {
                let name = format!("{}:{}", tag.repository, tag.tag);
                found.tags.insert(name, tag.digest.to_string());
            }
            Item::Damaged { digest, .. } => found.damaged.push(digest.to_string()),
            Item::Finding(finding) => found.findings.push(finding),
            Item::Activity(_) | Item::Verified(_) => {}
        }
    }
    let order = |finding: &Finding| (finding.kind, finding.path.clone(), finding.detail.clone());
    found.findings.sort_by_key(order);
    found.damaged.sort();
    found
}

impl Found {
    /// Kind and outcome of each finding, in order.
    pub(crate) fn kinds(&self) -> Vec<(FindingKind, Outcome)> {
        let mut kinds: Vec<_> = self.findings.iter().map(|f| (f.kind, f.outcome)).collect();
        kinds.sort_unstable();
        kinds
    }

    #[track_caller]
    pub(crate) fn expect(&self, expected: &[(FindingKind, Outcome)]) {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(self.kinds(), expected, "{:#?}", self.findings);
    }
}
