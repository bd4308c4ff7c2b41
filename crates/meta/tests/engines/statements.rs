//! Every statement of the sources is prepared on both engines: names, types and grammar are right.

use std::{fs, path::Path};

use plura_meta::Location;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqlSafeStr, SqliteConnection};

use crate::{in_file, on_server};

/// What a statement says that only one engine understands.
const ONLY_SQLITE: &[&str] = &["pragma", "sqlite_master", "vacuum"];
const ONLY_POSTGRES: &[&str] = &["information_schema", "pg_", "to_regclass", "set_config"];

const VERBS: &[&str] = &["select ", "insert ", "update ", "delete ", "with ", "pragma ", "vacuum "];

/// The literals of a source, in order, each with what stands before it on its line or the line before.
fn literals(source: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = source;
    let mut before = String::new();
    while let Some(at) = rest.find(['"', '/', '\'']) {
        before.push_str(&rest[..at]);
        let tail = &rest[at..];
        if tail.starts_with("//") {
            rest = tail.split_once('\n').map_or("", |(_, rest)| rest);
        } else if tail.starts_with("'\"'") {
            rest = &tail[3..];
        } else if !tail.starts_with('"') {
            rest = &tail[1..];
        } else {
            let (text, behind) = literal(&tail[1..]);
            found.push((before.trim_end().to_owned(), text));
            before.clear();
            rest = behind;
        }
    }
    found
}

/// The literal, unescaped, up to its closing quote, and what is behind it.
fn literal(source: &str) -> (String, &str) {
    let mut text = String::new();
    let mut chars = source.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (text, &source[at + 1..]),
            '\\' => match chars.next() {
                Some((_, '\n')) => text.push(' '),
                Some((_, escaped)) => text.push(escaped),
                None => {}
            },
            char => text.push(char),
        }
    }
    panic!("a literal does not end");
}

/// The statements of a source. Those that a macro puts together are put together here as well.
fn statements(source: &str) -> Vec<String> {
    let literals = literals(source);
    let is_statement = |text: &str| {
        let text = format!("{} ", text.trim_start());
        VERBS.iter().any(|verb| text.starts_with(verb)) || text.starts_with("select\n")
    };
    let mut prefix = None;
    let mut found = Vec::new();
    for (before, text) in literals {
        if before.ends_with("columns!(") {
            let prefix: &String = prefix.as_ref().expect("the macro comes before its uses");
            found.push(format!("{prefix}{text}"));
        } else if is_statement(&text) && !text.contains('{') {
            if before.ends_with("concat!(") {
                prefix = Some(text.clone());
            }
            found.push(text);
        }
    }
    found
}

fn all() -> Vec<(String, String)> {
    let mut pending = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut found = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        found.extend(statements(&source).into_iter().map(|sql| (file.clone(), sql)));
    }
    found
}

/// As many as there are calls that take one, at least.
#[test]
fn the_statements_are_found() {
    let found = all();
    assert!(found.len() > 150, "only {} statements were found", found.len());
    for expected in [
        "select id, kind, name, display_name",
        "insert into tag",
        "with ordinality",
        "delete from manifest where id = $1",
    ] {
        let known = found.iter().any(|(_, sql)| sql.contains(expected));
        assert_eq!(known, expected != "with ordinality", "{expected}");
    }
}

#[tokio::test]
async fn every_statement_is_understood_by_sqlite() {
    let (_directory, location) = in_file().await;
    let Location::File(path) = location else { panic!("a file") };
    let url = format!("sqlite://{}", path.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let mut refused = Vec::new();
    for (file, sql) in all() {
        if ONLY_POSTGRES.iter().any(|word| sql.contains(word)) {
            continue;
        }
        let prepared = connection.prepare(AssertSqlSafe(sql.clone()).into_sql_str()).await;
        refused.extend(prepared.err().map(|error| format!("{file}: {error}: {sql}")));
    }
    assert_eq!(refused, [""; 0]);
}

#[tokio::test]
async fn every_statement_is_understood_by_postgresql() {
    let (database, _) = on_server().await;
    let mut connection = PgConnection::connect(&database.url()).await.unwrap();
    let mut refused = Vec::new();
    for (file, sql) in all() {
        if ONLY_SQLITE.iter().any(|word| sql.contains(word)) {
            continue;
        }
        let prepared = connection.prepare(AssertSqlSafe(sql.clone()).into_sql_str()).await;
        refused.extend(prepared.err().map(|error| format!("{file}: {error}: {sql}")));
    }
    assert_eq!(refused, [""; 0]);
}
