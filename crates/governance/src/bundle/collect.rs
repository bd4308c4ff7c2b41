//! What was pushed of an image, but for its layers: everybody can pull those by their digests.

use std::collections::BTreeMap;

use bytes::Bytes;
use plura_oci::{Digest, Reference, RepositoryName};
use plura_registry::{Error, ImageQuery, Relation, SmallBlob, TreeNode};
use serde::Deserialize;

use super::{LIMIT, LeftOut, blob_path, log::LogIndex};
use crate::{Governance, ReportError};

/// The most bytes of one blob.
const LARGEST: u64 = 16 * 1024 * 1024;

/// Files by their paths, and what is not among them.
#[derive(Debug, Default)]
pub(super) struct Collected {
    pub(super) files: BTreeMap<String, Bytes>,
    pub(super) left_out: Vec<LeftOut>,
    pub(super) log: Option<LogIndex>,
    pub(super) total: usize,
}

/// A manifest, as far as it points at blobs.
#[derive(Deserialize)]
struct Pointing {
    #[serde(default)]
    config: Option<Pointed>,
    #[serde(default)]
    layers: Option<Vec<Pointed>>,
}

#[derive(Deserialize)]
struct Pointed {
    digest: Digest,
}

impl Governance {
    pub(super) async fn collect(&self, query: &ImageQuery) -> Result<Collected, ReportError> {
        let tree = self.shared.registry.image_tree(query).await?;
        let mut collected = Collected::default();
        let mut nodes: Vec<&TreeNode> = vec![&tree.root];
        while let Some(node) = nodes.pop() {
            self.add_manifest(&query.repository, node, &mut collected).await?;
            nodes.extend(&node.nodes);
        }
        if tree.more {
            let reason = "more belongs to it than is looked at".to_owned();
            collected.left_out.push(LeftOut { digest: tree.root.digest, reason });
        }
        collected.left_out.sort_by_key(|one| one.digest.to_string());
        Ok(collected)
    }

    async fn add_manifest(
        &self,
        repository: &RepositoryName,
        node: &TreeNode,
        collected: &mut Collected,
    ) -> Result<(), ReportError> {
        let reference = Reference::Digest(node.digest);
        let manifest = match self.shared.registry.manifest(repository, &reference).await {
            Ok(manifest) => manifest,
            Err(Error::ManifestUnknown(_)) => {
                collected.leave_out(node.digest, "it is not in the repository");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        let Ok(pointing) = serde_json::from_slice::<Pointing>(&manifest.bytes) else {
            collected.leave_out(node.digest, "it cannot be read");
            return Ok(());
        };
        collected.add(&node.digest, manifest.bytes.clone())?;
        let is_image = matches!(node.relation, Relation::Root | Relation::Child);
        let layers = pointing.layers.unwrap_or_default().into_iter().filter(|_| !is_image);
        for Pointed { digest } in pointing.config.into_iter().chain(layers) {
            match self.shared.registry.small_blob(repository, &digest, LARGEST).await? {
                SmallBlob::Bytes(bytes) => collected.add(&digest, bytes)?,
                SmallBlob::TooLarge(size) => {
                    collected.leave_out(digest, &format!("it has {size} bytes"));
                }
                SmallBlob::Unknown => collected.leave_out(digest, "it is not in the repository"),
            }
        }
        Ok(())
    }
}

impl Collected {
    fn add(&mut self, digest: &Digest, bytes: Bytes) -> Result<(), ReportError> {
        self.total = self.total.saturating_add(bytes.len());
        if self.total > LIMIT {
            return Err(ReportError::TooLarge { digest: *digest, limit: LIMIT });
        }
        self.files.insert(blob_path(digest), bytes);
        Ok(())
    }

    fn leave_out(&mut self, digest: Digest, reason: &str) {
        self.left_out.push(LeftOut { digest, reason: reason.to_owned() });
    }
}
