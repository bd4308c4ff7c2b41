//! Quotas are checked twice: before bytes come, with what is known then, so that nobody sends in vain or
//! fills the disk with what cannot stay; and in the transaction that adds, which alone decides.

use std::{fmt, io};

use futures_util::{StreamExt, stream};
use plura_meta::project::{self, OverQuota};
use plura_oci::{Digest, RepositoryName};

use crate::{ByteStream, Chunk, Error, Registry};

/// What breaks a body off that would take its project beyond its quota.
#[derive(Debug)]
struct Exceeded(OverQuota);

/// How many bytes a project may take in.
struct Room {
    project: String,
    quota: u64,
    used: u64,
}

impl Registry {
    /// The chunk of an upload that has `offset` bytes, which breaks off where the project of the
    /// repository has no room for more; at once, if it is known before. What is there already, under a
    /// digest that the client names, takes no room.
    pub(crate) async fn within_quota(
        &self,
        repository: &RepositoryName,
        digest: Option<&Digest>,
        offset: u64,
        chunk: Chunk,
    ) -> Result<Chunk, Error> {
        // What is all there is for the transaction that comes now.
        if chunk.claim.length == Some(0) {
            return Ok(chunk);
        }
        let Some(room) = self.room(repository, digest).await? else { return Ok(chunk) };
        let announced = chunk.claim.expected().unwrap_or(0);
        let body = match room.check(offset.saturating_add(announced)) {
            Ok(()) => room.bound(offset, chunk.body),
            Err(exceeded) => stream::once(async { Err(exceeded) }).boxed(),
        };
        Ok(Chunk { body, ..chunk })
    }

    /// Nothing where there is no quota.
    async fn room(
        &self,
        repository: &RepositoryName,
        digest: Option<&Digest>,
    ) -> Result<Option<Room>, Error> {
        let name = repository.as_str().split('/').next().unwrap_or_default();
        let mut connection = self.db().read().await?;
        let Some(found) = project::find(&mut connection, name).await? else { return Ok(None) };
        let Some(quota) = found.quota_bytes else { return Ok(None) };
        if let Some(digest) = digest
            && project::holds(&mut connection, found.id, digest).await?
        {
            return Ok(None);
        }
        let bytes = |amount: i64| u64::try_from(amount).unwrap_or(0);
        Ok(Some(Room { project: found.name, quota: bytes(quota), used: bytes(found.used_bytes) }))
    }
}

impl Room {
    /// Whether there is room for so many bytes.
    fn check(&self, bytes: u64) -> io::Result<()> {
        let wanted = self.used.saturating_add(bytes);
        if wanted <= self.quota {
            return Ok(());
        }
        let amount = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let exceeded = Exceeded(OverQuota {
            project: self.project.clone(),
            what: "bytes",
            quota: amount(self.quota),
            wanted: amount(wanted),
        });
        Err(io::Error::new(io::ErrorKind::QuotaExceeded, exceeded))
    }

    /// The body, which breaks off where there is no room for more.
    fn bound(self, offset: u64, body: ByteStream) -> ByteStream {
        let mut received = offset;
        Box::pin(body.map(move |piece| {
            let piece = piece?;
            received = received.saturating_add(piece.len() as u64);
            self.check(received).map(|()| piece)
        }))
    }
}

/// The quota by which a body was broken off, if that is why.
pub(crate) fn exceeded(error: &io::Error) -> Option<Error> {
    let Exceeded(over) = error.get_ref()?.downcast_ref()?;
    Some(Error::OverQuota(Box::new(over.clone())))
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "project {} may hold {} {}", self.0.project, self.0.quota, self.0.what)
    }
}

impl std::error::Error for Exceeded {}
