use std::{fmt, io};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{Hash, leaf_hash};

/// The most bytes of an entry: a bundle of entries has two bytes for the length of each.
pub const MAX_ENTRY: usize = 65_535;
/// How deep an entry may be nested.
const MAX_DEPTH: usize = 32;
/// The largest integer that every reader of JSON understands: 2^53 - 1 (RFC 8785, section 3.2.2.3).
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// A record of the log: a JSON object with one way to be written (RFC 8785), so that whoever has the
/// record has the bytes that were hashed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Entry(Box<[u8]>);

/// Why something cannot be an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// More than [`MAX_ENTRY`] bytes.
    #[error("a log entry has {0} bytes; expected at most {MAX_ENTRY}")]
    TooLarge(usize),
    /// It is not JSON, or not what was expected to be in it.
    #[error("a log entry cannot be read: {0}")]
    Malformed(String),
    /// A text, a number, a list.
    #[error("a log entry is a JSON object")]
    NoObject,
    /// A number whose text differs between writers.
    #[error("a log entry has the number {0}; expected integers between -(2^53 - 1) and 2^53 - 1")]
    Number(String),
    /// Nested too deeply.
    #[error("a log entry is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// JSON, but written another way.
    #[error("a log entry is not in its canonical form")]
    NotCanonical,
}

impl Entry {
    /// The entry of a record.
    pub fn new<T: Serialize + ?Sized>(record: &T) -> Result<Self, EntryError> {
        Self::from_value(&serde_json::to_value(record).map_err(malformed)?)
    }

    /// The entry that the bytes are. They have to be canonical already: what was logged is kept.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > MAX_ENTRY {
            return Err(EntryError::TooLarge(bytes.len()));
        }
        let value: Value = serde_json::from_slice(bytes).map_err(malformed)?;
        let entry = Self::from_value(&value)?;
        if *entry.0 == *bytes { Ok(entry) } else { Err(EntryError::NotCanonical) }
    }

    fn from_value(value: &Value) -> Result<Self, EntryError> {
        if !value.is_object() {
            return Err(EntryError::NoObject);
        }
        let mut out = Vec::new();
        write(value, MAX_DEPTH, &mut out)?;
        if out.len() > MAX_ENTRY {
            return Err(EntryError::TooLarge(out.len()));
        }
        Ok(Self(out.into()))
    }

    /// What is hashed and kept.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The hash that the tree has of it.
    pub fn hash(&self) -> Hash {
        leaf_hash(&self.0)
    }

    /// The record in it.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, EntryError> {
        serde_json::from_slice(&self.0).map_err(malformed)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is given to `map_err`")]
fn malformed(error: serde_json::Error) -> EntryError {
    // The parser repeats what it does not expect, however long that is.
    EntryError::Malformed(error.to_string().chars().take(200).collect())
}

/// Writes the value as RFC 8785 says, except that there are no fractions.
fn write(value: &Value, depth: usize, out: &mut Vec<u8>) -> Result<(), EntryError> {
    match value {
        Value::Array(elements) => {
            let below = depth.checked_sub(1).ok_or(EntryError::TooDeep)?;
            out.push(b'[');
            for (index, element) in elements.iter().enumerate() {
                separate(index, out);
                write(element, below, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            write_object(members, depth.checked_sub(1).ok_or(EntryError::TooDeep)?, out)?;
        }
        Value::Number(number) => {
            let whole = number.as_i64().map(i64::unsigned_abs).or_else(|| number.as_u64());
            if whole.is_none_or(|whole| whole > MAX_INTEGER) {
                return Err(EntryError::Number(number.to_string()));
            }
            write_scalar(value, out)?;
        }
        Value::Null | Value::Bool(_) | Value::String(_) => write_scalar(value, out)?,
    }
    Ok(())
}

fn write_object(
    members: &Map<String, Value>,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), EntryError> {
    let mut members: Vec<_> = members.iter().collect();
    // RFC 8785, section 3.2.3: by UTF-16 code units, which differs from the order of the bytes.
    members.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
    out.push(b'{');
    for (index, (key, value)) in members.into_iter().enumerate() {
        separate(index, out);
        serde_json::to_writer(&mut *out, key).map_err(malformed)?;
        out.push(b':');
        write(value, depth, out)?;
    }
    out.push(b'}');
    Ok(())
}

/// What serde writes is what the RFC wants: the shortest escapes, in lower case.
fn write_scalar(value: &Value, out: &mut Vec<u8>) -> Result<(), EntryError> {
    let out: &mut dyn io::Write = out;
    serde_json::to_writer(out, value).map_err(malformed)
}

fn separate(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
}

impl AsRef<[u8]> for Entry {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As the object itself, so that a person can read it.
impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: Value = serde_json::from_slice(&self.0).map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }
}

/// However the object is written: its bytes follow from its contents.
impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_value(&Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_has_one_way_to_be_written() {
        let entry = Entry::new(&json!({
            "b": [1, {"z": null, "a": true}], "a": "x\n\u{1}\"\\/ö", "": -7,
            "\u{fb33}": 1, "\u{1f600}": 2,
        }));
        let expected = "{\"\":-7,\"a\":\"x\\n\\u0001\\\"\\\\/ö\",\"b\":[1,{\"a\":true,\"z\":null}],\
                        \"\u{1f600}\":2,\"\u{fb33}\":1}";
        assert_eq!(entry.as_ref().map(Entry::to_string), Ok(expected.to_owned()));
        assert_eq!(Entry::from_bytes(expected.as_bytes()), entry);
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        #[track_caller]
        fn check(text: &str, expected: fn(&EntryError) -> bool) {
            let error = Entry::from_bytes(text.as_bytes()).expect_err(text);
            assert!(expected(&error), "{error}");
        }
        check("{\"b\":1,\"a\":1}", |e| *e == EntryError::NotCanonical);
        check("{\"a\":1,\"a\":1}", |e| *e == EntryError::NotCanonical);
        check("{ }", |e| *e == EntryError::NotCanonical);
        check("{\"\\u0061\":1}", |e| *e == EntryError::NotCanonical);
        check("{\"a\":1.5}", |e| matches!(e, EntryError::Number(_)));
        check("{\"a\":9007199254740992}", |e| matches!(e, EntryError::Number(_)));
        check("[]", |e| *e == EntryError::NoObject);
        check("{", |e| matches!(e, EntryError::Malformed(_)));
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(32), "]".repeat(32));
        check(&deep, |e| *e == EntryError::TooDeep);
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(MAX_ENTRY));
        check(&large, |e| matches!(e, EntryError::TooLarge(_)));
        assert!(matches!(
            Entry::new(&json!({"a": "x".repeat(MAX_ENTRY)})),
            Err(EntryError::TooLarge(_))
        ));
    }

    #[test]
    fn an_entry_within_other_json_keeps_its_bytes() {
        let entry = Entry::new(&json!({"b": 1, "a": [2, 3]})).expect("an entry");
        let pretty = serde_json::to_string_pretty(&entry).expect("JSON");
        assert_eq!(serde_json::from_str::<Entry>(&pretty).expect("an entry"), entry);
    }
}
