//! Whether what a manifest needs is in its layout.

use std::collections::HashSet;

use plura_oci::{Digest, Manifest};

use super::{Layout, Scanner};
use crate::{Finding, FindingKind, Item, scan::Stop};

impl Scanner {
    /// Tells what a manifest needs and its layout does not have.
    pub(super) async fn needs(
        &mut self,
        layout: &Layout,
        digest: &Digest,
        manifest: &Manifest,
    ) -> Result<(), Stop> {
        let mut seen = HashSet::new();
        for needed in manifest.required_blobs().filter(|needed| seen.insert(needed.digest)) {
            let path = layout.blob(&needed.digest);
            let who = format!("{}@{digest} needs {}", layout.name, needed.digest);
            let stat = self.output.readable(self.tree.stat(&path).await).await?.flatten();
            let why = match stat {
                None => "which is not there",
                // What stands for content is looked at when all content is known.
                Some(stat) if stat.size == 0 || stat.size == needed.size => continue,
                Some(_) if self.is_sound(&needed.digest, &path).await? => continue,
                Some(_) => "whose bytes are damaged",
            };
            let detail = format!("{who}, {why}");
            self.tell(Finding::lost(FindingKind::MissingBlob, path, detail)).await?;
        }
        for child in manifest.manifests.iter().filter(|child| seen.insert(child.digest)) {
            let path = layout.blob(&child.digest);
            if self.output.readable(self.tree.stat(&path).await).await?.flatten().is_some() {
                continue;
            }
            let detail = format!(
                "{}@{digest} contains {}, which is not there; an index may be copied in part",
                layout.name, child.digest
            );
            self.tell(Finding::left_out(FindingKind::MissingChild, path, detail)).await?;
        }
        Ok(())
    }

    /// Where the size is not that of the descriptor, one of the two is wrong, and the digest tells which.
    async fn is_sound(&mut self, digest: &Digest, path: &str) -> Result<bool, Stop> {
        if self.damaged.contains(path) {
            return Ok(false);
        }
        let computed = self.tree.digest(path, digest.algorithm()).await;
        let Some(computed) = self.output.readable(computed).await? else { return Ok(false) };
        if computed == *digest {
            return Ok(true);
        }
        self.damaged.insert(path.to_owned());
        let (digest, path) = (*digest, path.to_owned());
        self.output.item(Item::Damaged { digest, path }).await?;
        Ok(false)
    }
}
