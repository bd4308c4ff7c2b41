//! What is known of manifests, and which of it is to be found out again.
//!
//! Whoever changes what a repository has about a manifest asks for a review of its evidence, in the same
//! transaction: [`crate::manifest`] and [`crate::tag`] do, so that nothing can be forgotten. Most
//! manifests come before anything is said about them, and of many nothing ever is: these have neither
//! evidence nor a review, and cost nothing.

use plura_oci::{AttachmentKind, Digest, Reference, RepositoryName, Tag};

use crate::{
    Connection, Error, RepositoryId, Timestamp, Tx,
    db::{json_array, parse},
};

/// A manifest, with what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its repository.
    pub repository: RepositoryId,
    /// Its digest.
    pub digest: Digest,
    /// What was found out. Where there is neither this nor a review, nothing is said about it.
    pub kept: Option<Kept>,
    /// The review that is asked for, by its count.
    pub asked: Option<i64>,
}

/// What was found out about a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// What it was decided from.
    pub basis: String,
    /// What it is, as JSON.
    pub document: String,
    /// Until when it holds, if it ends by itself.
    pub until: Option<Timestamp>,
}

/// Evidence to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvidence {
    /// What it was decided from.
    pub basis: String,
    /// Whether the policies are met; nothing where there is none.
    pub verified: Option<bool>,
    /// What it is, as JSON.
    pub document: String,
    /// When.
    pub gathered_at: Timestamp,
    /// Until when it holds, if it ends by itself.
    pub until: Option<Timestamp>,
}

/// A manifest whose evidence is to be gathered again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// Its repository.
    pub repository: RepositoryId,
    /// Its digest.
    pub digest: Digest,
    /// The count of what asked for it.
    pub asked: i64,
}

/// A manifest that the walk came by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passed {
    /// Its repository.
    pub repository: RepositoryId,
    /// The repository's name.
    pub name: RepositoryName,
    /// Its digest.
    pub digest: Digest,
    /// What its evidence was decided from, if there is some.
    pub basis: Option<String>,
}

/// Something that a repository has about a manifest: one that names it as its subject, or stands under
/// a tag of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The key of its row, and the order in which such things came.
    pub id: i64,
    /// Its digest.
    pub digest: Digest,
    /// Its artifact type.
    pub artifact_type: Option<String>,
    /// When it came.
    pub pushed_at: Timestamp,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

#[derive(sqlx::FromRow)]
struct KnownRow {
    repository: RepositoryId,
    digest: String,
    basis: Option<String>,
    document: Option<String>,
    until: Option<Timestamp>,
    asked: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct AttachedRow {
    id: i64,
    digest: String,
    artifact_type: Option<String>,
    pushed_at: Timestamp,
    bytes: Vec<u8>,
}

/// The manifest that the tag points at, or of that digest, with what is known of it.
pub async fn find(
    connection: &mut Connection,
    repository: &RepositoryName,
    reference: &Reference,
) -> Result<Option<Known>, Error> {
    const BY_TAG: &str = "
        select manifest.repository_id as repository, manifest.digest, evidence.basis,
            evidence.document, evidence.until, evidence_review.asked
        from repository
        join tag on tag.repository_id = repository.id and tag.name = $2
        join manifest on manifest.repository_id = repository.id and manifest.digest = tag.digest
        left join evidence on evidence.repository_id = repository.id
            and evidence.digest = manifest.digest
        left join evidence_review on evidence_review.repository_id = repository.id
            and evidence_review.digest = manifest.digest
        where repository.name = $1";
    const BY_DIGEST: &str = "
        select manifest.repository_id as repository, manifest.digest, evidence.basis,
            evidence.document, evidence.until, evidence_review.asked
        from repository
        join manifest on manifest.repository_id = repository.id and manifest.digest = $2
        left join evidence on evidence.repository_id = repository.id
            and evidence.digest = manifest.digest
        left join evidence_review on evidence_review.repository_id = repository.id
            and evidence_review.digest = manifest.digest
        where repository.name = $1";
    let sql = match reference {
        Reference::Tag(_) => BY_TAG,
        Reference::Digest(_) => BY_DIGEST,
    };
    let row: Option<KnownRow> = connection
        .query_as(sql)
        .bind(repository.as_str())
        .bind(reference.to_string())
        .fetch_optional()
        .await?;
    row.map(TryInto::try_into).transpose()
}

/// Keeps evidence in the place of what was known; whether the policies were met before. Nothing is kept
/// of a manifest that is gone.
pub async fn keep(
    tx: &mut Tx,
    repository: RepositoryId,
    digest: &Digest,
    new: &NewEvidence,
) -> Result<Option<Change>, Error> {
    const BEFORE: &str = "
        select evidence.basis, evidence.verified
        from manifest
        left join evidence on evidence.repository_id = manifest.repository_id
            and evidence.digest = manifest.digest
        where manifest.repository_id = $1 and manifest.digest = $2";
    const SQL: &str = "
        insert into evidence (repository_id, digest, basis, verified, document, gathered_at, until)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (repository_id, digest) do update
            set basis = excluded.basis, verified = excluded.verified,
                document = excluded.document, gathered_at = excluded.gathered_at,
                until = excluded.until";
    let before: Option<(Option<String>, Option<i64>)> =
        tx.query_as(BEFORE).bind(repository).bind(digest.to_string()).fetch_optional().await?;
    let Some((basis, verified)) = before else { return Ok(None) };
    tx.query(SQL)
        .bind(repository)
        .bind(digest.to_string())
        .bind(&new.basis)
        .bind(new.verified.map(i64::from))
        .bind(&new.document)
        .bind(new.gathered_at)
        .bind(new.until)
        .execute()
        .await?;
    let verified = verified.map(|verified| verified != 0);
    Ok(Some(if basis.is_some() { Change::From(verified) } else { Change::First }))
}

/// What was known before evidence was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing.
    First,
    /// Whether the policies were met; nothing where there was none.
    From(Option<bool>),
}

