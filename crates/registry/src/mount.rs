use std::sync::Arc;

use plura_meta::{Timestamp, Tx, blob};
use plura_oci::{Digest, RepositoryName};

use crate::{Error, Readable, Registry, StartedUpload, uploads::link};

/// Where a blob may be mounted from.
#[derive(Clone)]
pub enum MountFrom {
    /// One repository, which the caller may read.
    Repository(RepositoryName),
    /// Any that the caller may read.
    Any(Arc<Readable>),
    /// Nowhere: the caller may not read what it named, and is answered as if that had no such blob.
    Nowhere,
}

/// Beyond this many repositories that hold a blob nobody looks for a readable one: the client
/// uploads it, which is always right.
const MOUNT_CANDIDATES: u32 = 64;

impl MountFrom {
    async fn find(&self, tx: &mut Tx, digest: &Digest) -> Result<Option<blob::Blob>, Error> {
        match self {
            Self::Nowhere => Ok(None),
            Self::Repository(from) => {
                Ok(blob::find_linked(tx, from, digest).await?.map(|linked| linked.blob))
            }
            Self::Any(readable) => {
                let Some(found) = blob::find(tx, digest).await? else { return Ok(None) };
                let holders = blob::holders(tx, found.id, MOUNT_CANDIDATES).await?;
                let readable = holders.iter().any(|holder| readable.contains(holder));
                Ok(readable.then_some(found))
            }
        }
    }
}

impl Registry {
    /// Links a blob that another repository has, or starts a session if there is none.
    ///
    /// Only repositories that the caller may read count: a client must not learn what others hold.
    pub async fn mount(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        from: MountFrom,
    ) -> Result<StartedUpload, Error> {
        let (target, digest) = (repository.clone(), *digest);
        let (now, grace) = (Timestamp::now(), self.settings().grace);
        let audit = self.audit("blob.mount", repository, &digest.to_string());
        let work = async move |tx: &mut Tx| {
            let Some(found) = from.find(tx, &digest).await? else {
                return Ok::<bool, Error>(false);
            };
            link(tx, &target, &found, now, now.after(grace)).await?;
            audit.record(tx, now).await?;
            Ok(true)
        };
        let mounted = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        if mounted {
            return Ok(StartedUpload::Mounted);
        }
        let id = self.start_upload(repository, digest.algorithm()).await?;
        Ok(StartedUpload::Session(id))
    }
}
