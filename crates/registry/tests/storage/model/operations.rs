//! What clients do in the model test, and what it does to the model.

use std::collections::BTreeSet;

use plura_oci::Digest;
use plura_registry::Error;

use super::{Run, TAGS, Touched};
use crate::support::*;

impl Run {
    /// Something that a client does. What it did is in the model if it succeeded.
    pub(super) async fn operation(&mut self) -> (Touched, Result<(), Error>) {
        let repository = self.repository();
        match self.random.below(10) {
            0 | 1 => self.push_blob(repository).await,
            2..5 => self.push_manifest(repository, true).await,
            5 => self.push_manifest(repository, false).await,
            6 => self.delete_manifest(repository).await,
            7 => self.delete_blob(repository).await,
            8 => self.mount(repository).await,
            _ => self.use_blob(repository).await,
        }
    }

    async fn push_blob(&mut self, repository: &'static str) -> (Touched, Result<(), Error>) {
        let bytes = self.random.below(self.universe.blobs.len());
        let bytes = self.universe.blobs[bytes].clone();
        let digest = Digest::sha256(&bytes);
        let touched = Touched { repository, digest: Some(digest), tag: None };
        let pushed = self.store.try_push(repository, &digest, &bytes).await;
        if pushed.is_ok() {
            self.link(repository, digest);
        }
        (touched, pushed)
    }

    /// With or without its blobs before it; by tag or by digest.
    async fn push_manifest(
        &mut self,
        repository: &'static str,
        whole: bool,
    ) -> (Touched, Result<(), Error>) {
        let manifest = self.random.below(self.universe.manifests.len());
        let manifest = self.universe.manifests[manifest].clone();
        let tag = self.random.chance(60).then(|| TAGS[self.random.below(TAGS.len())]);
        for blob in manifest.payload.iter().filter(|_| whole) {
            let digest = Digest::sha256(blob);
            if let Err(error) = self.store.try_push(repository, &digest, blob).await {
                return (Touched { repository, digest: Some(digest), tag: None }, Err(error));
            }
            self.link(repository, digest);
        }
        let reference = tag.map_or(manifest.digest.to_string(), ToOwned::to_owned);
        let put = self.store.put(repository, reference, &manifest.bytes).await;
        let touched = Touched { repository, digest: Some(manifest.digest), tag };
        let links = &self.repositories[repository].links;
        let missing: BTreeSet<&Digest> =
            manifest.blobs.iter().filter(|blob| !links.contains_key(*blob)).collect();
        match put {
            Err(Error::ManifestReferences { missing: told }) => {
                assert_eq!(told.iter().collect::<BTreeSet<_>>(), missing);
                (touched, Ok(()))
            }
            Ok(_) => {
                assert!(missing.is_empty(), "a manifest was taken without {missing:?}");
                self.add_manifest(repository, manifest.digest, tag);
                (touched, Ok(()))
            }
            Err(error) => (touched, Err(error)),
        }
    }

    async fn delete_manifest(&mut self, repository: &'static str) -> (Touched, Result<(), Error>) {
        let held = &self.repositories[repository];
        let tag = TAGS[self.random.below(TAGS.len())];
        let (touched, reference, known) = if self.random.chance(60) {
            let touched = Touched { repository, digest: None, tag: Some(tag) };
            (touched, reference(tag), held.tags.contains_key(tag))
        } else {
            let digest = self.random.below(self.universe.manifests.len());
            let digest = self.universe.manifests[digest].digest;
            let touched = Touched { repository, digest: Some(digest), tag: None };
            (touched, reference(digest), held.manifests.contains_key(&digest))
        };
        let name = name(repository);
        match self.store.registry().delete_manifest(&name, &reference).await {
            Err(Error::ManifestUnknown(_)) => {
                assert!(!known, "{reference} is in {repository}");
                (touched, Ok(()))
            }
            Ok(()) => {
                assert!(known, "{reference} is not in {repository}");
                let mut after = self.repositories[repository].clone();
                match (touched.digest, touched.tag) {
                    (Some(digest), _) => {
                        after.manifests.remove(&digest);
                        after.tags.retain(|_, target| *target != digest);
                    }
                    (None, tag) => drop(after.tags.remove(tag.unwrap_or_default())),
                }
                self.replace(repository, after);
                (touched, Ok(()))
            }
            Err(error) => (touched, Err(error)),
        }
    }

    async fn delete_blob(&mut self, repository: &'static str) -> (Touched, Result<(), Error>) {
        let digest = self.random.below(self.universe.blobs.len());
        let digest = Digest::sha256(&self.universe.blobs[digest]);
        let touched = Touched { repository, digest: Some(digest), tag: None };
        match self.store.registry().delete_blob(&name(repository), &digest).await {
            Ok(()) => {
                assert!(self.of(repository).links.remove(&digest).is_some());
                (touched, Ok(()))
            }
            Err(Error::BlobUnknown(_)) => {
                assert!(!self.of(repository).links.contains_key(&digest));
                (touched, Ok(()))
            }
            Err(error) => (touched, Err(error)),
        }
    }

    async fn mount(&mut self, repository: &'static str) -> (Touched, Result<(), Error>) {
        use plura_registry::StartedUpload::{Mounted, Session};
        let from = self.repository();
        let digest = self.random.below(self.universe.blobs.len());
        let digest = Digest::sha256(&self.universe.blobs[digest]);
        let touched = Touched { repository, digest: Some(digest), tag: None };
        let known = self.of(from).links.contains_key(&digest);
        let (target, source) = (name(repository), name(from));
        match self.store.registry().mount(&target, &digest, mount_from(Some(source.clone()))).await
        {
            Ok(Mounted) => {
                assert!(known);
                self.link(repository, digest);
                (touched, Ok(()))
            }
            // An abandoned session, with something in it.
            Ok(Session(id)) => {
                assert!(!known);
                let part = self.store.registry().append_upload(&target, &id, chunk(b"part")).await;
                (touched, part.map(|_| ()))
            }
            Err(error) => (touched, Err(error)),
        }
    }

    /// Asks whether a blob is there, as clients do before they push.
    async fn use_blob(&mut self, repository: &'static str) -> (Touched, Result<(), Error>) {
        let digest = self.random.below(self.universe.blobs.len());
        let digest = Digest::sha256(&self.universe.blobs[digest]);
        let touched = Touched { repository, digest: Some(digest), tag: None };
        let known = self.of(repository).links.contains_key(&digest);
        match self.store.read(repository, &digest).await {
            Ok(_) => {
                assert!(known);
                let until = self.now() + self.grace() / 2;
                let link = self.of(repository).links.get_mut(&digest).expect("it is known");
                *link = until.max(*link);
                (touched, Ok(()))
            }
            Err(Error::BlobUnknown(_)) => {
                assert!(!known, "{digest} is linked in {repository}");
                (touched, Ok(()))
            }
            Err(error) => (touched, Err(error)),
        }
    }
}
