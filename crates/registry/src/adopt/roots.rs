//! The adopted trees that an installation knows, handed to the store.

use plura_blob::Blobs;
use plura_meta::{
    Connection,
    adopted_root::{self, AdoptedRoot, State},
};

use crate::Error;

/// Lets the store find the blobs in adopted trees; why one of these cannot be read now, if so. A bucket
/// is not asked: it answers when blobs are read, and may take its time.
pub(crate) async fn register_roots(
    connection: &mut Connection,
    blobs: &Blobs,
) -> Result<Option<plura_blob::Error>, Error> {
    let mut away = None;
    for root in adopted_root::list(connection).await? {
        let found = match (register(blobs, &root), blobs) {
            (Ok(()), Blobs::Directory(_)) => blobs.find_adopted(root.id).await,
            (registered, _) => registered,
        };
        away = away.or(found.err());
    }
    Ok(away)
}

/// Why an adopted tree that has blobs is not there, if so.
pub(crate) async fn absent_root(
    connection: &mut Connection,
    blobs: &Blobs,
) -> Result<Option<plura_blob::Error>, Error> {
    for root in adopted_root::list(connection).await? {
        if adopted_root::holds_blobs(connection, root.id).await?
            && let Err(error) = blobs.find_adopted(root.id).await
        {
            return Ok(Some(error));
        }
    }
    Ok(None)
}

pub(super) fn register(blobs: &Blobs, root: &AdoptedRoot) -> Result<(), plura_blob::Error> {
    blobs.register_adopted(root.id, &root.location, root.state == State::Owned)
}
