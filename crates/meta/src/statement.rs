//! Statements: one text for both engines, with what is bound to it and what its rows are read as.

use std::marker::PhantomData;

use sqlx::{
    AssertSqlSafe, Encode, FromRow, Postgres, Sqlite, SqliteConnection, Type,
    error::BoxDynError,
    postgres::{PgArguments, PgRow},
    query::{Query, QueryAs},
    sqlite::{SqliteArguments, SqliteRow},
};

use crate::{
    Connection, Error,
    db::ConnectionKind,
    postgres::{Lent, in_time},
};

/// A statement that waits for its values.
#[must_use = "a statement does nothing until it is executed"]
pub(crate) struct Statement<'c, Output> {
    sql: &'static str,
    engine: Engine<'c>,
    bound: Result<(), BoxDynError>,
    output: PhantomData<fn() -> Output>,
}

enum Engine<'c> {
    Sqlite(&'c mut SqliteConnection, SqliteArguments),
    Postgres(&'c mut Lent, PgArguments),
}

/// What a row is read as.
pub(crate) trait Output {
    /// The row, of whichever engine.
    type Row: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin;
    /// What the caller gets.
    type Value;

    /// Takes from the row what the caller gets.
    fn value(row: Self::Row) -> Self::Value;
}

/// The rows are read as a `T` each.
pub(crate) struct AsRow<T>(PhantomData<T>);

/// The first column of the rows is read as a `T` each.
pub(crate) struct AsScalar<T>(PhantomData<T>);

impl<T> Output for AsRow<T>
where
    T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    type Row = T;
    type Value = T;

    fn value(row: T) -> T {
        row
    }
}

impl<T> Output for AsScalar<T>
where
    (T,): for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    type Row = (T,);
    type Value = T;

    fn value((value,): (T,)) -> T {
        value
    }
}

impl Connection {
    /// A statement whose rows are counted, not read.
    pub(crate) fn query(&mut self, sql: &'static str) -> Statement<'_, ()> {
        self.statement(sql)
    }

    /// A statement whose rows are read as a `T` each.
    pub(crate) fn query_as<T>(&mut self, sql: &'static str) -> Statement<'_, AsRow<T>> {
        self.statement(sql)
    }

    /// A statement whose rows have one column, which is read as a `T`.
    pub(crate) fn query_scalar<T>(&mut self, sql: &'static str) -> Statement<'_, AsScalar<T>> {
        self.statement(sql)
    }

    /// Asks yes or no, with names of tables in the question that are plura's own.
    pub(crate) async fn ask(&mut self, sql: String) -> Result<bool, Error> {
        let sql = AssertSqlSafe(sql);
        match &mut self.0 {
            ConnectionKind::Postgres(lent) => {
                let answer = sqlx::query_scalar(sql).fetch_one(lent.begin()?).await;
                lent.end(answer)
            }
            ConnectionKind::Own(connection) => {
                Ok(sqlx::query_scalar(sql).fetch_one(connection).await?)
            }
            ConnectionKind::Pooled(connection) => {
                Ok(sqlx::query_scalar(sql).fetch_one(&mut **connection).await?)
            }
        }
    }

    fn statement<Output>(&mut self, sql: &'static str) -> Statement<'_, Output> {
        let engine = match &mut self.0 {
            ConnectionKind::Pooled(connection) => {
                Engine::Sqlite(connection, SqliteArguments::default())
            }
            ConnectionKind::Own(connection) => {
                Engine::Sqlite(connection, SqliteArguments::default())
            }
            ConnectionKind::Postgres(lent) => Engine::Postgres(lent, PgArguments::default()),
        };
        Statement { sql, engine, bound: Ok(()), output: PhantomData }
    }
}

impl<Output> Statement<'_, Output> {
    /// Gives the next value. One that cannot be encoded fails the statement when it is executed.
    pub(crate) fn bind<'t, T>(mut self, value: T) -> Self
    where
        T: Encode<'t, Sqlite> + Type<Sqlite> + Encode<'t, Postgres> + Type<Postgres>,
    {
        use sqlx::Arguments;
        if self.bound.is_ok() {
            self.bound = match &mut self.engine {
                Engine::Sqlite(_, arguments) => arguments.add(value),
                Engine::Postgres(_, arguments) => arguments.add(value),
            };
        }
        self
    }

    /// Executes it; how many rows it changed.
    pub(crate) async fn execute(self) -> Result<u64, Error> {
        self.bound.map_err(sqlx::Error::Encode)?;
        match self.engine {
            Engine::Sqlite(connection, arguments) => {
                let query: Query<'_, Sqlite, _> = sqlx::query_with(self.sql, arguments);
                Ok(query.execute(connection).await?.rows_affected())
            }
            Engine::Postgres(lent, arguments) => {
                let query: Query<'_, Postgres, _> = sqlx::query_with(self.sql, arguments);
                let limit = lent.limit();
                let done = in_time(limit, query.execute(lent.begin()?)).await;
                Ok(lent.end(done)?.rows_affected())
            }
        }
    }
}

impl<O: Output> Statement<'_, O> {
    /// The one row that there must be.
    pub(crate) async fn fetch_one(self) -> Result<O::Value, Error> {
        let row = self.fetch_optional().await?;
        row.ok_or_else(|| sqlx::Error::RowNotFound.into())
    }

    /// The row, if there is one.
    pub(crate) async fn fetch_optional(self) -> Result<Option<O::Value>, Error> {
        self.bound.map_err(sqlx::Error::Encode)?;
        let row = match self.engine {
            Engine::Sqlite(connection, arguments) => {
                let query: QueryAs<'_, _, O::Row, _> = sqlx::query_as_with(self.sql, arguments);
                query.fetch_optional(connection).await?
            }
            Engine::Postgres(lent, arguments) => {
                let query: QueryAs<'_, _, O::Row, _> = sqlx::query_as_with(self.sql, arguments);
                let limit = lent.limit();
                let row = in_time(limit, query.fetch_optional(lent.begin()?)).await;
                lent.end(row)?
            }
        };
        Ok(row.map(O::value))
    }

    /// All rows.
    pub(crate) async fn fetch_all(self) -> Result<Vec<O::Value>, Error> {
        self.bound.map_err(sqlx::Error::Encode)?;
        let rows = match self.engine {
            Engine::Sqlite(connection, arguments) => {
                let query: QueryAs<'_, _, O::Row, _> = sqlx::query_as_with(self.sql, arguments);
                query.fetch_all(connection).await?
            }
            Engine::Postgres(lent, arguments) => {
                let query: QueryAs<'_, _, O::Row, _> = sqlx::query_as_with(self.sql, arguments);
                let limit = lent.limit();
                let rows = in_time(limit, query.fetch_all(lent.begin()?)).await;
                lent.end(rows)?
            }
        };
        Ok(rows.into_iter().map(O::value).collect())
    }
}