/// Forgets what is known of a manifest that goes.
pub(crate) async fn forget(
    tx: &mut Tx,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<(), Error> {
    const EVIDENCE: &str = "delete from evidence where repository_id = $1 and digest = $2";
    const REVIEW: &str = "delete from evidence_review where repository_id = $1 and digest = $2";
    for sql in [EVIDENCE, REVIEW] {
        tx.query(sql).bind(repository).bind(digest.to_string()).execute().await?;
    }
    Ok(())
}

/// Asks for the evidence of those digests that are manifests of the repository, and of their children,
/// to be gathered again.
pub async fn ask<'d>(
    tx: &mut Tx,
    repository: RepositoryId,
    digests: impl IntoIterator<Item = &'d Digest>,
) -> Result<(), Error> {
    const SQL: &str = "
        insert into evidence_review (repository_id, digest, asked, claimed_until)
        select manifest.repository_id, manifest.digest, 1, 0
        from manifest
        where manifest.repository_id = $1 and manifest.digest in (
            select wanted.value from json_each($2) as wanted
            union
            select child.digest from manifest_reference as child
            where child.manifest_id in (
                select parent.id from manifest as parent
                where parent.repository_id = $1
                  and parent.digest in (select asked.value from json_each($2) as asked)
            )
        )
        on conflict (repository_id, digest) do update set asked = evidence_review.asked + 1";
    tx.query(SQL).bind(repository).bind(json_array(digests)).execute().await?;
    Ok(())
}

/// Asks for the evidence that a manifest which has just come calls for: of its subject, of the children of
/// both, and of itself if something is said about it already.
pub(crate) async fn arrived(
    tx: &mut Tx,
    repository: RepositoryId,
    digest: &Digest,
    subject: Option<&Digest>,
) -> Result<(), Error> {
    const SQL: &str = "
        insert into evidence_review (repository_id, digest, asked, claimed_until)
        select manifest.repository_id, manifest.digest, 1, 0
        from manifest
        where manifest.repository_id = $1 and manifest.digest in (
            select child.digest from manifest_reference as child
            where child.manifest_id in (
                select parent.id from manifest as parent
                where parent.repository_id = $1 and parent.digest in ($2, $3)
            )
            union select cast($3 as text)
            union select cast($2 as text)
            where exists (
                    select 1 from manifest as referrer
                    where referrer.repository_id = $1 and referrer.subject = $2
                )
                or exists (
                    select 1 from manifest_reference as parent
                    where parent.repository_id = $1 and parent.digest = $2
                )
                or exists (
                    select 1 from tag
                    where tag.repository_id = $1
                      and tag.name in (select name.value from json_each($4) as name)
                )
        )
        on conflict (repository_id, digest) do update set asked = evidence_review.asked + 1";
    tx.query(SQL)
        .bind(repository)
        .bind(digest.to_string())
        .bind(subject.map(ToString::to_string))
        .bind(json_array(&attachments(digest)))
        .execute()
        .await?;
    Ok(())
}

