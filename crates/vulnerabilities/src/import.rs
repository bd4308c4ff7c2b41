//! Taking advisories over: what is sent is kept in a file while it is read, written in blocks that nobody
//! sees, and put in force in one step.

use std::{fs::File, io};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use plura_meta::{
    Timestamp,
    advisory::{self, ImportId, Source},
    audit::{self, Event, Origin},
};
use plura_oci::{Reference, RepositoryName};
use plura_registry::ImageQuery;
use serde::{Deserialize, Serialize};
use tokio::{io::AsyncWriteExt, sync::mpsc};

use crate::{
    Error, ImportError, Vulnerabilities, instant,
    records::{self, Tally},
    sources::{SourceCounts, SourceStatus},
};

/// The most bytes that are read: all that is published is a third of it.
pub(crate) const MOST_BYTES: u64 = 4 << 30;
/// Blocks that wait to be written.
const AHEAD: usize = 4;
/// The longest name of a source.
const LONGEST_NAME: usize = 64;
/// Manifests of artifacts with more layers are made to tire.
const MOST_LAYERS: usize = 100;

/// Whose advisories these are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportRequest {
    /// The source, whose advisories so far they replace.
    pub source: String,
    /// Where they were read, for people.
    pub location: String,
}

/// What was taken over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Imported {
    /// The source as it is now.
    pub source: SourceStatus,
    /// Whether it is the same as before.
    pub unchanged: bool,
}

/// An artifact, as far as its layers go.
#[derive(Deserialize)]
struct Artifact {
    #[serde(default)]
    layers: Vec<ArtifactLayer>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ArtifactLayer {
    media_type: String,
    digest: plura_oci::Digest,
}

impl Vulnerabilities {
    /// Takes over the advisories that are sent: a zip archive of OSV records, one record, or one on each
    /// line. They replace what the source had, all at once; if anything fails, that stays.
    pub async fn import(
        &self,
        origin: &Origin,
        request: ImportRequest,
        sent: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
    ) -> Result<Imported, Error> {
        check_name(&request.source)?;
        let _turn = self.shared.importing.acquire().await;
        let file = self.spool(sent, MOST_BYTES).await?;
        self.import_files(origin, request, vec![file]).await
    }

