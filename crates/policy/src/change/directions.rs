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

/// What a key means, by the way to it. Keys of one name mean the same wherever they are, but for few.
pub(super) fn meaning(path: &[&str]) -> Meaning {
    let key = path.last().copied().unwrap_or_default();
    let section = path.first().copied().unwrap_or_default();
    match (section, key) {
        (_, "description" | "fix" | "format" | "reason") => Meaning::Neutral,
        ("layout" | "canaries", _) => Meaning::Neutral,
        // A rule of tags or pulls that is about more asks for more; a channel that takes more does not.
        ("tags" | "pulls", "repositories") => Meaning::Demands,
        ("channels", "repositories" | "from" | "windows") => Meaning::Permits,
        ("channels", "gates" | "soak") | ("pulls", "gates") => Meaning::Demands,
        ("base_images", "names" | "digests") => Meaning::Permits,
        // A freeze for some channels is less than one for all, and more than none: nothing that the
        // length of a list could say.
        ("freezes", "channels") => Meaning::Neutral,
        (_, "immutable" | "labels" | "annotations" | "forbidden" | "policies" | "required") => {
            Meaning::Demands
        }
        (_, "min" | "signed" | "matched") => Meaning::Demands,
        (_, "shapes" | "builders" | "sources" | "formats" | "roles" | "by" | "allow") => {
            Meaning::Permits
        }
        (_, "max" | "max_age" | "newest_within" | "compared_within" | "update_within") => {
            Meaning::Permits
        }
        (_, "ignore" | "except" | "fixable_only") => Meaning::Exempts,
        ("gates", _) if path.iter().rev().nth(1) == Some(&"grace") => Meaning::Exempts,
        _ => Meaning::Neutral,
    }
}

impl Meaning {
    /// What a change from one value to another does. Nothing stands for a key that is not there.
    pub(super) fn direction(self, before: &Value, after: &Value) -> Direction {
        let (before, after) = match (amount(before), amount(after)) {
            (Some(before), Some(after)) => (before, after),
            _ => return Direction::Other,
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
            // Ten years have few enough seconds.
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
    match (before, after) {
        (Amount::Missing, Amount::Missing) | (Amount::Unlimited, Amount::Unlimited) => None,
        (Amount::Missing, _) | (_, Amount::Unlimited) => Some(true),
        (_, Amount::Missing) | (Amount::Unlimited, _) => Some(false),
        (Amount::Number(before), Amount::Number(after)) => {
            (before != after).then_some(before < after)
        }
        (Amount::Texts(before), Amount::Texts(after)) => {
            let lost = before.iter().any(|text| !after.contains(text));
            let won = after.iter().any(|text| !before.contains(text));
            (lost != won).then_some(won)
        }
        (Amount::Number(_), Amount::Texts(_)) | (Amount::Texts(_), Amount::Number(_)) => None,
    }
}
