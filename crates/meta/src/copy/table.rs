//! Tables, row by row.

use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use plura_oci::{Algorithm, Digest, Hasher};
use sqlx::{AssertSqlSafe, PgConnection, SqliteConnection};

use super::cell::{Cell, Kind, as_arrays, as_values};
use crate::{Connection, Error, Tx, db::ConnectionKind};

/// Every table with the columns that order it, those first that others point at.
pub const TABLES: &[(&str, &str)] = &[
    ("project", "id"),
    ("repository", "id"),
    ("blob", "id"),
    ("blob_link", "repository_id, blob_id"),
    ("manifest", "id"),
    ("manifest_reference", "manifest_id, digest"),
    ("tag", "repository_id, name"),
    ("upload", "id"),
    ("review", "kind, repository_id, digest"),
    ("removal", "storage_key"),
    ("total", "name"),
    ("project_blob", "project_id, blob_id"),
    ("account", "id"),
    ("credential", "id"),
    ("membership", "id"),
    ("trust", "name"),
    ("used_nonce", "issuer, nonce"),
    ("audit", "id"),
    ("adopted_root", "id"),
    ("lease", "name"),
    ("signing_key", "kid"),
    ("trust_policy", "name"),
    ("trust_root", "id"),
    ("evidence", "repository_id, digest"),
    ("evidence_review", "repository_id, digest"),
    ("evidence_walk", "id"),
    ("signature_arrival", "repository_id, subject, signature"),
    ("manifest_build", "repository_id, digest, source, revision, run"),
    ("failed_login", "key"),
    ("layer_contents", "digest"),
    ("image", "id"),
    ("image_layer", "image_id, position"),
    ("package", "id"),
    ("image_package", "image_id, package_id"),
    ("image_review", "digest"),
    ("contents_walk", "id"),
    ("advisory_import", "id"),
    ("advisory_block", "import_id, position"),
    ("advisory_source", "name"),
    ("package_vulnerability", "package_id, vulnerability"),
    ("vulnerability_exception", "id"),
    ("vex_document", "digest"),
    ("scanner_report", "repository_id, digest, scanner"),
    ("channel", "id"),
    ("channel_move", "channel_id, number"),
    ("promotion", "id"),
    ("rollback_key", "hash"),
    ("idempotency_key", "actor, name"),
    ("scanner", "name"),
    ("log_entry", "position"),
    ("log_head", "id"),
    ("log_key", "verifier"),
    ("log_digest", "digest, position"),
    ("summary_due", "id"),
    ("tag_event", "repository_id, tag, at"),
    ("policy_version", "id"),
    ("governance_state", "id"),
    ("manifest_author", "repository_id, digest"),
    ("approval", "id"),
    ("posted_check", "repository, digest, name, poster"),
    ("digest_block", "id"),
    ("channel_freeze", "id"),
    ("decision_facts", "digest"),
    ("decision", "id"),
    ("webhook", "id"),
    ("webhook_delivery", "webhook_id, audit_id"),
    ("event_cursor", "id"),
    ("job", "name"),
    ("manifest_use", "repository_id, digest"),
    ("hold", "id"),
    ("retention_plan", "id"),
    ("retention_item", "plan_id, position"),
];

/// Rows that are written with one statement, and their bytes.
const ROWS: usize = 1000;
const BYTES: usize = 4 << 20;

type Rows<'s> = BoxStream<'s, Result<Vec<Cell>, Error>>;

/// A table and its columns, by name.
#[derive(Debug)]
pub(super) struct Table {
    name: &'static str,
    key: &'static str,
    columns: Vec<String>,
    kinds: Vec<Kind>,
}

impl Table {
    /// A table as one side has it.
    pub(super) async fn of(
        name: &'static str,
        key: &'static str,
        side: &mut Connection,
    ) -> Result<Self, Error> {
        const HERE: &str = "select name, type from pragma_table_info($1) order by name";
        const THERE: &str = "
            select cast(column_name as text), cast(data_type as text)
            from information_schema.columns
            where table_schema = current_schema() and table_name = $1
            order by cast(column_name as text) collate \"C\"";
        let sql = if side.is_postgres() { THERE } else { HERE };
        let found: Vec<(String, String)> = side.query_as(sql).bind(name).fetch_all().await?;
        let (columns, types): (Vec<String>, Vec<String>) = found.into_iter().unzip();
        let kinds: Result<_, Error> = types.iter().map(|name| Kind::named(name)).collect();
        Ok(Self { name, key, columns, kinds: kinds? })
    }

    /// A table that both sides have.
    pub(super) async fn on_both(
        name: &'static str,
        key: &'static str,
        source: &mut Connection,
        target: &mut Connection,
    ) -> Result<Self, Error> {
        let (mut here, there) =
            (Self::of(name, key, source).await?, Self::of(name, key, target).await?);
        if here.columns != there.columns {
            return Err(Error::Corrupt(format!("`{name}` has other columns on the other side")));
        }
        for (kind, other) in here.kinds.iter_mut().zip(there.kinds) {
            if other == Kind::Flag {
                *kind = other;
            }
        }
        Ok(here)
    }

