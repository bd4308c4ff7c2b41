//! Metadata against itself.

use std::collections::BTreeSet;

use plura_meta::{
    RepositoryId, Timestamp, Tx, blob, check as queries, manifest, project,
    review::{self, Kind, Review},
    total,
};
use plura_oci::{Digest, Manifest};

use super::{Check, FindingKind};
use crate::{Error, Sparse, manifests::Delete, push};

impl Check<'_> {
    /// Every manifest against what is recorded of it. In an installation that is in use, this takes one
    /// instant of it; repair sees what it has mended.
    pub(super) async fn manifests(&mut self) -> Result<(), Error> {
        if self.db.is_some() {
            return self.every_manifest().await;
        }
        self.connection.begin_snapshot().await?;
        self.every_manifest().await?;
        Ok(self.connection.end_snapshot().await?)
    }

    async fn every_manifest(&mut self) -> Result<(), Error> {
        let mut after = 0;
        while let Some(row) = manifest::scan(&mut self.connection, after).await? {
            after = row.id;
            self.report.manifests += 1;
            let intact = row
                .digest
                .parse::<Digest>()
                .ok()
                .filter(|digest| Digest::of(digest.algorithm(), &row.bytes) == *digest)
                .and_then(|_| Manifest::parse(&row.bytes, None).ok());
            match intact {
                None => self.damaged_manifest(&row).await?,
                Some(parsed) => {
                    self.references(&row, &parsed).await?;
                    self.required_blobs(&row, &parsed).await?;
                }
            }
        }
        Ok(())
    }

    async fn damaged_manifest(&mut self, row: &manifest::Scanned) -> Result<(), Error> {
        let subject = row.clone();
        let delete = Delete {
            now: Timestamp::now(),
            grace: self.settings.grace,
            untagged_review: self.settings.untagged_review(),
        };
        let remove = async move |tx: &mut Tx| {
            if let Ok(digest) = subject.digest.parse() {
                delete.manifest(tx, subject.repository, &digest, None).await?;
                return Ok(());
            }
            Ok(queries::delete_manifest(tx, &subject).await?)
        };
        let name = self.name(row.repository).await?;
        let repaired = self.repair(|tx| Box::pin(async move { remove(tx).await })).await?;
        let detail = format!("the bytes in {name} are not those of the digest; push it again");
        self.report.add(FindingKind::DamagedManifest, &row.digest, detail, repaired);
        Ok(())
    }

    async fn references(
        &mut self,
        row: &manifest::Scanned,
        parsed: &Manifest,
    ) -> Result<(), Error> {
        let Ok(digest) = row.digest.parse() else { return Ok(()) };
        let mut wanted = push::new_manifest(digest, parsed.clone(), &row.bytes);
        // Bytes that name no media type were pushed with one, which only the row knows.
        if Manifest::parse(&row.bytes, Some(&row.media_type)).is_ok() {
            wanted.media_type.clone_from(&row.media_type);
        }
        let texts: BTreeSet<String> = wanted.references.iter().map(ToString::to_string).collect();
        let references = texts == row.references.iter().cloned().collect();
        let subject = wanted.subject.map(|subject| subject.to_string());
        let size = i64::try_from(wanted.bytes.len()).unwrap_or(i64::MAX);
        let rest = (&wanted.media_type, &wanted.artifact_type, &wanted.annotations, subject, size)
            == (
                &row.media_type,
                &row.artifact_type,
                &row.annotations,
                row.subject.clone(),
                row.size,
            );
        if references && rest {
            return Ok(());
        }
        let detail = if references {
            "its recorded media type, artifact type, annotations, subject or size are not its bytes'"
                .to_owned()
        } else {
            let (recorded, found) = (row.references.len(), texts.len());
            format!("recorded to reference {recorded} digests, and its bytes have {found}")
        };
        let recorded = row.clone();
        let record =
            async move |tx: &mut Tx| Ok(manifest::record_again(tx, &recorded, &wanted).await?);
        let repaired = self.repair(|tx| Box::pin(async move { record(tx).await })).await?;
        self.report.add(FindingKind::WrongReferences, &row.digest, detail, repaired);
        Ok(())
    }

    async fn required_blobs(
        &mut self,
        row: &manifest::Scanned,
        parsed: &Manifest,
    ) -> Result<(), Error> {
        if self.settings.sparse == Sparse::All {
            return Ok(());
        }
        let required: Vec<Digest> = parsed.required_blobs().map(|d| d.digest).collect();
        let missing = blob::missing(&mut self.connection, row.repository, &required).await?;
        for digest in missing {
            let found = blob::find(&mut self.connection, &digest).await?;
            let is_there = found.is_some();
            let (repository, now) = (row.repository, Timestamp::now());
            let relink = async move |tx: &mut Tx| {
                if let Some(found) = found {
                    blob::link(tx, repository, found.id, now).await?;
                }
                Ok(())
            };
            let repaired =
                is_there && self.repair(|tx| Box::pin(async move { relink(tx).await })).await?;
            let name = self.name(row.repository).await?;
            let advice = if is_there { "the store has it" } else { "push the image again" };
            let detail = format!("{name} does not link {digest}, which it references; {advice}");
            self.report.add(FindingKind::MissingReference, &row.digest, detail, repaired);
        }
        Ok(())
    }

    pub(super) async fn tags(&mut self) -> Result<(), Error> {
        for dangling in queries::dangling_tags(&mut self.connection).await? {
            let (repository, name) = (dangling.repository_id, dangling.name.clone());
            let remove =
                async move |tx: &mut Tx| Ok(queries::delete_tag(tx, repository, &name).await?);
            let repaired = self.repair(|tx| Box::pin(async move { remove(tx).await })).await?;
            let subject = format!("{}:{}", dangling.repository, dangling.name);
            let detail = "the manifest that it points at does not exist".to_owned();
            self.report.add(FindingKind::DanglingTag, &subject, detail, repaired);
        }
        Ok(())
    }

    pub(super) async fn garbage(&mut self) -> Result<(), Error> {
        let connection = &mut self.connection;
        let (now, grace) = (Timestamp::now(), self.settings.grace);
        if let Some(keep) = self.settings.untagged_review() {
            for found in queries::forgotten_manifests(connection).await? {
                let what = format!("nothing in {} needs it", found.repository);
                let repository = Some(found.repository_id);
                let due_at = now.after(keep);
                self.forgotten(Kind::Manifest, repository, found.name, what, due_at).await?;
            }
        }
        for found in queries::forgotten_links(&mut self.connection).await? {
            let what = format!("{} links it for nothing", found.repository);
            let repository = Some(found.repository_id);
            self.forgotten(Kind::Link, repository, found.name, what, now.after(grace)).await?;
        }
        for digest in queries::forgotten_blobs(&mut self.connection).await? {
            let what = "no repository links it".to_owned();
            self.forgotten(Kind::Blob, None, digest, what, now.after(grace)).await?;
        }
        Ok(())
    }

    async fn forgotten(
        &mut self,
        kind: Kind,
        repository: Option<RepositoryId>,
        digest: String,
        what: String,
        due_at: Timestamp,
    ) -> Result<(), Error> {
        // Rows whose digest is none were reported as damaged before.
        let Ok(parsed) = digest.parse() else { return Ok(()) };
        let review = Review { kind, repository, digest: parsed, due_at };
        let schedule = async move |tx: &mut Tx| Ok(review::schedule(tx, &review).await?);
        let repaired = self.repair(|tx| Box::pin(async move { schedule(tx).await })).await?;
        let detail = format!("{what}, and nobody would have collected it");
        self.report.add(FindingKind::ForgottenGarbage, &digest, detail, repaired);
        Ok(())
    }

    pub(super) async fn totals(&mut self) -> Result<(), Error> {
        self.connection.begin_snapshot().await?;
        let recorded = total::read(&mut self.connection).await?;
        let (blobs, bytes) = total::count(&mut self.connection).await?;
        let miscounted = project::miscounted(&mut self.connection).await?;
        self.connection.end_snapshot().await?;
        if !miscounted.is_empty() {
            let detail = "what these projects use is not what was counted".to_owned();
            let repaired =
                self.repair(|tx| Box::pin(async move { Ok(project::recount(tx).await?) })).await?;
            self.report.add(FindingKind::WrongTotal, &miscounted.join(", "), detail, repaired);
        }
        if (recorded.blobs, recorded.blob_bytes) == (blobs, bytes) {
            return Ok(());
        }
        let (wrong, wrong_bytes) = (recorded.blobs, recorded.blob_bytes);
        let detail =
            format!("recorded {wrong} blobs of {wrong_bytes} bytes, counted {blobs} of {bytes}");
        let repaired =
            self.repair(|tx| Box::pin(async move { Ok(total::repair(tx).await?) })).await?;
        self.report.add(FindingKind::WrongTotal, "blobs", detail, repaired);
        Ok(())
    }
}
