//! Export: repositories as OCI image layouts, which every other tool and registry reads.
//!
//! It reads an installation that may be in use, as `check` does. What is written is complete or not
//! there: each file appears under its name when all of it is on the disk, the index last. So a run that
//! was interrupted is run again, and copies what is missing.

mod content;
mod layout;

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    str::FromStr,
};

use bytes::Bytes;
use plura_blob::{BlobKey, Blobs, Opened};
use plura_meta::{Connection, Db, blob, manifest, repository, tag};
use plura_oci::{Digest, Manifest, Reference, RepositoryName, Tag};
use serde::Serialize;
use tokio::runtime::Handle;

use self::content::Content;
use self::layout::{Described, Layout};
use crate::{Error, Settings, adopt, blobs::stored_key, blocking};

/// Names or rows read at a time.
const PAGE: u32 = 1000;

/// What to export: a repository with all its tags, or one manifest of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The repository.
    pub repository: RepositoryName,
    /// The manifest; all tags without.
    pub reference: Option<Reference>,
}

/// What to export, and where to.
#[derive(Clone, Debug)]
pub struct ExportRequest {
    /// What.
    pub wanted: Vec<Exported>,
    /// The directory: the layout itself, if all of it is of one repository; otherwise there is one below
    /// it for each, under its name.
    pub target: PathBuf,
    /// Also what is about the manifests that are exported: signatures, attestations.
    pub referrers: bool,
}

/// What was exported.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExportReport {
    /// Layouts written.
    pub layouts: Vec<PathBuf>,
    /// Tags in them.
    pub tags: u64,
    /// Manifests.
    pub manifests: u64,
    /// Blobs that were copied.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Blobs that were there already.
    pub present: u64,
    /// What manifests name and the repository does not have.
    pub missing: Vec<String>,
}

/// Writes layouts from the installation in `directory`.
pub async fn export(
    directory: &Path,
    settings: &Settings,
    request: ExportRequest,
    progress: &mut (dyn FnMut(&ExportReport) + Send),
) -> Result<ExportReport, Error> {
    let database = settings.database_location(directory);
    let mut connection = Db::connect_read_only(&database).await?;
    let blobs = Blobs::existing(directory, &settings.storage)?;
    adopt::register_roots(&mut connection, &blobs).await?;
    let mut export = Export { connection, blobs, referrers: request.referrers, progress };
    let names: BTreeSet<&RepositoryName> = request.wanted.iter().map(|w| &w.repository).collect();
    let mut report = ExportReport::default();
    for name in &names {
        let path = match names.len() {
            1 => request.target.clone(),
            _ => request.target.join(name.as_str()),
        };
        let wanted = request.wanted.iter().filter(|wanted| wanted.repository == **name);
        let references: Vec<_> = wanted.map(|wanted| wanted.reference.as_ref()).collect();
        export.repository(name, &references, &path, &mut report).await?;
        report.layouts.push(path);
    }
    export.connection.close().await;
    Ok(report)
}

struct Export<'a> {
    connection: Connection,
    blobs: Blobs,
    referrers: bool,
    progress: &'a mut (dyn FnMut(&ExportReport) + Send),
}

