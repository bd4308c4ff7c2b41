//! The files of a layout: content, or what stands for it.

use plura_oci::{Digest, Manifest};

use super::{Layout, Scanner};
use crate::{
    Finding, FindingKind, FoundBlob, FoundManifest, Item, Place, Stat,
    scan::{Output, Stop},
};

impl Scanner {
    /// All files that have content.
    pub(super) async fn content(&mut self, layout: &Layout) -> Result<(), Stop> {
        for algorithm in self.output.algorithms(&self.tree, &layout.below("blobs")).await? {
            let path = layout.below(&format!("blobs/{algorithm}"));
            let mut listing = self.output.list(&self.tree, &path).await?;
            while let Some(page) = self.output.page(&mut listing).await? {
                for entry in page {
                    let path = format!("{path}/{}", entry.name);
                    let Ok(digest) = format!("{algorithm}:{}", entry.name).parse() else {
                        let detail = "the name is no digest; left out";
                        self.tell(Finding::left_out(FindingKind::BadPath, path, detail)).await?;
                        continue;
                    };
                    self.file(layout, digest, path).await?;
                }
            }
        }
        Ok(())
    }

    async fn file(&mut self, layout: &Layout, digest: Digest, path: String) -> Result<(), Stop> {
        let stat = self.output.readable(self.tree.stat(&path).await).await?.flatten();
        let Some(stat) = stat.filter(|stat| !is_pointer(&digest, stat.size)) else { return Ok(()) };
        if self.damaged.contains(&path) {
            return Ok(());
        }
        if self.options.verify && !self.verify(&digest, &path, stat).await? {
            return Ok(());
        }
        if let Some((manifest, bytes)) = self.as_manifest(&digest, &path, stat).await? {
            self.needs(layout, &digest, &manifest).await?;
            let (repository, at) = (layout.name.clone(), stat.modified);
            let found = FoundManifest { repository, digest, manifest, bytes, at };
            return self.output.item(Item::Manifest(Box::new(found))).await;
        }
        if self.damaged.contains(&path) {
            return Ok(());
        }
        let place = Place::Here { path, size: stat.size };
        let (repository, at) = (layout.name.clone(), stat.modified);
        self.output.item(Item::Blob(FoundBlob { repository, digest, place, at })).await
    }

    /// Reads a file as a manifest, if it is one. An index may have lost it, so none is asked.
    async fn as_manifest(
        &mut self,
        digest: &Digest,
        path: &str,
        stat: Stat,
    ) -> Result<Option<(Manifest, Vec<u8>)>, Stop> {
        if stat.size > self.options.manifest_limit {
            return Ok(None);
        }
        // Nearly everything that is no JSON ends here.
        let head = self.output.readable(self.tree.chunk(path, 0, 1).await).await?.flatten();
        if head.as_deref() != Some(b"{") {
            return Ok(None);
        }
        let read = self.tree.read(path, self.options.manifest_limit).await;
        let Some(object) = self.output.readable(read).await?.flatten() else { return Ok(None) };
        let computed = Digest::of(digest.algorithm(), &object.bytes);
        if computed != *digest {
            self.wrong_digest(path, &computed).await?;
            return Ok(None);
        }
        let manifest = Manifest::parse(&object.bytes, None).ok();
        Ok(manifest.map(|manifest| (manifest, object.bytes)))
    }

    async fn verify(&mut self, digest: &Digest, path: &str, stat: Stat) -> Result<bool, Stop> {
        let computed = self.tree.digest(path, digest.algorithm()).await;
        let Some(computed) = self.output.readable(computed).await? else { return Ok(false) };
        self.output.item(Item::Verified(stat.size)).await?;
        if computed == *digest {
            return Ok(true);
        }
        self.wrong_digest(path, &computed).await?;
        Ok(false)
    }

    async fn wrong_digest(&mut self, path: &str, computed: &Digest) -> Result<(), Stop> {
        self.damaged.insert(path.to_owned());
        let detail = format!("its bytes have the digest {computed}; left out");
        self.tell(Finding::lost(FindingKind::WrongDigest, path, detail)).await
    }

    /// All empty files that stand for content elsewhere.
    pub(super) async fn pointers(&mut self, layout: &Layout) -> Result<(), Stop> {
        for algorithm in ["sha256", "sha512"] {
            let path = layout.below(&format!("blobs/{algorithm}"));
            let mut listing = self.output.list(&self.tree, &path).await?;
            while let Some(page) = self.output.page(&mut listing).await? {
                for entry in page {
                    let path = format!("{path}/{}", entry.name);
                    let Ok(digest) = format!("{algorithm}:{}", entry.name).parse() else {
                        continue;
                    };
                    let stat = Output::if_readable(self.tree.stat(&path).await)?;
                    let Some(stat) = stat.filter(|stat| is_pointer(&digest, stat.size)) else {
                        continue;
                    };
                    let (repository, at) = (layout.name.clone(), stat.modified);
                    let place = Place::Elsewhere { path };
                    let blob = FoundBlob { repository, digest, place, at };
                    self.output.item(Item::Blob(blob)).await?;
                }
            }
        }
        Ok(())
    }
}

/// Whether an empty file stands for content.
fn is_pointer(digest: &Digest, size: u64) -> bool {
    size == 0 && *digest != Digest::of(digest.algorithm(), b"")
}
