//! The database without plura, to look at its rows and to seed damage.

use std::{path::Path, str::FromStr, time::Duration};

use sqlx::{
    AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection, postgres::PgConnectOptions,
    sqlite::SqliteConnectOptions,
};

/// A connection behind plura's back, which no foreign key holds up.
pub(crate) enum Behind {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Behind {
    pub(crate) async fn file(path: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .foreign_keys(false)
            .busy_timeout(Duration::from_secs(5));
        Self::Sqlite(SqliteConnection::connect_with(&options).await.unwrap())
    }

    pub(crate) async fn server(url: &str) -> Self {
        let options = PgConnectOptions::from_str(url).unwrap();
        let mut connection = PgConnection::connect_with(&options).await.unwrap();
        let lenient = "set session_replication_role = replica";
        sqlx::raw_sql(lenient).execute(&mut connection).await.unwrap();
        Self::Postgres(connection)
    }

    /// The rows of a table as text, in the order of their text.
    pub(crate) async fn rows(&mut self, table: &str) -> Vec<String> {
        let (columns, quote) = match self {
            Self::Sqlite(_) => (format!("select name from pragma_table_info('{table}')"), "quote"),
            Self::Postgres(_) => (
                format!(
                    "select column_name || '::text' from information_schema.columns
                     where table_name = '{table}' order by ordinal_position"
                ),
                "quote_nullable",
            ),
        };
        let columns = self.texts(&columns).await;
        let quoted: Vec<String> =
            columns.iter().map(|name| format!("'{name}=' || {quote}({name})")).collect();
        self.texts(&format!("select {} from {table} order by 1", quoted.join(" || ' ' || "))).await
    }

    /// Three columns of text.
    pub(crate) async fn select(mut self, sql: &str) -> Vec<(String, String, String)> {
        let sql = AssertSqlSafe(sql);
        let rows = match &mut self {
            Self::Sqlite(connection) => sqlx::query_as(sql).fetch_all(connection).await,
            Self::Postgres(connection) => sqlx::query_as(sql).fetch_all(connection).await,
        };
        rows.expect("the question can be answered")
    }

    /// Changes the database; how many rows.
    pub(crate) async fn execute(self, sql: &str) -> u64 {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(mut connection) => {
                let done = sqlx::query(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                done.rows_affected()
            }
            Self::Postgres(mut connection) => {
                let done = sqlx::query(sql).execute(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                done.rows_affected()
            }
        }
    }

    async fn texts(&mut self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql);
        match self {
            Self::Sqlite(connection) => {
                let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
            Self::Postgres(connection) => {
                let rows = sqlx::query(sql).fetch_all(connection).await.unwrap();
                rows.iter().map(|row| row.get(0)).collect()
            }
        }
    }
}
