use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    GovernanceDocument,
    change::directions::{Meaning, meaning},
    document::shortened,
};

/// What is different in another document.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PolicyDocumentChange)]
pub struct DocumentChange {
    /// Each key that says something else, in the order of the keys.
    pub changes: Vec<Change>,
}

/// A key that says something else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PolicyChange)]
pub struct Change {
    /// Where: `gates.production.vulnerabilities.high`; of a list, by the name of the one.
    pub path: String,
    /// What it does.
    pub direction: Direction,
    /// What was there; nothing where it is new.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub before: Value,
    /// What is there; nothing where it is gone.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub after: Value,
}

/// What a change does to what may be done.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Less may be done.
    Stricter,
    /// More may be done.
    Laxer,
    /// Something else, or both.
    Other,
}

/// What `after` says that `before` does not, and the other way round.
pub fn compare(before: &GovernanceDocument, after: &GovernanceDocument) -> DocumentChange {
    let (before, after) = (before.canonical(), after.canonical());
    let mut changes = Vec::new();
    walk(&mut Vec::new(), &before, &after, &mut changes);
    DocumentChange { changes }
}

fn walk(path: &mut Vec<String>, before: &Value, after: &Value, changes: &mut Vec<Change>) {
    if before == after {
        return;
    }
    if let (Some(old), Some(new)) = (entries(path, before), entries(path, after)) {
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for key in keys {
            let value = |entries: &BTreeMap<String, Value>| entries.get(key).cloned();
            path.push(key.clone());
            let (before, after) = (value(&old), value(&new));
            walk(path, &before.unwrap_or_default(), &after.unwrap_or_default(), changes);
            path.pop();
        }
        return;
    }
    changes.push(Change {
        path: path.join("."),
        direction: direction(path, before, after),
        before: before.clone(),
        after: after.clone(),
    });
}

/// Sections, whose entries have names.
const SECTIONS: [&str; 11] = [
    "tags",
    "base_images",
    "windows",
    "freezes",
    "gates",
    "canaries",
    "promotion",
    "blocks",
    "channels",
    "pulls",
    "retention",
];
/// Tables within them whose keys are names.
const NAMED: [&str; 6] = ["predicates", "values", "grace", "metrics", "keep", "expire"];

/// Whether that is a collection, of which none is the same as an empty one.
fn is_collection(path: &[String]) -> bool {
    match path {
        [section] => SECTIONS.contains(&section.as_str()),
        [.., last] => NAMED.contains(&last.as_str()),
        [] => false,
    }
}

