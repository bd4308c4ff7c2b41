//! Reads every blob once, before anything is taken from the tree.

use plura_oci::Digest;

use super::Scanner;
use crate::{EntryKind, Finding, FindingKind, Item, scan::Stop};

impl Scanner {
    pub(super) async fn verify(&self) -> Result<(), Stop> {
        let above = format!("{}blobs", self.base);
        for algorithm in self.output.algorithms(&self.tree, &above).await? {
            let path = format!("{above}/{algorithm}");
            let mut shards = self.output.list(&self.tree, &path).await?;
            while let Some(page) = self.output.page(&mut shards).await? {
                for shard in page.into_iter().filter(|entry| entry.kind == EntryKind::Directory) {
                    let shard = format!("{path}/{}", shard.name);
                    let verify = |name| self.verify_named(&algorithm, &shard, name);
                    self.each_directory(&shard, verify).await?;
                }
            }
        }
        Ok(())
    }

    async fn verify_named(&self, algorithm: &str, shard: &str, name: String) -> Result<(), Stop> {
        let path = format!("{shard}/{name}/data");
        let Ok(digest) = format!("{algorithm}:{name}").parse::<Digest>() else {
            let detail = "the name is no digest; left out";
            return self.tell(Finding::left_out(FindingKind::BadPath, path, detail)).await;
        };
        self.verify_blob(&digest, &path).await
    }

    async fn verify_blob(&self, digest: &Digest, path: &str) -> Result<(), Stop> {
        let stat = self.output.readable(self.tree.stat(path).await).await?.flatten();
        let Some(stat) = stat else { return Ok(()) };
        let computed = self.tree.digest(path, digest.algorithm()).await;
        let Some(computed) = self.output.readable(computed).await? else { return Ok(()) };
        self.output.item(Item::Verified(stat.size)).await?;
        if computed == *digest {
            return Ok(());
        }
        self.note_damaged(*digest);
        // What needs it says so, and that something is lost by it.
        let detail = format!("its bytes have the digest {computed}; left out");
        self.tell(Finding::left_out(FindingKind::WrongDigest, path, detail)).await
    }
}
