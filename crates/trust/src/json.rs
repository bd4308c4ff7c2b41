//! JSON that reads one way only: every key once, not too deep, not too large.
//!
//! It is read twice: once for its shape, which builds nothing but the sets of keys that are open, then
//! into the type that is wanted.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize,
    de::{self, DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};

use crate::{Reason, Refusal};

/// How deep anything may be nested; SLSA and SBOM predicates stay below 20.
const MAX_DEPTH: usize = 64;
const TWICE: &str = "the key occurs twice: ";
const DEEP: &str = "it is nested too deeply";

/// Reads `what`, which has at most `limit` bytes.
pub(crate) fn read<T: DeserializeOwned>(
    what: &str,
    bytes: &[u8],
    limit: usize,
) -> Result<T, Refusal> {
    read_borrowed(what, bytes, limit)
}

/// The same for what keeps pointing into the bytes.
pub(crate) fn read_borrowed<'a, T: Deserialize<'a>>(
    what: &str,
    bytes: &'a [u8],
    limit: usize,
) -> Result<T, Refusal> {
    check_size(what, bytes, limit)?;
    check_shape(what, bytes)?;
    serde_json::from_slice(bytes).map_err(|error| unreadable(what, &error))
}

/// The parser repeats what it does not expect, however long that is.
pub(crate) fn unreadable(what: &str, error: &serde_json::Error) -> Refusal {
    Refusal::malformed(format!("the {what} cannot be read: {}", shortened(&error.to_string())))
}

pub(crate) fn check_size(what: &str, bytes: &[u8], limit: usize) -> Result<(), Refusal> {
    if bytes.len() <= limit {
        return Ok(());
    }
    let observed = format!("the {what} has {} bytes", bytes.len());
    Err(Refusal::new(Reason::TooLarge, observed).requiring(format!("at most {limit} bytes")))
}

fn check_shape(what: &str, bytes: &[u8]) -> Result<(), Refusal> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let result =
        Shape { depth: 0 }.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    result.map_err(|error| {
        let error = error.to_string();
        let observed = format!("the {what}: {}", shortened(&error));
        if error.starts_with(TWICE) {
            Refusal::new(Reason::DuplicatedKey, observed)
        } else if error.starts_with(DEEP) || error.starts_with("recursion limit") {
            Refusal::new(Reason::TooDeep, observed).requiring(format!("at most {MAX_DEPTH} levels"))
        } else {
            Refusal::malformed(observed)
        }
    })
}

struct Shape {
    depth: usize,
}

impl Shape {
    fn below<E: de::Error>(&self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(E::custom(DEEP));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Shape {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Shape {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while elements.next_element_seed(self.below()?)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            entries.next_value_seed(self.below()?)?;
            if let Some(key) = keys.replace(key) {
                return Err(de::Error::custom(format!("{TWICE}`{}`", shortened(&key))));
            }
        }
        Ok(())
    }
}

/// A text of somebody else, short enough for a message.
pub(crate) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(200).map(printable).collect();
    if short.len() < text.len() && text.chars().count() > 200 {
        short.push_str("...");
    }
    short
}

fn printable(character: char) -> char {
    if character.is_control() { '\u{fffd}' } else { character }
}

/// Numbers that protobuf's JSON writes as texts, and others as numbers.
pub(crate) fn number<'de, D: de::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(i64),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text.parse().map_err(de::Error::custom),
    }
}

/// Bytes as standard base64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Base64(pub(crate) Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        decode_base64(&text).map(Self).ok_or_else(|| de::Error::custom("expected base64"))
    }
}

/// Both alphabets, padded or not: DSSE and protobuf's JSON allow all of it.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    use base64::{
        Engine as _,
        alphabet::{STANDARD, URL_SAFE},
        engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    };
    const LENIENT: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    GeneralPurpose::new(alphabet, LENIENT).decode(text).ok()
}

pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<Reason>) {
        let found = read::<Value>("text", text.as_bytes(), 1000).err().map(|r| r.reason);
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_key_occurs_once_however_it_is_written() {
        check(r#"{"a":1,"b":{"a":2}}"#, None);
        check(r#"{"a":1,"a":1}"#, Some(Reason::DuplicatedKey));
        check(r#"{"a":1,"\u0061":2}"#, Some(Reason::DuplicatedKey));
        check(r#"[{"x":{"a":1,"b":1,"a":3}}]"#, Some(Reason::DuplicatedKey));
    }

    #[test]
    fn depth_and_size_have_limits() {
        check(&format!("{}{}", "[".repeat(64), "]".repeat(64)), None);
        check(&format!("{}{}", "[".repeat(65), "]".repeat(65)), Some(Reason::TooDeep));
        check(&"[".repeat(900), Some(Reason::TooDeep));
        check(&" ".repeat(1001), Some(Reason::TooLarge));
    }

    #[test]
    fn base64_is_read_in_every_spelling() {
        for text in ["+/+/AA==", "+/+/AA", "-_-_AA==", "-_-_AA"] {
            assert_eq!(decode_base64(text), Some(vec![0xfb, 0xff, 0xbf, 0]), "{text}");
        }
        for text in ["+_+_", "a", "a b=", "AB=="] {
            assert_eq!(decode_base64(text), None, "{text}");
        }
    }

    #[test]
    fn what_follows_the_value_is_refused() {
        check("{} {}", Some(Reason::Malformed));
        check("", Some(Reason::Malformed));
        check("nul", Some(Reason::Malformed));
    }
}
