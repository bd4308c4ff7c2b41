//! JSON that others wrote: read without a tree of all of it, and without failing over one field that is
//! not what it should be.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

/// The most entries that are kept of a list or an object: no image has so many variables or labels, and
/// an entry takes more memory than the three characters that one can be written with.
pub(super) const MOST: usize = 4096;

/// Lists and maps that were cut, or had entries of another type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Few<T> {
    pub(super) entries: T,
    /// Whether that is all there is.
    pub(super) whole: bool,
}

/// Hands each member of an object to `each`, as text. What `each` returns says whether it took it, which
/// is nobody's business here.
pub(super) fn members<'a>(
    bytes: &'a [u8],
    each: impl FnMut(&str, &'a RawValue) -> bool,
) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    deserializer.deserialize_map(Members { each, life: PhantomData })?;
    deserializer.end()
}

/// A text, if it is one.
pub(super) fn text(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// A list of texts; `null` is an empty one. Nothing if it is no list.
pub(super) fn texts(raw: &RawValue) -> Option<Few<Vec<String>>> {
    list(raw)
}

/// A list; entries of another type are left out.
pub(super) fn list<T: DeserializeOwned>(raw: &RawValue) -> Option<Few<Vec<T>>> {
    if raw.get() == "null" {
        return Some(Few { entries: Vec::new(), whole: true });
    }
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    deserializer.deserialize_seq(FirstOf(PhantomData)).ok()
}

/// An object of texts; `null` is an empty one.
pub(super) fn map_of_texts(raw: &RawValue) -> Option<Few<BTreeMap<String, String>>> {
    map(raw, text)
}

/// The names of the members of an object: how Go writes a set.
pub(super) fn keys(raw: &RawValue) -> Option<Few<Vec<String>>> {
    let Few { entries, whole } = map(raw, |_| Some(()))?;
    Some(Few { entries: entries.into_keys().collect(), whole })
}

fn map<T>(
    raw: &RawValue,
    value_of: impl Fn(&RawValue) -> Option<T>,
) -> Option<Few<BTreeMap<String, T>>> {
    let mut few = Few { entries: BTreeMap::new(), whole: true };
    if raw.get() == "null" {
        return Some(few);
    }
    let read = members(raw.get().as_bytes(), |key, value| {
        match value_of(value).filter(|_| few.entries.len() < MOST) {
            Some(value) => drop(few.entries.insert(key.to_owned(), value)),
            None => few.whole = false,
        }
        true
    });
    read.ok().map(|()| few)
}

/// Any value, if it is small, and no deeper than every reader takes.
pub(super) fn small(raw: &RawValue, bytes: usize) -> Option<Value> {
    const DEEPEST: usize = 32;
    if raw.get().len() > bytes {
        return None;
    }
    serde_json::from_str(raw.get()).ok().filter(|value| depth(value) <= DEEPEST)
}

/// What was read is no deeper than the reader goes.
fn depth(value: &Value) -> usize {
    let deepest = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(members) => members.values().map(depth).max(),
        _ => return 0,
    };
    1 + deepest.unwrap_or_default()
}

struct Members<'a, F> {
    each: F,
    life: PhantomData<&'a ()>,
}

impl<'de, F: FnMut(&str, &'de RawValue) -> bool> Visitor<'de> for Members<'de, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some(Key(key)) = map.next_key()? {
            (self.each)(&key, map.next_value()?);
        }
        Ok(())
    }
}

/// Borrowed where nothing in it is escaped.
struct Key<'a>(std::borrow::Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Text<'a> {
            type Value = Key<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Key<'a>, E> {
                Ok(Key(key.into()))
            }

            fn visit_str<E>(self, key: &str) -> Result<Key<'a>, E> {
                Ok(Key(key.to_owned().into()))
            }
        }
        deserializer.deserialize_str(Text(PhantomData))
    }
}

struct FirstOf<T>(PhantomData<T>);

impl<'de, T: DeserializeOwned> Visitor<'de> for FirstOf<T> {
    type Value = Few<Vec<T>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut few = Few { entries: Vec::new(), whole: true };
        while few.entries.len() < MOST {
            let Some(raw) = list.next_element::<&RawValue>()? else { return Ok(few) };
            match serde_json::from_str(raw.get()) {
                Ok(entry) => few.entries.push(entry),
                Err(_) => few.whole = false,
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {
            few.whole = false;
        }
        Ok(few)
    }
}
