//! The manifests of a repository, and whether what they need is there.

use std::{collections::HashSet, time::SystemTime};

use plura_oci::{Descriptor, Digest, Manifest, ManifestError};

use super::{Repository, Scanner, layers::is_empty_digest};
use crate::{Finding, FindingKind, FoundBlob, FoundManifest, Item, Place, Stat, scan::Stop};

impl Scanner {
    pub(super) async fn manifests(&self, repository: &Repository) -> Result<(), Stop> {
        let above = format!("{}/_manifests/revisions", repository.path);
        for algorithm in self.output.algorithms(&self.tree, &above).await? {
            let path = format!("{above}/{algorithm}");
            let revision = |name| self.revision(repository, &above, &algorithm, name);
            self.each_directory(&path, revision).await?;
        }
        Ok(())
    }

    async fn revision(
        &self,
        repository: &Repository,
        above: &str,
        algorithm: &str,
        name: String,
    ) -> Result<(), Stop> {
        if let Some(link) = self.link(above, algorithm, &name).await? {
            let stored = link.target.unwrap_or(link.digest);
            self.manifest(repository, &link.digest, &stored, link.at).await?;
        }
        Ok(())
    }

    /// Reads a manifest whose bytes are kept as `stored`, and tells it; whether there was one to tell.
    pub(super) async fn manifest(
        &self,
        repository: &Repository,
        digest: &Digest,
        stored: &Digest,
        at: Option<SystemTime>,
    ) -> Result<bool, Stop> {
        let path = self.data_path(stored);
        let read = self.tree.read(&path, self.options.manifest_limit).await;
        let Some(read) = self.output.readable(read).await? else { return Ok(false) };
        let name = &repository.name;
        let refused = match read {
            None => {
                let detail = format!("{name}@{digest} is linked, and its bytes are not there");
                Finding::lost(FindingKind::MissingManifest, path, detail)
            }
            Some(object) if Digest::of(digest.algorithm(), &object.bytes) != *digest => {
                let what =
                    if object.bytes.is_empty() { "empty" } else { "not those of its digest" };
                let detail = format!("the bytes of {name}@{digest} are {what}");
                Finding::lost(FindingKind::WrongDigest, path, detail)
            }
            Some(object) => match Manifest::parse(&object.bytes, None) {
                Ok(manifest) => {
                    self.needs(repository, digest, &manifest).await?;
                    let (repository, bytes) = (repository.name.clone(), object.bytes);
                    let found = FoundManifest { repository, digest: *digest, manifest, bytes, at };
                    self.output.item(Item::Manifest(Box::new(found))).await?;
                    return Ok(true);
                }
                Err(ManifestError::SchemaOne) => {
                    let detail = format!(
                        "{name}@{digest} is a Docker manifest of schema 1, which no current client \
                         pulls; push the image again"
                    );
                    Finding::lost(FindingKind::SchemaOne, path, detail)
                }
                Err(error) => {
                    let detail = format!("{name}@{digest}: {error}");
                    Finding::lost(FindingKind::BadManifest, path, detail)
                }
            },
        };
        self.tell(refused).await?;
        Ok(false)
    }

    /// Tells what a manifest needs and its repository does not have.
    async fn needs(
        &self,
        repository: &Repository,
        digest: &Digest,
        manifest: &Manifest,
    ) -> Result<(), Stop> {
        let mut seen = HashSet::new();
        for blob in manifest.required_blobs() {
            if seen.insert(blob.digest) {
                self.needed_blob(repository, digest, blob).await?;
            }
        }
        for child in &manifest.manifests {
            let (repository_has, id) = (repository.revision_link(&child.digest), child.digest);
            // The caches of BuildKit are indexes of layers.
            if !seen.insert(id)
                || self.exists(&repository_has).await?
                || self.exists(&repository.layer_link(&id)).await?
            {
                continue;
            }
            let detail = format!(
                "{}@{digest} contains {id}, which the repository does not have; an index may be \
                 copied in part",
                repository.name
            );
            self.tell(Finding::left_out(FindingKind::MissingChild, repository_has, detail)).await?;
        }
        Ok(())
    }

    async fn needed_blob(
        &self,
        repository: &Repository,
        needed_by: &Digest,
        needed: &Descriptor,
    ) -> Result<(), Stop> {
        let (digest, link) = (needed.digest, repository.layer_link(&needed.digest));
        let linked = self.exists(&link).await?;
        // A second name is hashed when it is adopted.
        if linked && !Self::is_canonical(&digest) {
            return Ok(());
        }
        let who = format!("{}@{needed_by} needs {digest}", repository.name);
        let path = self.data_path(&digest);
        let found = self.output.readable(self.tree.stat(&path).await).await?.flatten();
        let Some(stat) = found else {
            let detail = format!("{who}, and its bytes are not in the tree");
            return self.tell(Finding::lost(FindingKind::MissingBlob, path, detail)).await;
        };
        if !self.is_sound(&digest, needed, stat, &path).await? {
            let detail = format!("{who}, and its bytes are damaged");
            return self.tell(Finding::lost(FindingKind::MissingBlob, path, detail)).await;
        }
        if linked { Ok(()) } else { self.unlinked(repository, digest, stat, &who).await }
    }

    /// A blob that a repository needs, has not linked, and that is there for others. The other registry
    /// did not serve it here: whether it may be, the operator says.
    async fn unlinked(
        &self,
        repository: &Repository,
        digest: Digest,
        stat: Stat,
        who: &str,
    ) -> Result<(), Stop> {
        let link = repository.layer_link(&digest);
        if !self.options.relink {
            let detail = format!("{who}, which is there, but not linked; `--relink` links it");
            return self.tell(Finding::lost(FindingKind::UnlinkedBlob, link, detail)).await;
        }
        let detail = format!("{who}, which was not linked, and is now");
        self.tell(Finding::mended(FindingKind::UnlinkedBlob, link, detail)).await?;
        let place = Place::Here { path: self.data_path(&digest), size: stat.size };
        let (repository, at) = (repository.name.clone(), stat.modified);
        self.output.item(Item::Blob(FoundBlob { repository, digest, place, at })).await
    }

    /// Whether a blob has the bytes that its manifest says. Where the sizes differ, one of the two is
    /// wrong, and the digest tells which.
    async fn is_sound(
        &self,
        digest: &Digest,
        needed: &Descriptor,
        stat: Stat,
        path: &str,
    ) -> Result<bool, Stop> {
        if self.is_damaged(digest) || (stat.size == 0 && !is_empty_digest(digest)) {
            return Ok(false);
        }
        if stat.size == needed.size {
            return Ok(true);
        }
        let computed = self.tree.digest(path, digest.algorithm()).await;
        let Some(computed) = self.output.readable(computed).await? else { return Ok(false) };
        if computed == *digest {
            return Ok(true);
        }
        self.note_damaged(*digest);
        let (digest, path) = (*digest, path.to_owned());
        self.output.item(Item::Damaged { digest, path }).await?;
        Ok(false)
    }
}
