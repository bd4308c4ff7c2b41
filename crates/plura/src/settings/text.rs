//! Values written as one word of text: one way in and one way out for all of them.

use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserializer, Visitor};

/// A value that a person writes as text, in a file, a variable or a flag.
pub(crate) trait Text: FromStr<Err = Rejected> + Display {
    /// What is expected, with examples; it completes the sentence "this is not ...".
    const EXPECTED: &'static str;

    /// The refusal of `given`.
    fn reject(given: &str) -> Rejected {
        Rejected { given: given.to_owned(), expected: Self::EXPECTED }
    }
}

/// Text that is not the value it should be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {given:?}")]
pub(crate) struct Rejected {
    given: String,
    expected: &'static str,
}

/// Reads a [`Text`] value from a string; any other type of value is answered with what is expected.
pub(crate) fn deserialize<'de, D: Deserializer<'de>, T: Text>(from: D) -> Result<T, D::Error> {
    from.deserialize_str(TextVisitor(PhantomData))
}

struct TextVisitor<T>(PhantomData<T>);

impl<T: Text> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// Implements both directions of serde for a [`Text`] type.
macro_rules! text_serde {
    ($type:ty) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $crate::settings::text::deserialize(from)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
    };
}
pub(crate) use text_serde;
