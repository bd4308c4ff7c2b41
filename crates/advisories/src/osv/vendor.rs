use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// What a database says about the severity in its own words. Nothing is prescribed for these objects,
/// so anything else in them, or instead of them, is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VendorWords {
    /// GitHub, Red Hat, Bitnami: `MODERATE`, `Important`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub severity: Option<Box<str>>,
    /// Debian: `unimportant`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub urgency: Option<Box<str>>,
    /// Ubuntu: `negligible`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Box<str>>,
    /// GitHub, of a package: `< 0.2`, behind which nothing is known although no event says so. Read into
    /// the events, so it is not written again.
    #[serde(skip)]
    pub(super) last_known_affected: Option<Box<str>>,
}

impl VendorWords {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.words().next().is_none()
    }

    /// What is said.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        [&self.severity, &self.urgency, &self.priority].into_iter().flatten().map(|word| &**word)
    }
}

impl<'de> Deserialize<'de> for VendorWords {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words)
    }
}

/// Anything, of which only an object says something.
struct Words;

impl<'de> Visitor<'de> for Words {
    type Value = VendorWords;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<VendorWords, A::Error> {
        let mut words = VendorWords::default();
        while let Some(Key(key)) = map.next_key()? {
            let Word(word) = match key {
                Some(_) => map.next_value()?,
                None => map.next_value::<IgnoredAny>().map(|_| Word(None))?,
            };
            match key {
                Some(Name::Severity) => words.severity = word,
                Some(Name::Urgency) => words.urgency = word,
                Some(Name::Priority) => words.priority = word,
                Some(Name::LastKnownAffected) => words.last_known_affected = word,
                None => {}
            }
        }
        Ok(words)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<VendorWords, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(VendorWords::default())
    }

    fn visit_unit<E>(self) -> Result<VendorWords, E> {
        Ok(VendorWords::default())
    }

    fn visit_bool<E>(self, _: bool) -> Result<VendorWords, E> {
        Ok(VendorWords::default())
    }

    fn visit_i64<E>(self, _: i64) -> Result<VendorWords, E> {
        Ok(VendorWords::default())
    }

    fn visit_u64<E>(self, _: u64) -> Result<VendorWords, E> {
        Ok(VendorWords::default())
    }

    fn visit_f64<E>(self, _: f64) -> Result<VendorWords, E> {
        Ok(VendorWords::default())
    }

    fn visit_str<E>(self, _: &str) -> Result<VendorWords, E> {
        Ok(VendorWords::default())
    }
}

#[derive(Clone, Copy)]
enum Name {
    Severity,
    Urgency,
    Priority,
    LastKnownAffected,
}

/// The name of a field, if it is one that is read.
struct Key(Option<Name>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(Self(match key.as_ref() {
            "severity" => Some(Name::Severity),
            "urgency" => Some(Name::Urgency),
            "priority" => Some(Name::Priority),
            "last_known_affected_version_range" => Some(Name::LastKnownAffected),
            _ => None,
        }))
    }
}

/// A short text; anything else is nothing.
struct Word(Option<Box<str>>);

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const LONGEST: usize = 64;
        let value = serde_json::Value::deserialize(deserializer)?;
        Ok(Self(value.as_str().filter(|word| word.len() <= LONGEST).map(Into::into)))
    }
}
