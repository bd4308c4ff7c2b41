//! Layers: each is read once, and what it says is kept.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError, Weak, atomic::Ordering},
};

use plura_inventory::{LayerError, LayerFacts, Limits, read_layer};
use plura_meta::{
    Timestamp,
    contents::layer::{self, StoredLayer},
};
use plura_oci::{Digest, RepositoryName};
use plura_registry::{Error as RegistryError, Opened};
use tokio::runtime::Handle;

use crate::{
    Contents, Error, READER, blocking,
    packing::{pack, unpack},
    source::{Hashed, Source, Waiting},
};

/// What is known of a layer.
pub(crate) enum Layer {
    /// What it says, and how many bytes that is.
    Facts(Box<LayerFacts>, u64),
    /// Why it cannot be read, which stays so.
    Unreadable(String),
    /// Why it cannot be read as long as the repository is as it is.
    Absent(&'static str),
}

const NOT_HERE: &str = "it is not in this repository";
const DAMAGED: &str =
    "the stored content is damaged; the registry's operator can run `plura check`";
const TOO_MUCH: &str = "it says more than is kept of a layer";

/// Layers that are read now: who wants one that somebody reads waits for that.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>);

impl InFlight {
    fn of(&self, digest: Digest) -> Arc<tokio::sync::Mutex<()>> {
        let mut layers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        layers.retain(|_, reading| reading.strong_count() > 0);
        if let Some(reading) = layers.get(&digest).and_then(Weak::upgrade) {
            return reading;
        }
        let reading = Arc::new(tokio::sync::Mutex::default());
        layers.insert(digest, Arc::downgrade(&reading));
        reading
    }
}

impl Contents {
    /// What a layer says, read now if nobody has read it. What was begun is done, also if nobody waits
    /// for it any more.
    pub(crate) async fn layer(
        &self,
        repository: &RepositoryName,
        digest: Digest,
    ) -> Result<Layer, Error> {
        if let Some(known) = self.known_layer(digest).await? {
            return Ok(known);
        }
        let (contents, repository) = (self.clone(), repository.clone());
        let reading = tokio::spawn(async move {
            let reading = contents.shared.layers.of(digest);
            let _alone = reading.lock().await;
            match contents.known_layer(digest).await? {
                Some(known) => Ok(known),
                None => contents.read_layer(&repository, digest).await,
            }
        });
        match reading.await {
            Ok(layer) => layer,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(stopped(digest)),
            },
        }
    }

    async fn known_layer(&self, digest: Digest) -> Result<Option<Layer>, Error> {
        let found = layer::find(&mut self.db().read().await?, &digest).await?;
        let Some(found) = found.filter(|found| found.reader >= READER) else { return Ok(None) };
        if let Some(problem) = found.problem {
            return Ok(Some(Layer::Unreadable(problem)));
        }
        let document = found.document.ok_or(Error::Kept(digest))?;
        // What cannot be understood is read again from the layer itself.
        let facts = blocking(move || unpack::<LayerFacts>(&document)).await;
        Ok(facts.map(|(facts, bytes)| Layer::Facts(Box::new(facts), bytes)))
    }

    async fn read_layer(
        &self,
        repository: &RepositoryName,
        digest: Digest,
    ) -> Result<Layer, Error> {
        let Ok(permit) = Arc::clone(&self.shared.reading).acquire_owned().await else {
            return Err(stopped(digest));
        };
        let source = match self.source(repository, &digest).await? {
            Ok(source) => source,
            Err(absent) => return Ok(Layer::Absent(absent)),
        };
        let waiting = Waiting::default();
        let left = waiting.left();
        let (read, bytes) = blocking(move || {
            let _permit = permit;
            read(Hashed::new(source, &digest, left), digest)
        })
        .await;
        let counts = &self.shared.counts;
        counts.bytes.fetch_add(bytes, Ordering::Relaxed);
        let (stored, layer) = match read? {
            Outcome::Read { document, size, facts } => {
                let stored =
                    StoredLayer { reader: READER, document: Some(document), problem: None };
                (stored, Layer::Facts(facts, size))
            }
            Outcome::Unreadable(problem) => {
                counts.problems.fetch_add(1, Ordering::Relaxed);
                let stored =
                    StoredLayer { reader: READER, document: None, problem: Some(problem.clone()) };
                (stored, Layer::Unreadable(problem))
            }
            Outcome::Damaged => return Ok(Layer::Absent(DAMAGED)),
        };
        counts.layers.fetch_add(1, Ordering::Relaxed);
        let keep = async move |tx: &mut plura_meta::Tx| {
            layer::keep(tx, &digest, &stored, Timestamp::now()).await
        };
        self.db().write(move |tx| Box::pin(async move { keep(tx).await })).await?;
        Ok(layer)
    }

    /// The layer's bytes, or why there are none.
    async fn source(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Result<Source, &'static str>, Error> {
        let registry = self.registry();
        let Some(content) = registry.own_blob(repository, digest).await? else {
            return Ok(Err(NOT_HERE));
        };
        let opened = match registry.open_blob(&content).await {
            Ok(Opened::File(file)) => {
                return Ok(Ok(Source::File { file: file.file, at: 0, size: file.size }));
            }
            Ok(Opened::Object(_)) if content.size == 0 => return Ok(Ok(Source::Empty)),
            Ok(Opened::Object(object)) => {
                registry.read_object(&content, &object, 0..content.size).await
            }
            Err(error) => Err(error),
        };
        match opened {
            Ok(stream) => {
                let (runtime, frame) = (Handle::current(), bytes::Bytes::new());
                Ok(Ok(Source::Stream { runtime, stream: Box::new(stream), frame }))
            }
            Err(RegistryError::BlobUnknown(_)) => Ok(Err(NOT_HERE)),
            Err(error) if error.is_damage() => Ok(Err(DAMAGED)),
            Err(error) => Err(error.into()),
        }
    }
}

/// What came of reading a layer.
enum Outcome {
    Read {
        document: Vec<u8>,
        size: u64,
        facts: Box<LayerFacts>,
    },
    Unreadable(String),
    /// Its bytes are not those of its digest.
    Damaged,
}

/// Reads a layer to its end, or to where it cannot be read; and how many bytes that were.
fn read(mut source: Hashed, digest: Digest) -> (Result<Outcome, Error>, u64) {
    let facts = read_layer(&mut source, &Limits::default());
    let bytes = source.bytes;
    let outcome = match facts {
        Err(LayerError::Read(source)) => Err(Error::Layer { digest, source }),
        Err(problem) => Ok(Outcome::Unreadable(problem.to_string())),
        Ok(_) if source.digest() != digest => Ok(Outcome::Damaged),
        Ok(facts) => Ok(match pack(&facts) {
            Some((document, size)) => Outcome::Read { document, size, facts: Box::new(facts) },
            None => Outcome::Unreadable(TOO_MUCH.to_owned()),
        }),
    };
    (outcome, bytes)
}

fn stopped(digest: Digest) -> Error {
    Error::Layer { digest, source: io::Error::other("the process stops") }
}
