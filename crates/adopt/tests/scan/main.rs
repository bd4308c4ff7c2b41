//! What is found in trees, whole and damaged. Damage is what real registries were seen to leave.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod damage;
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

pub(crate) async fn scan(root: &Path, format: Format, options: Options) -> Found {
    let tree = Tree::directory(root).unwrap();
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
