//! Blobs that the other registry has by two digests, and one file. Here, each blob has a file of its own:
//! whatever is decided about the one cannot take the other. So the second is pushed, from the tree, which
//! compares its bytes with its digest as well.

use futures_util::stream;
use plura_adopt::{Finding, FindingKind, FoundBlob, Place, Tree};
use plura_meta::blob;

use super::{AdoptError, Adoption, elsewhere};
use crate::{ByteStream, Chunk, Claim, Error};

/// Bytes read at a time.
const PIECE: usize = 1 << 20;

impl Adoption<'_> {
    pub(super) async fn adopt_alias(&mut self, found: FoundBlob) -> Result<(), AdoptError> {
        let Place::Alias { path, size } = found.place.clone() else { return Ok(()) };
        let digest = found.digest;
        let mut connection = self.registry.db().read().await.map_err(Error::from)?;
        let known = blob::find(&mut connection, &digest).await.map_err(Error::from)?;
        drop(connection);
        if known.is_some() {
            let mut batch = self.batch();
            batch.add(plura_adopt::Item::Blob(elsewhere(found)), &mut self.report);
            return self.commit(batch).await;
        }
        self.report.found.blobs += 1;
        self.report.found.bytes += size;
        let sound = if self.request.rehearse {
            self.request.tree.digest(&path, digest.algorithm()).await? == digest
        } else {
            self.copy(&found, &path, size).await?
        };
        let name = &found.repository;
        let finding = if sound {
            self.report.copied_bytes += size;
            let detail = format!("{digest} of {name} needs a copy of its own, of {size} bytes");
            Finding::mended(FindingKind::Alias, path, detail)
        } else {
            let detail = format!("linked by {name} as {digest}, which its bytes are not");
            Finding::lost(FindingKind::WrongDigest, path, detail)
        };
        self.report.find(finding);
        Ok(())
    }

    async fn copy(&self, found: &FoundBlob, path: &str, size: u64) -> Result<bool, AdoptError> {
        let body = read(self.request.tree.clone(), path.to_owned());
        let chunk = Chunk { claim: Claim { range: None, length: Some(size) }, body };
        match self.registry.push_blob(&found.repository, &found.digest, chunk).await {
            Ok(()) => Ok(true),
            Err(Error::DigestMismatch { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn read(tree: Tree, path: String) -> ByteStream {
    Box::pin(stream::unfold((tree, path, 0), async |(tree, path, offset)| {
        let piece = match tree.chunk(&path, offset, PIECE).await {
            Ok(piece) => Ok(piece.unwrap_or_default()),
            Err(error) => Err(std::io::Error::other(error)),
        };
        if piece.as_ref().is_ok_and(Vec::is_empty) {
            return None;
        }
        let length = piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Some((piece.map(bytes::Bytes::from), (tree, path, offset + length)))
    }))
}
