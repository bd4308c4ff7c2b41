//! The transparency log of an installation: what is decided is an entry, written in the transaction of the
//! decision; soon after, entries become part of the tree, whose head is signed and whose tiles anybody can
//! read and verify.

mod error;

use std::sync::Arc;

use plura_registry::Registry;

pub use error::Error;

/// The transparency log of an installation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Transparency {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: Registry,
}

impl Transparency {
    /// The log of the installation that the registry has open.
    pub fn new(registry: Registry) -> Self {
        Self { shared: Arc::new(Shared { registry }) }
    }

    /// How many entries there are, part of the tree or not yet.
    pub async fn size(&self) -> Result<u64, Error> {
        let mut connection = self.db().read().await?;
        let size = plura_meta::log::size(&mut connection).await?;
        Ok(u64::try_from(size).unwrap_or_default())
    }

    fn db(&self) -> &plura_meta::Db {
        self.shared.registry.database()
    }
}
