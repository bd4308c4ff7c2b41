//! The same tables, columns and keys on both engines.

use std::collections::BTreeSet;

use plura_meta::{Db, Location, copy::TABLES, migrations};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row, SqliteConnection};

use crate::{in_file, nothing_on_server, on_server};

/// Columns that hold 0 or 1 in SQLite and are boolean in PostgreSQL.
const FLAGS: &[&str] =
    &["project.is_public", "project.redirect", "account.administrator", "account.disabled"];

async fn of_sqlite(location: &Location) -> BTreeSet<String> {
    let Location::File(path) = location else { panic!("a file") };
    let mut connection =
        SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let tables = "name from sqlite_master
        where type = 'table' and name not like 'sqlite%' and name not like '\\_%' escape '\\'";
    // A key is never null, whatever the old engine says of it.
    let columns = format!(
        "select 'column ' || tables.name || '.' || columns.name || ' '
             || case lower(columns.type)
                when 'bigint' then 'number' when 'integer' then 'number' when 'blob' then 'bytes'
                else lower(columns.type) end
             || case when columns.\"notnull\" = 1 or columns.pk > 0 then '' else ' null' end
             || case when columns.dflt_value is null then '' else ' default' end
         from (select {tables}) as tables, pragma_table_info(tables.name) as columns"
    );
    let keys = format!(
        "select 'unique ' || tables.name || ' ' || (
             select group_concat(name, ',') from (
                 select name from pragma_table_info(tables.name) where pk > 0 order by pk))
         from (select {tables}) as tables"
    );
    let indexes = format!(
        "select case indexes.\"unique\" when 1 then 'unique ' || tables.name || ' '
                else 'index ' || indexes.name || ' ' end
             || (select group_concat(name, ',') from (
                 select name from pragma_index_info(indexes.name) order by seqno))
             || case indexes.partial when 1 then ' partial' else '' end
         from (select {tables}) as tables, pragma_index_list(tables.name) as indexes"
    );
    let foreign = format!(
        "select 'foreign ' || tables.name || '.' || keys.\"from\" || ' ' || keys.\"table\"
         from (select {tables}) as tables, pragma_foreign_key_list(tables.name) as keys"
    );
    let mut found = BTreeSet::new();
    for sql in [columns, keys, indexes, foreign] {
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(&mut connection).await.unwrap();
        found.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    }
    found
}

async fn of_postgres(url: &str) -> BTreeSet<String> {
    const COLUMNS: &str = "
        select 'column ' || table_name || '.' || column_name || ' '
            || case data_type when 'bigint' then 'number' when 'bytea' then 'bytes'
               else data_type end
            || case is_nullable when 'NO' then '' else ' null' end
            || case when column_default is null then '' else ' default' end
        from information_schema.columns
        where table_schema = 'public' and table_name not like '\\_%'";
    const INDEXES: &str = "
        select case when indisunique then 'unique ' || tables.relname || ' '
               else 'index ' || indexes.relname || ' ' end
            || (select string_agg(attname, ',' order by place)
                from unnest(indkey) with ordinality as parts (number, place)
                join pg_attribute on attrelid = tables.oid and attnum = number)
            || case when indpred is null then '' else ' partial' end
        from pg_index
        join pg_class as tables on tables.oid = indrelid
        join pg_class as indexes on indexes.oid = indexrelid
        where tables.relnamespace = 'public'::regnamespace and tables.relname not like '\\_%'";
    const FOREIGN: &str = "
        select 'foreign ' || child.relname || '.' || attname || ' ' || parent.relname
        from pg_constraint
        join pg_class as child on child.oid = conrelid
        join pg_class as parent on parent.oid = confrelid
        join pg_attribute on attrelid = child.oid and attnum = conkey[1]
        where contype = 'f'";
    let mut connection = PgConnection::connect(url).await.unwrap();
    let mut found = BTreeSet::new();
    for sql in [COLUMNS, INDEXES, FOREIGN] {
        let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
        found.extend(rows.iter().map(|row| row.get::<String, _>(0)));
    }
    found
}

#[tokio::test]
async fn both_engines_have_the_same_tables() {
    let (_directory, file) = in_file().await;
    let (database, _) = on_server().await;
    let mut expected = of_sqlite(&file).await;
    for flag in FLAGS {
        let column = expected.iter().find(|line| line.starts_with(&format!("column {flag} ")));
        let column = column.unwrap().clone();
        expected.remove(&column);
        expected.insert(column.replace(" number", " boolean"));
    }
    let found = of_postgres(&database.url()).await;
    let of_sqlite: Vec<_> = expected.difference(&found).collect();
    let of_server: Vec<_> = found.difference(&expected).collect();
    assert_eq!((of_sqlite, of_server), (vec![], vec![]), "only in SQLite, only in PostgreSQL");
    assert!(found.len() > 150, "the comparison has found {} things", found.len());
}

#[tokio::test]
async fn every_table_is_copied_and_every_text_is_compared_by_bytes() {
    let (database, _) = on_server().await;
    let tables = database.sql(
        "select table_name from information_schema.tables
         where table_schema = 'public' and table_name not like '\\_%' order by 1",
    );
    let mut copied: Vec<&str> = TABLES.iter().map(|(name, _)| *name).collect();
    copied.sort_unstable();
    assert_eq!(tables.lines().collect::<Vec<_>>(), copied);
    let other_collations = database.sql(
        "select table_name, column_name from information_schema.columns
         where table_schema = 'public' and table_name not like '\\_%' and data_type = 'text'
           and collation_name is distinct from 'C'",
    );
    assert_eq!(other_collations, "");
}

#[tokio::test]
async fn the_schema_says_what_it_has_and_is_made_once() {
    let (_database, server) = nothing_on_server();
    let directory = tempfile::tempdir().unwrap();
    let file = Location::File(directory.path().join("plura.db"));
    for location in [&server, &file] {
        let steps = migrations::status(location).await.unwrap();
        assert!(steps.len() >= 4 && steps.iter().all(|step| !step.applied && step.known));
        // Several at once, as replicas that are started together.
        let starts = std::iter::repeat_with(|| Db::connect(location)).take(4);
        if matches!(location, Location::Server(_)) {
            for db in futures_util::future::join_all(starts).await {
                db.unwrap().close().await;
            }
        } else {
            migrations::migrate(location).await.unwrap();
        }
        let steps = migrations::status(location).await.unwrap();
        assert!(steps.iter().all(|step| step.applied && step.known), "{steps:?}");
    }
}

#[tokio::test]
async fn a_later_version_of_the_schema_is_left_to_those_who_know_it() {
    let (database, server) = on_server().await;
    database.sql(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
         values (9999, 'of tomorrow', true, '', 0)",
    );
    let db = Db::connect(&server).await.expect("the version before goes on during an upgrade");
    db.close().await;
    let steps = migrations::status(&server).await.unwrap();
    let last = steps.last().unwrap();
    assert_eq!((last.version, last.applied, last.known), (9999, true, false));
}