/// What is in a table, or in a list of tables that have names.
fn entries(path: &[String], value: &Value) -> Option<BTreeMap<String, Value>> {
    match value {
        Value::Null if is_collection(path) => Some(BTreeMap::new()),
        Value::Object(entries) => {
            Some(entries.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        Value::Array(values) => {
            let named = values.iter().map(|value| {
                let name = value.get("name")?.as_str()?;
                Some((name.to_owned(), value.clone()))
            });
            let entries: BTreeMap<String, Value> = named.collect::<Option<_>>()?;
            // Those with one name are told apart by nothing.
            (entries.len() == values.len() && !values.is_empty()).then_some(entries)
        }
        _ => None,
    }
}

fn direction(path: &[String], before: &Value, after: &Value) -> Direction {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    if let Some(direction) = of_whole(&path, before, after) {
        return direction;
    }
    match path.as_slice() {
        [.., "mode"] => ordered(&["warn", "enforce"], before, after),
        [.., "while_waiting"] => ordered(&["allow", "deny"], before, after),
        [.., "author"] => ordered(&["with_others", "never"], before, after),
        ["gates", _, "vulnerabilities", severity] if *severity != "grace" => {
            limits(severity, before, after)
        }
        _ => defaulted(&path, before, after),
    }
}

/// Something that came or went as a whole: a gate, a rule, a freeze.
fn of_whole(path: &[&str], before: &Value, after: &Value) -> Option<Direction> {
    let demands = match path {
        ["gates", _, gate] => *gate != "description",
        ["gates", _, "predicates", _]
        | ["gates", _, "labels", "values", _]
        | ["tags" | "freezes" | "pulls", _]
        | ["canaries", _, "metrics", _]
        | ["canaries", _, "metrics", _, "baseline"]
        | ["channels", _, "watch"]
        | ["retention", "keep", _] => true,
        // A channel that comes lets images into it, a rule lets them go; a window by itself does nothing.
        ["channels", _] | ["retention", "expire", _] => false,
        ["gates" | "windows" | "canaries" | "base_images", _] => {
            let whole = before.is_null() || after.is_null();
            return whole.then_some(Direction::Other);
        }
        _ => return None,
    };
    match (before.is_null(), after.is_null()) {
        (true, false) if demands => Some(Direction::Stricter),
        (true, false) => Some(Direction::Laxer),
        (false, true) if demands => Some(Direction::Laxer),
        (false, true) => Some(Direction::Stricter),
        _ => None,
    }
}

/// By a list of words, the laxest first. A word that is not there is the default, the strictest.
fn ordered(words: &[&str], before: &Value, after: &Value) -> Direction {
    let place = |value: &Value| match value {
        Value::Null => words.len().checked_sub(1),
        value => words.iter().position(|word| value.as_str() == Some(word)),
    };
    match (place(before), place(after)) {
        (Some(before), Some(after)) if before < after => Direction::Stricter,
        (Some(before), Some(after)) if before > after => Direction::Laxer,
        _ => Direction::Other,
    }
}

/// Limits of vulnerabilities. A number and `excepted` cannot be compared, but for 0, of which nothing is
/// stricter.
fn limits(severity: &str, before: &Value, after: &Value) -> Direction {
    let default = match severity {
        "critical" | "high" => Value::from(0),
        "medium" => Value::from("excepted"),
        "low" | "negligible" | "unknown" => Value::from("any"),
        _ => return defaulted(&["gates", "", "vulnerabilities", severity], before, after),
    };
    let or_default = |value: &Value| if value.is_null() { default.clone() } else { value.clone() };
    let (before, after) = (or_default(before), or_default(after));
    let any = Value::from("any");
    match (before.as_u64(), after.as_u64()) {
        _ if before == after => Direction::Other,
        (Some(before), Some(after)) if before < after => Direction::Laxer,
        (Some(_), Some(_)) => Direction::Stricter,
        (Some(0), _) => Direction::Laxer,
        (_, Some(0)) => Direction::Stricter,
        _ if before == any => Direction::Stricter,
        _ if after == any => Direction::Laxer,
        _ => Direction::Other,
    }
}

/// By what the key means. Some say something where they are not there.
fn defaulted(path: &[&str], before: &Value, after: &Value) -> Direction {
    let default = match path {
        ["gates", _, "approvals", "required"] => Value::from(1),
        ["gates", _, "provenance" | "sbom", "signed"]
        | ["blocks", "hide_tags" | "refuse_pulls"] => Value::from(true),
        ["canaries", _, "metrics", _, "significance"] => Value::from(0.05),
        ["promotion", "rollback_key_life"] => Value::from("7d"),
        ["promotion", "data_patience"] => Value::from("10m"),
        _ => Value::Null,
    };
    let or_default = |value: &Value| if value.is_null() { default.clone() } else { value.clone() };
    let meaning: Meaning = meaning(path);
    meaning.direction(&or_default(before), &or_default(after))
}

impl Direction {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stricter => "stricter",
            Self::Laxer => "laxer",
            Self::Other => "other",
        }
    }
}

impl DocumentChange {
    /// Whether the documents say the same.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The changes that do that.
    pub fn of(&self, direction: Direction) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(move |change| change.direction == direction)
    }
}

impl fmt::Display for DocumentChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("nothing changes");
        }
        for (index, change) in self.changes.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{change}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) =
            (shortened(&self.before.to_string()), shortened(&self.after.to_string()));
        write!(f, "{:<8} {}: ", self.direction.as_str(), self.path)?;
        match (self.before.is_null(), self.after.is_null()) {
            (true, _) => write!(f, "new: {after}"),
            (_, true) => write!(f, "gone: {before}"),
            _ => write!(f, "{before} becomes {after}"),
        }
    }
}
