//! The blobs that a repository links.

use plura_oci::Digest;

use super::{Repository, Scanner};
use crate::{Finding, FindingKind, FoundBlob, Item, Place, scan::Stop};

impl Scanner {
    pub(super) async fn layers(&self, repository: &Repository) -> Result<(), Stop> {
        let above = format!("{}/_layers", repository.path);
        for algorithm in self.output.algorithms(&self.tree, &above).await? {
            let path = format!("{above}/{algorithm}");
            let layer = |name| self.layer(repository, &above, &algorithm, name);
            self.each_directory(&path, layer).await?;
        }
        Ok(())
    }

    async fn layer(
        &self,
        repository: &Repository,
        above: &str,
        algorithm: &str,
        name: String,
    ) -> Result<(), Stop> {
        let Some(link) = self.link(above, algorithm, &name).await? else { return Ok(()) };
        let digest = link.digest;
        let mut stored = link.target.unwrap_or(digest);
        if stored != digest && stored.algorithm() == digest.algorithm() {
            let detail = format!("it holds {stored}; its place says {digest}, which is taken");
            self.tell(Finding::mended(FindingKind::WrongLink, &link.path, detail)).await?;
            stored = digest;
        }
        let Some((path, size)) = self.bytes(&stored, &link.path).await? else { return Ok(()) };
        let place =
            if stored == digest { Place::Here { path, size } } else { Place::Alias { path, size } };
        let blob = FoundBlob { repository: repository.name.clone(), digest, place, at: link.at };
        self.output.item(Item::Blob(blob)).await
    }

    /// Path and size of a blob's bytes. If they are not there, what links them is told.
    async fn bytes(&self, digest: &Digest, linked_by: &str) -> Result<Option<(String, u64)>, Stop> {
        let path = self.data_path(digest);
        let Some(stat) = self.output.readable(self.tree.stat(&path).await).await? else {
            return Ok(None);
        };
        let why = match stat {
            None => format!("{digest} is not in the tree; the link was left out"),
            Some(_) if self.is_damaged(digest) => {
                format!("the bytes of {digest} are damaged; the link was left out")
            }
            // The most usual damage: a file was made, and the power went before its bytes came.
            Some(stat) if stat.size == 0 && !is_empty_digest(digest) => {
                self.note_damaged(*digest);
                format!("the file of {digest} is empty; the link was left out")
            }
            Some(stat) => return Ok(Some((path, stat.size))),
        };
        self.tell(Finding::left_out(FindingKind::DanglingLink, linked_by, why)).await?;
        Ok(None)
    }
}

/// Whether the digest is that of no bytes at all.
pub(crate) fn is_empty_digest(digest: &Digest) -> bool {
    *digest == Digest::of(digest.algorithm(), b"")
}