    /// The same from the layers of an artifact of this registry.
    pub async fn import_artifact(
        &self,
        origin: &Origin,
        source: &str,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Imported, Error> {
        check_name(source)?;
        let _turn = self.shared.importing.acquire().await;
        let query = ImageQuery {
            repository: repository.clone(),
            reference: reference.clone(),
            platform: None,
        };
        let found = self.shared.registry.image_manifest(&query).await?;
        let location = format!("{repository}@{}", found.digest);
        let artifact: Artifact = serde_json::from_slice(&found.bytes)
            .map_err(|_| ImportError::NoLayer(location.clone()))?;
        let is_read = |layer: &&ArtifactLayer| {
            let kind = layer.media_type.as_str();
            kind.ends_with("json") || (kind.ends_with("zip") && !kind.ends_with("gzip"))
        };
        let mut files = Vec::new();
        for layer in artifact.layers.iter().filter(is_read).take(MOST_LAYERS) {
            files.push(self.layer(repository, &layer.digest).await?);
        }
        if files.is_empty() {
            return Err(ImportError::NoLayer(location).into());
        }
        let request = ImportRequest { source: source.to_owned(), location };
        self.import_files(origin, request, files).await
    }

    async fn layer(
        &self,
        repository: &RepositoryName,
        digest: &plura_oci::Digest,
    ) -> Result<File, Error> {
        let registry = &self.shared.registry;
        let content = registry.blob(repository, digest).await?;
        if content.size > MOST_BYTES {
            return Err(ImportError::TooLarge.into());
        }
        let bytes = registry.blob_stream(&content).await?;
        self.spool(bytes, MOST_BYTES).await
    }

    /// What is sent, in a file that has no name and goes with the process.
    pub(crate) async fn spool(
        &self,
        mut sent: impl Stream<Item = io::Result<Bytes>> + Send + Unpin,
        most: u64,
    ) -> Result<File, Error> {
        let directory = self.shared.settings.directory.clone();
        let file = crate::blocking(move || tempfile::tempfile_in(directory).map_err(Error::Spool));
        let mut file = tokio::fs::File::from_std(file.await?);
        let mut length = 0;
        while let Some(chunk) = sent.next().await {
            let chunk = chunk.map_err(ImportError::Interrupted)?;
            length += chunk.len() as u64;
            if length > most {
                return Err(ImportError::TooLarge.into());
            }
            file.write_all(&chunk).await.map_err(Error::Spool)?;
        }
        file.flush().await.map_err(Error::Spool)?;
        Ok(file.into_std().await)
    }

    async fn import_files(
        &self,
        origin: &Origin,
        request: ImportRequest,
        files: Vec<File>,
    ) -> Result<Imported, Error> {
        let name = request.source.clone();
        let work = async move |tx: &mut plura_meta::Tx| {
            advisory::begin_import(tx, &name, Timestamp::now()).await
        };
        let import = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        let mut tally = self.write_blocks(import, files).await?;
        if tally.advisories == 0 {
            // An empty file in the place of advisories must not pass for good news.
            return Err(ImportError::Nothing(tally.skipped.examples.into_iter().next()).into());
        }
        let source = source(request, import, &mut tally);
        let unchanged = self.put_in_force(origin, source.clone()).await?;
        self.ask();
        Ok(Imported { source: SourceStatus::of(source), unchanged })
    }

    async fn write_blocks(&self, import: ImportId, mut files: Vec<File>) -> Result<Tally, Error> {
        let (sender, mut blocks) = mpsc::channel::<Vec<u8>>(AHEAD);
        let reading = crate::blocking(move || {
            records::read(&mut files, &mut |block| sender.blocking_send(block).is_ok())
        });
        let reading = tokio::spawn(reading);
        let mut position = 0;
        while let Some(block) = blocks.recv().await {
            let work = async move |tx: &mut plura_meta::Tx| {
                advisory::add_block(tx, import, position, &block).await
            };
            self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
            position += 1;
        }
        match reading.await {
            Ok(read) => read,
            Err(ended) if ended.is_panic() => std::panic::resume_unwind(ended.into_panic()),
            Err(_) => Err(Error::Stopped),
        }
    }

    /// Whether the source consists of what it did before.
    async fn put_in_force(&self, origin: &Origin, source: Source) -> Result<bool, Error> {
        let origin = origin.clone();
        let work = async move |tx: &mut plura_meta::Tx| {
            let before = advisory::sources(tx).await?;
            let before = before.into_iter().find(|before| before.name == source.name);
            let unchanged = before.is_some_and(|before| before.digest == source.digest);
            advisory::put_in_force(tx, &source).await?;
            let detail = serde_json::json!({
                "advisories": source.advisories,
                "digest": source.digest,
                "location": source.location,
                "newest": source.newest.map(instant),
            });
            let event = Event::done("advisories.import", format!("advisories:{}", source.name));
            let event = Event { detail: detail.to_string(), ..event };
            audit::record(tx, &origin, &event, source.imported_at).await?;
            Ok::<_, Error>(unchanged)
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await
    }
}

fn source(request: ImportRequest, import: ImportId, tally: &mut Tally) -> Source {
    let counts = SourceCounts {
        withdrawn: tally.withdrawn,
        ecosystems: std::mem::take(&mut tally.ecosystems),
        skipped: std::mem::take(&mut tally.skipped),
    };
    Source {
        name: request.source,
        import_id: import,
        location: request.location,
        digest: tally.digest().to_string(),
        imported_at: Timestamp::now(),
        newest: tally.newest.map(crate::timestamp),
        advisories: i64::try_from(tally.advisories).unwrap_or(i64::MAX),
        document: serde_json::to_string(&counts).unwrap_or_default(),
    }
}

/// Names stand in addresses and in the audit.
pub(crate) fn check_name(name: &str) -> Result<(), ImportError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    Err(ImportError::Name(name.chars().take(LONGEST_NAME).collect()))
}