impl Export<'_> {
    async fn repository(
        &mut self,
        name: &RepositoryName,
        wanted: &[Option<&Reference>],
        path: &Path,
        report: &mut ExportReport,
    ) -> Result<(), Error> {
        let unknown = || Error::RepositoryUnknown(name.clone());
        let id = repository::find(&mut self.connection, name).await?.ok_or_else(unknown)?;
        let layout = blocking({
            let path = path.to_owned();
            move || Layout::open(&path)
        });
        let mut work = Work { layout: layout.await?, seen: BTreeSet::new(), entries: Vec::new() };
        for reference in wanted {
            if let Some(reference) = reference {
                self.reference(name, reference, &mut work, report).await?;
                continue;
            }
            let mut after: Option<String> = None;
            loop {
                let page = tag::list(&mut self.connection, id, after.as_deref(), PAGE).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.clone());
                for tag in page {
                    let tag: Tag = tag.parse().map_err(|_| corrupt("tag.name", &tag))?;
                    self.reference(name, &Reference::Tag(tag), &mut work, report).await?;
                }
            }
        }
        let Work { layout, entries, .. } = work;
        blocking(move || layout.finish(entries)).await
    }

    /// A manifest that the index will name, and everything below it.
    async fn reference(
        &mut self,
        name: &RepositoryName,
        reference: &Reference,
        work: &mut Work,
        report: &mut ExportReport,
    ) -> Result<(), Error> {
        let found = self.manifest(name, reference).await?;
        let found = found.ok_or_else(|| Error::ManifestUnknown(reference.clone()))?;
        let tag = match reference {
            Reference::Tag(tag) => Some(tag.clone()),
            Reference::Digest(_) => None,
        };
        report.tags += u64::from(tag.is_some());
        work.entries.push(found.described(tag));
        let mut pending = vec![found.digest];
        while let Some(digest) = pending.pop() {
            if work.seen.insert(digest) {
                self.one(name, &digest, work, &mut pending, report).await?;
            }
        }
        Ok(())
    }

    /// One manifest with its blobs; what belongs to it and is a manifest itself becomes pending.
    async fn one(
        &mut self,
        name: &RepositoryName,
        digest: &Digest,
        work: &mut Work,
        pending: &mut Vec<Digest>,
        report: &mut ExportReport,
    ) -> Result<(), Error> {
        let Some(found) = self.manifest(name, &Reference::Digest(*digest)).await? else {
            report.missing.push(format!("{name}@{digest}"));
            return Ok(());
        };
        for blob in found.parsed.config.iter().chain(&found.parsed.layers) {
            self.blob(name, &blob.digest, !blob.is_elsewhere(), work, report).await?;
        }
        for child in &found.parsed.manifests {
            // A cache of BuildKit is an index of layers.
            let child = child.digest;
            if self.manifest(name, &Reference::Digest(child)).await?.is_some() {
                pending.push(child);
            } else {
                self.blob(name, &child, true, work, report).await?;
            }
        }
        if self.referrers {
            self.referrers_of(name, digest, work, pending).await?;
        }
        let (layout, digest, bytes) = (work.layout.clone(), *digest, found.bytes);
        blocking(move || layout.write(&digest, &bytes)).await?;
        report.manifests += 1;
        (self.progress)(report);
        Ok(())
    }

    async fn referrers_of(
        &mut self,
        name: &RepositoryName,
        subject: &Digest,
        work: &mut Work,
        pending: &mut Vec<Digest>,
    ) -> Result<(), Error> {
        let mut after: Option<String> = None;
        loop {
            let (connection, behind) = (&mut self.connection, after.as_deref());
            let page = manifest::referrers(connection, name, subject, None, behind, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.digest.to_string());
            for referrer in page {
                pending.push(referrer.digest);
                work.entries.push(Described {
                    digest: referrer.digest,
                    size: referrer.size,
                    media_type: referrer.media_type,
                    artifact_type: referrer.artifact_type,
                    tag: None,
                });
            }
        }
    }

    async fn blob(
        &mut self,
        name: &RepositoryName,
        digest: &Digest,
        required: bool,
        work: &mut Work,
        report: &mut ExportReport,
    ) -> Result<(), Error> {
        if !work.seen.insert(*digest) {
            return Ok(());
        }
        let Some(linked) = blob::find_linked(&mut self.connection, name, digest).await? else {
            if required {
                report.missing.push(format!("{name}@{digest}"));
            }
            return Ok(());
        };
        let (size, key) = (linked.blob.size, stored_key(linked.blob.storage_key)?);
        let (layout, digest) = (work.layout.clone(), *digest);
        let there = blocking({
            let layout = layout.clone();
            move || layout.has(&digest, size)
        });
        if there.await {
            report.present += 1;
        } else {
            let content = self.content(&key, size).await?;
            blocking(move || layout.copy(&digest, content)).await?;
            report.blobs += 1;
            report.bytes += size;
        }
        (self.progress)(report);
        Ok(())
    }

    async fn content(&self, key: &BlobKey, size: u64) -> Result<Content, Error> {
        Ok(match self.blobs.open_blob(key, size).await? {
            Opened::File(file) => Content::File(file, 0),
            Opened::Object(object) if size > 0 => {
                Content::Object(object.read(0..size).await?, Bytes::new(), Handle::current())
            }
            Opened::Object(_) => Content::Empty,
        })
    }

    async fn manifest(
        &mut self,
        name: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<Found>, Error> {
        let found = manifest::find(&mut self.connection, name, reference).await?;
        let Some(found) = found else { return Ok(None) };
        let (digest, media_type, bytes) = (found.digest, found.media_type, found.bytes);
        if Digest::of(digest.algorithm(), &bytes) != digest {
            return Err(corrupt("manifest.bytes", &digest.to_string()));
        }
        let parsed = Manifest::parse(&bytes, Some(&media_type))?;
        Ok(Some(Found { digest, media_type, parsed, bytes }))
    }
}

/// A layout that is being written.
struct Work {
    layout: Layout,
    seen: BTreeSet<Digest>,
    entries: Vec<Described>,
}

struct Found {
    digest: Digest,
    media_type: String,
    parsed: Manifest,
    bytes: Vec<u8>,
}

impl Found {
    fn described(&self, tag: Option<Tag>) -> Described {
        Described {
            digest: self.digest,
            size: self.bytes.len() as u64,
            media_type: self.media_type.clone(),
            artifact_type: self.parsed.artifact_type.clone(),
            tag,
        }
    }
}

fn corrupt(column: &str, what: &str) -> Error {
    plura_meta::Error::Corrupt(format!("{column} of {what} is not what it should be")).into()
}

/// The text is no repository, with or without a tag or a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `REPOSITORY`, `REPOSITORY:TAG` or `REPOSITORY@DIGEST`: {0}")]
pub struct ParseExportedError(String);

impl FromStr for Exported {
    type Err = ParseExportedError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = |error: &dyn std::fmt::Display| ParseExportedError(error.to_string());
        let (name, reference) = match (text.split_once('@'), text.split_once(':')) {
            (Some((name, digest)), _) => {
                let digest = digest.parse().map_err(|error| wrong(&error))?;
                (name, Some(Reference::Digest(digest)))
            }
            (None, Some((name, tag))) => {
                (name, Some(Reference::Tag(tag.parse().map_err(|error| wrong(&error))?)))
            }
            (None, None) => (text, None),
        };
        let repository = name.parse().map_err(|error| wrong(&error))?;
        Ok(Self { repository, reference })
    }
}
