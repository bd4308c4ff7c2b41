//! The adopted trees that an installation knows, handed to the store.

use std::path::Path;

use plura_blob::{Blobs, ForeignDirectory};
use plura_meta::{
    Connection,
    adopted_root::{self, AdoptedRoot, State},
};

use crate::Error;

/// Lets the store find the blobs in adopted trees; why one of these cannot be read now, if so.
pub(crate) async fn register_roots(
    connection: &mut Connection,
    blobs: &Blobs,
) -> Result<Option<plura_blob::Error>, Error> {
    let mut roots = adopted_root::list(connection).await?;
    roots.retain(|root| register(blobs, root));
    let away = |root: &AdoptedRoot| ForeignDirectory::open(Path::new(&root.location)).err();
    Ok(crate::blocking(move || roots.iter().find_map(away)).await)
}

/// Whether the store can read there.
pub(super) fn register(blobs: &Blobs, root: &AdoptedRoot) -> bool {
    let directory = ForeignDirectory::at(Path::new(&root.location));
    let owned = root.state == State::Owned;
    blobs.register_adopted(root.id, plura_blob::AdoptedRoot { directory, owned })
}
