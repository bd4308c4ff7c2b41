//! Which keys ask for more when they grow.

use serde_json::Value;

use crate::{TimeSpan, change::Direction};

/// What it means that a value becomes larger, or a list longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// More of it asks for more: `required`, `immutable`.
    Demands,
    /// More of it lets more through, and none of it everything: `builders`, `max_age` as a time.
    Permits,
    /// More of it lets more through, and none of it nothing more: `ignore`, `except`.
    Exempts,
    /// Neither.
    Neutral,
}

/// What a key means, by the way to it.
pub(super) fn meaning(path: &[&str]) -> Meaning {
    let key = path.last().copied().unwrap_or_default();
    match path.first().copied().unwrap_or_default() {
        "tags" => of_tags(key),
        "pulls" => match key {
            "repositories" | "gates" => Meaning::Demands,
            "except" => Meaning::Exempts,
            _ => Meaning::Neutral,
        },
        "channels" => match key {
            "gates" | "soak" => Meaning::Demands,
            // Unlike a rule, a channel that is for more repositories lets more images in.
            "repositories" | "from" | "windows" => Meaning::Permits,
            _ => Meaning::Neutral,
        },
        "canaries" => match key {
            "checks" | "min" | "significance" => Meaning::Demands,
            "max" => Meaning::Permits,
            "tolerate" => Meaning::Exempts,
            _ => Meaning::Neutral,
        },
        "promotion" if key != "patience" => Meaning::Permits,
        "blocks" => Meaning::Demands,
        "base_images" if key != "description" => Meaning::Permits,
        "gates" if path.iter().rev().nth(1) == Some(&"grace") => Meaning::Exempts,
        "gates" => of_gates(key),
        // A freeze for some channels is less than one for all, and more than none: nothing that the
        // length of a list could say.
        _ => Meaning::Neutral,
    }
}

fn of_tags(key: &str) -> Meaning {
    match key {
        "repositories" | "immutable" | "labels" | "annotations" | "forbidden" => Meaning::Demands,
        // Without tags, it is about all of them.
        "shapes" => Meaning::Permits,
        "except" => Meaning::Exempts,
        _ => Meaning::Neutral,
    }
}

fn of_gates(key: &str) -> Meaning {
    match key {
        "policies" | "required" | "min" | "signed" | "matched" => Meaning::Demands,
        "builders" | "sources" | "formats" | "roles" | "by" | "allow" | "max" | "max_age"
        | "newest_within" | "compared_within" | "update_within" => Meaning::Permits,
        "ignore" | "fixable_only" => Meaning::Exempts,
        _ => Meaning::Neutral,
    }
}

impl Meaning {
    /// What a change from one value to another does. Nothing stands for a key that is not there.
    pub(super) fn direction(self, before: &Value, after: &Value) -> Direction {
        let (Some(before), Some(after)) = (amount(before), amount(after)) else {
            return Direction::Other;
        };
        // What lets nothing more through when it is missing is a limit that is not there.
        let (before, after) = match self {
            Self::Permits => (before.or_unlimited(), after.or_unlimited()),
            Self::Demands | Self::Exempts | Self::Neutral => (before, after),
        };
        let Some(grows) = grows(&before, &after) else { return Direction::Other };
        match (self, grows) {
            (Self::Neutral, _) => Direction::Other,
            (Self::Demands, true) | (Self::Permits | Self::Exempts, false) => Direction::Stricter,
            (Self::Demands, false) | (Self::Permits | Self::Exempts, true) => Direction::Laxer,
        }
    }
}

/// How much of something there is.
#[derive(Clone, Debug, PartialEq)]
enum Amount {
    Missing,
    Number(f64),
    Texts(Vec<String>),
    Unlimited,
}

impl Amount {
    fn or_unlimited(self) -> Self {
        match self {
            Self::Missing => Self::Unlimited,
            other => other,
        }
    }
}

fn amount(value: &Value) -> Option<Amount> {
    match value {
        Value::Null => Some(Amount::Missing),
        Value::Bool(is_so) => Some(Amount::Number(f64::from(u8::from(*is_so)))),
        Value::Number(number) => number.as_f64().map(Amount::Number),
        Value::String(text) => {
            let span: TimeSpan = text.parse().ok()?;
            // A hundred years have few enough seconds.
            u32::try_from(span.seconds()).ok().map(|seconds| Amount::Number(f64::from(seconds)))
        }
        Value::Array(values) => {
            let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
            texts.collect::<Option<Vec<_>>>().map(Amount::Texts)
        }
        Value::Object(_) => None,
    }
}

/// Whether there is more; nothing where that cannot be said, as of lists that lose one and win one.
fn grows(before: &Amount, after: &Amount) -> Option<bool> {
    if before == after {
        return None;
    }
    match (before, after) {
        (Amount::Missing, _) | (_, Amount::Unlimited) => Some(true),
        (_, Amount::Missing) | (Amount::Unlimited, _) => Some(false),
        (Amount::Number(before), Amount::Number(after)) => Some(before < after),
        (Amount::Texts(before), Amount::Texts(after)) => {
            let lost = before.iter().any(|text| !after.contains(text));
            let won = after.iter().any(|text| !before.contains(text));
            (lost != won).then_some(won)
        }
        _ => None,
    }
}
