//! What was read from layers, each once.

use plura_oci::Digest;

use crate::{Connection, Error, Timestamp, Tx, db::json_array};

/// What was read from a layer.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredLayer {
    /// The version of what read it.
    pub reader: i64,
    /// What it says; nothing if it could not be read.
    pub document: Option<Vec<u8>>,
    /// Why it could not be read.
    pub problem: Option<String>,
}

/// What was read from the layer of that digest, if it was.
pub async fn find(
    connection: &mut Connection,
    digest: &Digest,
) -> Result<Option<StoredLayer>, Error> {
    const SQL: &str = "select reader, document, problem from layer_contents where digest = $1";
    connection.query_as(SQL).bind(digest.to_string()).fetch_optional().await
}

/// Keeps what was read from a layer in the place of what an older reader read. Nothing is kept of a blob
/// that is gone.
pub async fn keep(
    tx: &mut Tx,
    digest: &Digest,
    layer: &StoredLayer,
    read_at: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        insert into layer_contents (digest, reader, document, problem, read_at)
        select blob.digest, cast($2 as bigint), $3, $4, cast($5 as bigint)
        from blob where blob.digest = $1
        on conflict (digest) do update
            set reader = excluded.reader, document = excluded.document,
                problem = excluded.problem, read_at = excluded.read_at";
    tx.query(SQL)
        .bind(digest.to_string())
        .bind(layer.reader)
        .bind(&layer.document)
        .bind(&layer.problem)
        .bind(read_at)
        .execute()
        .await?;
    Ok(())
}

/// Lets layers be read again when they are asked for.
pub async fn outdate(tx: &mut Tx, digests: impl IntoIterator<Item = &Digest>) -> Result<(), Error> {
    const SQL: &str = "
        update layer_contents set reader = 0
        where digest in (select outdated.value from json_each($1) as outdated)";
    tx.query(SQL).bind(json_array(digests)).execute().await?;
    Ok(())
}

/// Forgets what was read from a blob that goes.
pub(crate) async fn forget(tx: &mut Tx, digest: &str) -> Result<(), Error> {
    tx.query("delete from layer_contents where digest = $1").bind(digest).execute().await?;
    Ok(())
}
