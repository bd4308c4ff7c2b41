//! The transparency log: entries without a gap, each in the transaction of what it is about; and the head
//! of the tree that they are part of soon after.

use plura_oci::Digest;

use crate::{Connection, Error, Timestamp, Tx};

/// An entry to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry<'a> {
    /// What happened: `promotion.finished`, `block.created`.
    pub kind: &'a str,
    /// What it is about: a digest, or a channel of a service.
    pub subject: &'a str,
    /// The digests that it is found by, whatever its subject is.
    pub digests: &'a [Digest],
    /// What there is to say of it, as JSON. It is part of what is hashed, as are all the others.
    pub document: &'a [u8],
}

/// An entry that was added.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct LoggedEntry {
    /// Its number, from zero.
    pub position: i64,
    /// When it was added.
    pub at: Timestamp,
    /// What happened.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// What there is to say of it, as JSON.
    pub document: Vec<u8>,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Those about this.
    pub subject: Option<String>,
    /// Of this kind; one that ends with `.` stands for all that begin so.
    pub kind: Option<String>,
    /// Those that were added before this one.
    pub before: Option<i64>,
}

/// The head that was signed last.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Head {
    /// How many entries are part of the tree.
    pub size: i64,
    /// The root of the tree, in base64.
    pub root: String,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// The name of the log.
    pub origin: String,
    /// When it was signed.
    pub signed_at: Timestamp,
}

/// The public half of a key that heads were ever signed with.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Key {
    /// The line that verifiers read.
    pub verifier: String,
    /// Since when it is used.
    pub created_at: Timestamp,
}

/// The one row of the head.
const HEAD: i64 = 1;

/// Adds an entry; its position, counted from zero. Writes are serial, so there is never a gap. A position
/// that was signed is not used again, even if its row was taken away.
pub async fn append(tx: &mut Tx, entry: &NewEntry<'_>, now: Timestamp) -> Result<i64, Error> {
    const SQL: &str = "
        insert into log_entry (position, at, kind, subject, document)
        select max(free), $1, $2, $3, $4
        from (
            select coalesce(max(position) + 1, 0) as free from log_entry
            union all
            select size as free from log_head
        ) as places
        returning position";
    const ABOUT: &str = "
        insert into log_digest (digest, position) values ($1, $2)
        on conflict (digest, position) do nothing";
    let insert = tx.query_scalar(SQL).bind(now).bind(entry.kind).bind(entry.subject);
    let position: i64 = insert.bind(entry.document).fetch_one().await?;
    for digest in entry.digests {
        tx.query(ABOUT).bind(digest.to_string()).bind(position).execute().await?;
    }
    Ok(position)
}

/// The entries about a digest, the newest first; at most `limit`.
pub async fn about(
    connection: &mut Connection,
    digest: &Digest,
    limit: u32,
) -> Result<Vec<LoggedEntry>, Error> {
    const SQL: &str = "
        select log_entry.position, at, kind, subject, document
        from log_digest join log_entry on log_entry.position = log_digest.position
        where log_digest.digest = $1
        order by log_digest.position desc
        limit $2";
    let query = connection.query_as(SQL).bind(digest.to_string());
    query.bind(i64::from(limit)).fetch_all().await
}

/// How many entries there are.
pub async fn size(connection: &mut Connection) -> Result<i64, Error> {
    const SQL: &str = "select coalesce(max(position) + 1, 0) from log_entry";
    connection.query_scalar(SQL).fetch_one().await
}

/// Entries from a position on, in their order.
pub async fn entries(
    connection: &mut Connection,
    from: i64,
    limit: u32,
) -> Result<Vec<LoggedEntry>, Error> {
    const SQL: &str = "
        select position, at, kind, subject, document from log_entry
        where position >= $1
        order by position
        limit $2";
    connection.query_as(SQL).bind(from).bind(i64::from(limit)).fetch_all().await
}

/// The entries that the filter lets through, the newest first; at most `limit`.
pub async fn list(
    connection: &mut Connection,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<LoggedEntry>, Error> {
    // Walks the key downwards from where the page starts, or the index of subjects.
    const SQL: &str = "
        select position, at, kind, subject, document from log_entry
        where position < $1
          and (cast($2 as text) is null or subject = $2)
          and (cast($3 as text) is null or kind = $3
               or ($3 like '%.' and substr(kind, 1, length($3)) = $3))
        order by position desc
        limit $4";
    if [&filter.subject, &filter.kind].into_iter().flatten().any(|text| text.contains('\0')) {
        // No entry has a zero byte, and PostgreSQL takes no text with one.
        return Ok(Vec::new());
    }
    let query = connection.query_as(SQL).bind(filter.before.unwrap_or(i64::MAX));
    let query = query.bind(&filter.subject).bind(&filter.kind);
    query.bind(i64::from(limit)).fetch_all().await
}

/// The head; nothing if none was ever signed.
pub async fn head(connection: &mut Connection) -> Result<Option<Head>, Error> {
    const SQL: &str = "
        select size, root, checkpoint, origin, signed_at from log_head where id = $1";
    connection.query_as(SQL).bind(HEAD).fetch_optional().await
}

/// Makes the first head; `false` if there is one.
pub async fn insert_head(tx: &mut Tx, head: &Head) -> Result<bool, Error> {
    const SQL: &str = "
        insert into log_head (id, size, root, checkpoint, origin, signed_at)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (id) do nothing";
    let query = tx.query(SQL).bind(HEAD).bind(head.size).bind(&head.root).bind(&head.checkpoint);
    Ok(query.bind(&head.origin).bind(head.signed_at).execute().await? > 0)
}

/// Puts a head in the place of one of that size and origin; `false` if there is another one meanwhile.
pub async fn replace_head(tx: &mut Tx, before: &Head, head: &Head) -> Result<bool, Error> {
    const SQL: &str = "
        update log_head set size = $2, root = $3, checkpoint = $4, origin = $5, signed_at = $6
        where id = $1 and size = $7 and root = $8 and origin = $9";
    let query = tx.query(SQL).bind(HEAD).bind(head.size).bind(&head.root).bind(&head.checkpoint);
    let query = query.bind(&head.origin).bind(head.signed_at);
    let query = query.bind(before.size).bind(&before.root).bind(&before.origin);
    Ok(query.execute().await? > 0)
}

/// Publishes a key, unless it is.
pub async fn add_key(tx: &mut Tx, verifier: &str, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        insert into log_key (verifier, created_at) values ($1, $2)
        on conflict (verifier) do nothing";
    tx.query(SQL).bind(verifier).bind(now).execute().await.map(|_| ())
}

/// All keys that heads were ever signed with, the oldest first.
pub async fn keys(connection: &mut Connection) -> Result<Vec<Key>, Error> {
    const SQL: &str = "select verifier, created_at from log_key order by created_at, verifier";
    connection.query_as(SQL).fetch_all().await
}
