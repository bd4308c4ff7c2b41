//! From sources to settings, or to everything that is wrong with them.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::keys::{self, Key};
use super::origin::{Origin, Problem, Problems};
use super::sources::{Flag, Sources};
use super::{Settings, environment, file};

/// Valid settings, and where each value came from.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// The settings.
    pub(crate) settings: Settings,
    /// By key; what is not here is a default.
    origins: BTreeMap<&'static str, Origin>,
}

impl Resolved {
    /// Where the value of a key came from.
    pub(crate) fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }
}

/// One value for one key, from one source.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) key: &'static Key,
    pub(super) given: Given,
    pub(super) origin: Origin,
}

/// A value as its source has it.
#[derive(Debug)]
pub(super) enum Given {
    /// With a type, from a file.
    Typed(Value),
    /// As text, from a variable or a flag, which have no types.
    Text(String),
}

/// The settings the sources make together: the last source that says something about a key wins.
///
/// Each value is checked on its own first, so that all wrong ones are reported together, those
/// that a later source replaces included: they are wrong all the same.
pub(crate) fn resolve(sources: &Sources) -> Result<Resolved, Problems> {
    let (entries, mut problems) = collect(sources);
    let mut table = defaults();
    let mut origins = BTreeMap::new();
    for Entry { key, given, origin } in entries {
        match accept(key, given) {
            Ok(value) => {
                insert(&mut table, key.path, value);
                origins.insert(key.path, origin);
            }
            Err(message) => {
                let message = format!("`{}`: {message}", key.path);
                problems.push(Problem { origin, message });
            }
        }
    }
    if !problems.is_empty() {
        problems.sort_by(|a, b| a.origin.cmp(&b.origin));
        return Err(Problems(problems));
    }
    let settings = parse(table).expect("each value was accepted on its own");
    whole(Resolved { settings, origins })
}

/// The settings, if their values also go together.
fn whole(resolved: Resolved) -> Result<Resolved, Problems> {
    let blame = |(key, message): (&'static str, String)| Problem {
        origin: resolved.origin(key),
        message: format!("`{key}`: {message}"),
    };
    let problems: Vec<_> = resolved.settings.contradictions().into_iter().map(blame).collect();
    if problems.is_empty() { Ok(resolved) } else { Err(Problems(problems)) }
}

fn collect(sources: &Sources) -> (Vec<Entry>, Vec<Problem>) {
    let (mut entries, mut problems) = sources.file.as_ref().map(file::entries).unwrap_or_default();
    let (set, wrong) = environment::entries(&sources.environment, &sources.reserved);
    entries.extend(set);
    problems.extend(wrong);
    for flag in &sources.flags {
        match flag_entry(flag) {
            Ok(entry) => entries.push(entry),
            Err(problem) => problems.push(problem),
        }
    }
    (entries, problems)
}

fn flag_entry(flag: &Flag) -> Result<Entry, Problem> {
    let origin = Origin::Flag(flag.name.to_owned());
    let key = keys::find(flag.key).expect("a flag sets a key that exists");
    match flag.value.to_str() {
        Some(text) => Ok(Entry { key, given: Given::Text(text.to_owned()), origin }),
        None => Err(Problem { origin, message: "the value is not UTF-8 text".to_owned() }),
    }
}

/// The value with the type its key has, or what is wrong with it.
fn accept(key: &Key, given: Given) -> Result<Value, String> {
    match given {
        // Nothing that can be set is empty, and an empty variable is mostly one that was meant to
        // be filled from another.
        Given::Typed(Value::String(text)) | Given::Text(text) if text.is_empty() => {
            Err(format!("the value is empty; give one ({}), or leave it unset", key.kind))
        }
        Given::Typed(value) => fits(key, value),
        Given::Text(text) => accept_text(key, text),
    }
}

/// Text is first taken for what it is; where that does not fit, for a TOML value, such as `true`.
fn accept_text(key: &Key, text: String) -> Result<Value, String> {
    let literal = literal(&text);
    fits(key, Value::String(text)).or_else(|as_text| match literal {
        Some(value) => fits(key, value),
        None => Err(as_text),
    })
}

/// Tries the value among the defaults: what goes wrong there is about this value.
fn fits(key: &Key, value: Value) -> Result<Value, String> {
    let mut table = defaults();
    insert(&mut table, key.path, value.clone());
    parse(table).map(|_| value).map_err(|error| error.message().to_owned())
}

fn parse(table: Table) -> Result<Settings, toml::de::Error> {
    Value::Table(table).try_into()
}

fn defaults() -> Table {
    let mut table = Table::new();
    for key in keys::all() {
        if let Some(text) = key.default {
            insert(&mut table, key.path, literal(text).expect("a documented default is TOML"));
        }
    }
    table
}

/// A TOML value without a key, as in `key = value`.
fn literal(text: &str) -> Option<Value> {
    text.parse().ok()
}

/// Puts the value at a dotted path.
fn insert(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((section, rest)) => {
            let below = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            let below = below.as_table_mut().expect("a section holds keys, it is none");
            insert(below, rest, value);
        }
    }
}
