//! What is in every image: packages, operating system, configuration, secrets, base.
//!
//! A layer is read once, whoever has it, and an image is put together from what was read of its layers.
//! Both follow from digests alone, so what is known is kept until a better reader comes. A worker reads
//! images as they arrive; what is asked for before is read then. Layers are anybody's bytes: what cannot
//! be read is a problem of the image, told to whoever asks, and of nothing else.

mod ask;
mod attach;
mod base;
mod error;
mod foreign;
mod identity;
mod image;
mod keep;
mod layer;
mod newer;
mod packing;
mod release;
mod sbom;
mod source;
mod view;
mod worker;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use plura_registry::Registry;
use tokio::sync::Semaphore;

pub use base::{BaseReport, DeclaredBase, FoundBase, ImageOnBase, ImagesOnBase, NewerBase};
pub use error::Error;
pub use foreign::{SbomComparison, VersionsOf};
pub use identity::PackageDocument;
pub use plura_registry::{ImageQuery, Readable};
pub use sbom::{Sbom, SbomFormat};
pub use view::{
    ConfigurationFacts, ImageContents, ListedPackage, OperatingSystem, PackageList, Secret,
    SourcePackage, Unread, Variable,
};

/// The version of what reads: raised where the same layers would say something else, so that what an
/// older one read is read again.
const READER: i64 = 1;

/// How many layers are read at a time: each takes a processor and some memory.
const AT_A_TIME: usize = 2;

/// What an operator decides about contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The form of the SBOM that is pushed beside each image, if one is.
    pub attach_sbom: Option<SbomFormat>,
}

/// What is in the images of a registry. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Contents {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    registry: Registry,
    settings: Settings,
    reading: Arc<Semaphore>,
    layers: layer::InFlight,
    counts: Counters,
}

/// What this process did since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Layers that were read.
    pub layers: u64,
    /// Bytes of layers that were read, as they are stored.
    pub bytes: u64,
    /// Layers that could not be read.
    pub problems: u64,
}

#[derive(Debug, Default)]
struct Counters {
    layers: AtomicU64,
    bytes: AtomicU64,
    problems: AtomicU64,
}

impl Contents {
    /// What is in the images of the registry.
    pub fn new(registry: Registry, settings: Settings) -> Self {
        let shared = Shared {
            registry,
            settings,
            reading: Arc::new(Semaphore::new(AT_A_TIME)),
            layers: layer::InFlight::default(),
            counts: Counters::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// What this process did since it started.
    pub fn counts(&self) -> Counts {
        let Counters { layers, bytes, problems } = &self.shared.counts;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts { layers: read(layers), bytes: read(bytes), problems: read(problems) }
    }

    fn registry(&self) -> &Registry {
        &self.shared.registry
    }

    fn db(&self) -> &plura_meta::Db {
        self.shared.registry.database()
    }
}

/// Runs work that takes a processor for long where it does not hold up requests.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

/// A time of the database.
fn instant(time: plura_meta::Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(time.0).unwrap_or(jiff::Timestamp::MAX)
}