/// Asks for the evidence of a manifest to be gathered again, if there is some.
pub(crate) async fn ask_again(
    tx: &mut Tx,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<(), Error> {
    const SQL: &str = "
        insert into evidence_review (repository_id, digest, asked, claimed_until)
        select repository_id, digest, 1, 0 from evidence
        where repository_id = $1 and digest = $2
        on conflict (repository_id, digest) do update set asked = evidence_review.asked + 1";
    tx.query(SQL).bind(repository).bind(digest.to_string()).execute().await?;
    Ok(())
}

/// The tags under which something about a manifest stands.
fn attachments(subject: &Digest) -> Vec<Tag> {
    AttachmentKind::ALL.iter().filter_map(|kind| Tag::of_attachment(subject, *kind)).collect()
}

/// Reviews that wait, whoever has taken them; at most `limit`.
pub async fn waiting(connection: &mut Connection, limit: u32) -> Result<Vec<Review>, Error> {
    const SQL: &str = "
        select repository_id, digest, asked from evidence_review
        order by claimed_until limit $1";
    connection
        .query_as(SQL)
        .bind(i64::from(limit))
        .fetch_all()
        .await?
        .into_iter()
        .map(review)
        .collect()
}

/// Takes reviews that nobody has taken, for as long as `until`; at most `limit`.
pub async fn take(
    tx: &mut Tx,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<Review>, Error> {
    const SQL: &str = "
        update evidence_review set claimed_until = $2
        where (repository_id, digest) in (
            select repository_id, digest from evidence_review
            where claimed_until <= $1 order by claimed_until limit $3
        )
        returning repository_id, digest, asked";
    let query = tx.query_as(SQL).bind(now).bind(until).bind(i64::from(limit));
    query.fetch_all().await?.into_iter().map(review).collect()
}

fn review((repository, digest, asked): (RepositoryId, String, i64)) -> Result<Review, Error> {
    let digest = parse("evidence_review.digest", &digest)?;
    Ok(Review { repository, digest, asked })
}

/// Ends a review, unless it was asked for again since.
pub async fn finish(tx: &mut Tx, review: &Review) -> Result<(), Error> {
    const DONE: &str = "
        delete from evidence_review where repository_id = $1 and digest = $2 and asked = $3";
    const AGAIN: &str = "
        update evidence_review set claimed_until = 0 where repository_id = $1 and digest = $2";
    let digest = review.digest.to_string();
    let done = tx.query(DONE).bind(review.repository).bind(&digest).bind(review.asked);
    if done.execute().await? == 0 {
        tx.query(AGAIN).bind(review.repository).bind(&digest).execute().await?;
    }
    Ok(())
}

/// How many reviews wait.
pub async fn count_waiting(connection: &mut Connection) -> Result<u64, Error> {
    let count: i64 =
        connection.query_scalar("select count(*) from evidence_review").fetch_one().await?;
    Ok(count.unsigned_abs())
}

/// Lets the walk over all manifests begin from the start.
pub async fn begin_walk(tx: &mut Tx) -> Result<(), Error> {
    const SQL: &str = "
        insert into evidence_walk (id, manifest_id) values (1, 0)
        on conflict (id) do update set manifest_id = 0";
    tx.query(SQL).execute().await?;
    Ok(())
}

/// The next manifests of the walk, at most `limit`; nothing where there is no walk. The walk that has
/// come to its end is over.
pub async fn walk(tx: &mut Tx, limit: u32) -> Result<Option<Vec<Passed>>, Error> {
    const POSITION: &str = "select manifest_id from evidence_walk";
    const NEXT: &str = "
        select manifest.id, manifest.repository_id, repository.name, manifest.digest, evidence.basis
        from manifest
        join repository on repository.id = manifest.repository_id
        left join evidence on evidence.repository_id = manifest.repository_id
            and evidence.digest = manifest.digest
        where manifest.id > $1
        order by manifest.id limit $2";
    const PASSED: &str = "update evidence_walk set manifest_id = $1";
    const OVER: &str = "delete from evidence_walk";
    type Row = (i64, RepositoryId, String, String, Option<String>);
    let position: Option<i64> = tx.query_scalar(POSITION).fetch_optional().await?;
    let Some(position) = position else { return Ok(None) };
    let rows: Vec<Row> =
        tx.query_as(NEXT).bind(position).bind(i64::from(limit)).fetch_all().await?;
    let Some((last, ..)) = rows.last() else {
        tx.query(OVER).execute().await?;
        return Ok(Some(Vec::new()));
    };
    tx.query(PASSED).bind(*last).execute().await?;
    let passed = |(_, repository, name, digest, basis): Row| {
        let (name, digest) = (parse("repository.name", &name)?, parse("manifest.digest", &digest)?);
        Ok(Passed { repository, name, digest, basis })
    };
    rows.into_iter().map(passed).collect::<Result<_, Error>>().map(Some)
}

/// What names the manifest as its subject, in the order it came in, behind `after`; at most `limit`.
pub async fn referrers(
    connection: &mut Connection,
    repository: RepositoryId,
    subject: &Digest,
    after: i64,
    limit: u32,
) -> Result<Vec<Attached>, Error> {
    const SQL: &str = "
        select id, digest, artifact_type, pushed_at, bytes from manifest
        where id in (
            select id from manifest
            where repository_id = $1 and subject = $2 and id > $3 order by id limit $4
        )
        order by id";
    let rows: Vec<AttachedRow> = connection
        .query_as(SQL)
        .bind(repository)
        .bind(subject.to_string())
        .bind(after)
        .bind(i64::from(limit))
        .fetch_all()
        .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// What the tag points at.
pub async fn tagged(
    connection: &mut Connection,
    repository: RepositoryId,
    tag: &Tag,
) -> Result<Option<Attached>, Error> {
    Ok(all_tagged(connection, repository, std::slice::from_ref(tag))
        .await?
        .pop()
        .map(|(_, attached)| attached))
}

/// What stands under tags of the subject's name, by tag.
pub async fn attached(
    connection: &mut Connection,
    repository: RepositoryId,
    subject: &Digest,
) -> Result<Vec<(Tag, Attached)>, Error> {
    all_tagged(connection, repository, &attachments(subject)).await
}

async fn all_tagged(
    connection: &mut Connection,
    repository: RepositoryId,
    tags: &[Tag],
) -> Result<Vec<(Tag, Attached)>, Error> {
    const SQL: &str = "
        select tag.name, manifest.id, manifest.digest, manifest.artifact_type, manifest.pushed_at,
            manifest.bytes
        from tag
        join manifest on manifest.repository_id = tag.repository_id and manifest.digest = tag.digest
        where tag.repository_id = $1 and tag.name in (select name.value from json_each($2) as name)
        order by tag.name";
    #[derive(sqlx::FromRow)]
    struct Row {
        name: String,
        #[sqlx(flatten)]
        attached: AttachedRow,
    }
    let rows: Vec<Row> =
        connection.query_as(SQL).bind(repository).bind(json_array(tags)).fetch_all().await?;
    rows.into_iter()
        .map(|row| Ok((parse("tag.name", &row.name)?, row.attached.try_into()?)))
        .collect()
}

/// Notes when signatures under a tag of the subject's name came; those that are noted stay as they are.
pub async fn arrive<'d>(
    tx: &mut Tx,
    repository: RepositoryId,
    subject: &Digest,
    signatures: impl IntoIterator<Item = &'d Digest>,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        insert into signature_arrival (repository_id, subject, signature, arrived_at)
        select cast($1 as bigint), $2, arrived.value, cast($4 as bigint)
        from json_each($3) as arrived where true
        on conflict (repository_id, subject, signature) do nothing";
    tx.query(SQL)
        .bind(repository)
        .bind(subject.to_string())
        .bind(json_array(signatures))
        .bind(now)
        .execute()
        .await?;
    Ok(())
}

/// When the signatures under the tags of the subject's name came, as far as it is noted.
pub async fn arrivals(
    connection: &mut Connection,
    repository: RepositoryId,
    subject: &Digest,
) -> Result<Vec<(Digest, Timestamp)>, Error> {
    const SQL: &str = "
        select signature, arrived_at from signature_arrival
        where repository_id = $1 and subject = $2";
    let rows: Vec<(String, Timestamp)> =
        connection.query_as(SQL).bind(repository).bind(subject.to_string()).fetch_all().await?;
    let arrival = |(signature, at): (String, Timestamp)| {
        Ok((parse("signature_arrival.signature", &signature)?, at))
    };
    rows.into_iter().map(arrival).collect()
}

impl TryFrom<KnownRow> for Known {
    type Error = Error;

    fn try_from(row: KnownRow) -> Result<Self, Error> {
        let kept = row.basis.zip(row.document);
        Ok(Self {
            repository: row.repository,
            digest: parse("manifest.digest", &row.digest)?,
            kept: kept.map(|(basis, document)| Kept { basis, document, until: row.until }),
            asked: row.asked,
        })
    }
}

impl TryFrom<AttachedRow> for Attached {
    type Error = Error;

    fn try_from(row: AttachedRow) -> Result<Self, Error> {
        let digest = parse("manifest.digest", &row.digest)?;
        let AttachedRow { id, artifact_type, pushed_at, bytes, .. } = row;
        Ok(Self { id, digest, artifact_type, pushed_at, bytes })
    }
}
