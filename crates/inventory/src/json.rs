//! JSON that others wrote: read without a tree in memory, and without failing over a field that is
//! not what it should be.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// A value, or nothing if it is of another type.
#[derive(Clone, Debug)]
pub(crate) struct Lenient<T>(pub(crate) Option<T>);

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(raw.get()).ok()))
    }
}

/// Licenses as they are written: a name, an object with a name, or a list of such.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(pub(crate) Vec<String>);

/// Nothing declares more.
const MOST_NAMES: usize = 64;

/// A list of objects that each have an object with the name.
const DEEPEST_NAMES: u8 = 4;

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        let mut names = Vec::new();
        add_names(raw.get(), 0, &mut names);
        Ok(Self(names))
    }
}

fn add_names(json: &str, depth: u8, names: &mut Vec<String>) {
    let json = json.trim_start();
    if depth >= DEEPEST_NAMES || names.len() >= MOST_NAMES {
        return;
    }
    // What is malformed names nothing: the document as a whole was checked by its own reader.
    if json.starts_with('"') {
        names.extend(serde_json::from_str::<String>(json));
    } else if json.starts_with('[') {
        let element = |element: Box<RawValue>| add_names(element.get(), depth + 1, names);
        drop(each(json.as_bytes(), element));
    } else if json.starts_with('{') {
        let member = |key: &str, value: &RawValue| {
            if matches!(key, "type" | "name" | "id" | "license" | "expression") {
                add_names(value.get(), depth + 1, names);
            }
            Ok(())
        };
        drop(members(json.as_bytes(), member));
    }
}

/// Hands each element of a list to `each`, leaving out those of another type.
pub(crate) fn each<T: DeserializeOwned>(
    bytes: &[u8],
    each: impl FnMut(T),
) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    Each { each, element: PhantomData }.deserialize(&mut deserializer)
}

/// Hands each element of the list that is member `name` of an object to `each`.
pub(crate) fn each_of<T: DeserializeOwned>(
    bytes: &[u8],
    name: &str,
    mut hand: impl FnMut(T),
) -> Result<(), serde_json::Error> {
    members(
        bytes,
        |key, value| {
            if key == name { each(value.get().as_bytes(), &mut hand) } else { Ok(()) }
        },
    )
}

/// Hands each member of the object that is member `name` of an object to `each`.
pub(crate) fn each_member_of<T: DeserializeOwned>(
    bytes: &[u8],
    name: &str,
    mut each: impl FnMut(&str, T),
) -> Result<(), serde_json::Error> {
    members(bytes, |key, value| {
        if key != name {
            return Ok(());
        }
        members(value.get().as_bytes(), |key, value| {
            if let Ok(value) = serde_json::from_str(value.get()) {
                each(key, value);
            }
            Ok(())
        })
    })
}

/// Hands each member of an object to `each`, as text.
pub(crate) fn members(
    bytes: &[u8],
    each: impl FnMut(&str, &RawValue) -> Result<(), serde_json::Error>,
) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    deserializer.deserialize_map(Members { each })
}

struct Each<T, F> {
    each: F,
    element: PhantomData<T>,
}

impl<'de, T: DeserializeOwned, F: FnMut(T)> DeserializeSeed<'de> for Each<T, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: DeserializeOwned, F: FnMut(T)> Visitor<'de> for Each<T, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element::<Lenient<T>>()? {
            if let Some(element) = element.0 {
                (self.each)(element);
            }
        }
        Ok(())
    }
}

struct Members<F> {
    each: F,
}

impl<'de, F: FnMut(&str, &RawValue) -> Result<(), serde_json::Error>> Visitor<'de> for Members<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::Short(key) => {
                    let value = map.next_value::<&RawValue>()?;
                    (self.each)(&key, value).map_err(serde::de::Error::custom)?;
                }
                Key::Long => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

/// A member's name, unless it is longer than any that means something.
enum Key {
    Short(String),
    Long,
}

const LONGEST_KEY: usize = 1024;

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Ok(if key.len() > LONGEST_KEY { Self::Long } else { Self::Short(key.into_owned()) })
    }
}