    /// Copies all rows; how many, and their digest.
    pub(super) async fn copy(
        &self,
        source: &mut Connection,
        target: &mut Tx,
    ) -> Result<(u64, Digest), Error> {
        // The sums begin with rows of zeros.
        if self.name == "total" {
            target.query("delete from total").execute().await?;
        }
        let mut sum = Sum::default();
        let mut batch = Vec::new();
        let mut weight = 0;
        let mut rows = self.rows(source);
        while let Some(row) = rows.try_next().await? {
            sum.add(&row);
            weight += row.iter().map(Cell::weight).sum::<usize>();
            batch.push(row);
            if batch.len() >= ROWS || weight >= BYTES {
                self.insert(target, &std::mem::take(&mut batch)).await?;
                weight = 0;
            }
        }
        self.insert(target, &batch).await?;
        Ok(sum.finish())
    }

    /// How many rows there are, and their digest.
    pub(super) async fn digest(&self, side: &mut Connection) -> Result<(u64, Digest), Error> {
        let mut sum = Sum::default();
        let mut rows = self.rows(side);
        while let Some(row) = rows.try_next().await? {
            sum.add(&row);
        }
        Ok(sum.finish())
    }

    fn rows<'s>(&'s self, side: &'s mut Connection) -> Rows<'s> {
        let columns = self.columns.join(", ");
        let sql =
            AssertSqlSafe(format!("select {columns} from {} order by {}", self.name, self.key));
        match &mut side.0 {
            ConnectionKind::Postgres(lent) => match lent.stream() {
                Ok(connection) => Self::of_postgres(sql, connection, &self.kinds),
                Err(error) => Box::pin(futures_util::stream::once(async { Err(error) })),
            },
            ConnectionKind::Own(connection) => Self::of_sqlite(sql, connection, &self.kinds),
            ConnectionKind::Pooled(connection) => Self::of_sqlite(sql, connection, &self.kinds),
        }
    }

    fn of_sqlite<'s>(
        sql: AssertSqlSafe<String>,
        connection: &'s mut SqliteConnection,
        kinds: &'s [Kind],
    ) -> Rows<'s> {
        Box::pin(sqlx::query(sql).fetch(connection).map(move |row| {
            let row = row?;
            let cells = kinds.iter().enumerate();
            cells.map(|(column, kind)| Cell::of_sqlite(&row, column, *kind)).collect()
        }))
    }

    fn of_postgres<'s>(
        sql: AssertSqlSafe<String>,
        connection: &'s mut PgConnection,
        kinds: &'s [Kind],
    ) -> Rows<'s> {
        Box::pin(sqlx::query(sql).fetch(connection).map(move |row| {
            let row = row?;
            let cells = kinds.iter().enumerate();
            cells.map(|(column, kind)| Cell::of_postgres(&row, column, *kind)).collect()
        }))
    }

    async fn insert(&self, target: &mut Tx, rows: &[Vec<Cell>]) -> Result<(), Error> {
        if rows.is_empty() {
            return Ok(());
        }
        let columns = self.columns.join(", ");
        let places = (1..=self.columns.len()).map(|number| format!("${number}"));
        let places: Vec<String> = places.collect();
        match &mut target.0.0 {
            ConnectionKind::Postgres(lent) => {
                let sql = format!(
                    "insert into {} ({columns}) select * from unnest({})",
                    self.name,
                    places.join(", ")
                );
                let arrays = as_arrays(rows, &self.kinds)?;
                let query = sqlx::query_with(AssertSqlSafe(sql), arrays);
                let done = query.execute(lent.begin()?).await;
                lent.end(done)?;
            }
            ConnectionKind::Own(connection) => {
                let sql =
                    format!("insert into {} ({columns}) values ({})", self.name, places.join(", "));
                for row in rows {
                    let values = as_values(row, &self.kinds)?;
                    let query = sqlx::query_with(AssertSqlSafe(sql.clone()), values);
                    query.execute(&mut *connection).await?;
                }
            }
            ConnectionKind::Pooled(_) => return Err(Error::Closed),
        }
        Ok(())
    }
}

/// Whether a table has rows of its own.
pub(super) async fn holds_anything(side: &mut Connection, table: &str) -> Result<bool, Error> {
    let rows = if table == "total" { "total where value <> 0" } else { table };
    let sql = format!("select exists (select 1 from {rows})");
    side.ask(sql).await
}

/// Lets keys that the database gives go on behind those that were copied. SQLite does so by itself.
pub(super) async fn go_on_counting(target: &mut Tx) -> Result<(), Error> {
    const COUNTED: &str = "
        select cast(table_name as text) from information_schema.columns
        where table_schema = current_schema() and is_identity = 'YES'";
    if !target.is_postgres() {
        return Ok(());
    }
    let tables: Vec<String> = target.query_scalar(COUNTED).fetch_all().await?;
    for table in tables {
        let sql = format!(
            "select setval(pg_get_serial_sequence('{table}', 'id'), coalesce(max(id), 0) + 1, false)
                 is not null from {table}"
        );
        let _counted: bool = target.ask(sql).await?;
    }
    Ok(())
}

/// A digest of rows, in the order in which they come.
struct Sum {
    rows: u64,
    hasher: Hasher,
}

impl Default for Sum {
    fn default() -> Self {
        Self { rows: 0, hasher: Algorithm::Sha256.hasher() }
    }
}

impl Sum {
    fn add(&mut self, row: &[Cell]) {
        self.rows += 1;
        for cell in row {
            cell.hash(&mut self.hasher);
        }
    }

    fn finish(self) -> (u64, Digest) {
        (self.rows, self.hasher.finish())
    }
}
