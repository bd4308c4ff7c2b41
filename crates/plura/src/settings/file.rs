//! The settings in a TOML file, each with its line and column.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use super::keys::{self, Key};
use super::origin::{Origin, Problem};
use super::resolve::{Entry, Given};
use crate::suggest;

/// A settings file as it was read.
#[derive(Debug)]
pub(crate) struct File {
    /// Its name as the user knows it.
    pub(crate) name: PathBuf,
    /// What it says.
    pub(crate) text: String,
}

/// What the file sets, and everything in it that is not TOML or not a key.
pub(super) fn entries(file: &File) -> (Vec<Entry>, Vec<Problem>) {
    let mut found = Found { file, entries: Vec::new(), problems: Vec::new() };
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    for error in errors {
        found.problem(error.span().unwrap_or_default(), error.message().to_owned());
    }
    found.table("", table.into_inner());
    (found.entries, found.problems)
}

struct Found<'a> {
    file: &'a File,
    entries: Vec<Entry>,
    problems: Vec<Problem>,
}

impl<'a> Found<'a> {
    fn table(&mut self, prefix: &str, table: DeTable<'a>) {
        for (name, value) in table {
            let span = name.span();
            let path = join(prefix, name.get_ref());
            self.item(&path, span, value);
        }
    }

    /// A key, a table of keys, or a name that is neither.
    fn item(&mut self, path: &str, span: Range<usize>, value: Spanned<DeValue<'a>>) {
        if let Some(key) = keys::find(path) {
            self.value(key, value);
        } else if !keys::is_section(path) {
            self.problem(span, unknown(path, value.get_ref().is_table()));
        } else if let DeValue::Table(table) = value.into_inner() {
            self.table(path, table);
        } else {
            self.problem(span, format!("expected a table of keys, written `[{path}]`"));
        }
    }

    fn value(&mut self, key: &'static Key, value: Spanned<DeValue<'a>>) {
        let span = value.span();
        match toml::Value::deserialize(ValueDeserializer::from(value)) {
            Ok(value) => {
                let origin = self.origin(span.start);
                self.entries.push(Entry { key, given: Given::Typed(value), origin });
            }
            Err(error) => self.problem(span, format!("`{}`: {}", key.path, error.message())),
        }
    }

    fn problem(&mut self, span: Range<usize>, message: String) {
        let origin = self.origin(span.start);
        self.problems.push(Problem { origin, message });
    }

    fn origin(&self, offset: usize) -> Origin {
        locate(&self.file.name, &self.file.text, offset)
    }
}

/// The line and column of a byte of the text.
fn locate(name: &Path, text: &str, offset: usize) -> Origin {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Origin::File {
        name: name.to_owned(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

fn unknown(path: &str, is_table: bool) -> String {
    let what = if is_table { "section" } else { "key" };
    let suggestion = if is_table { section_like(path) } else { key_like(path) };
    let ending = suggestion.map_or(String::new(), |name| format!("; did you mean `{name}`?"));
    format!("unknown {what} `{path}`{ending}")
}

fn section_like(path: &str) -> Option<&'static str> {
    suggest::closest(path, keys::SECTIONS.iter().map(|section| section.name))
}

/// The one key of that very name in another section, or one spelt almost like `path`.
pub(super) fn key_like(path: &str) -> Option<&'static str> {
    moved(path).or_else(|| suggest::closest(path, keys::all().map(|key| key.path)))
}

fn moved(path: &str) -> Option<&'static str> {
    let name = path.rsplit('.').next()?;
    let mut namesakes = keys::all().filter(|key| key.name() == name);
    let only = namesakes.next()?;
    namesakes.next().is_none().then_some(only.path)
}
