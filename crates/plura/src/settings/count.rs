//! A number of things, at least one.

use std::fmt;
use std::num::NonZeroU32;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// A number of things, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct Count(NonZeroU32);

impl Count {
    /// The number; never zero.
    pub(crate) fn get(self) -> u32 {
        self.0.get()
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_i64(CountVisitor)
    }
}

/// Says what is expected in words; the standard library's type would say "a nonzero u32".
struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number from 1 to {}", u32::MAX)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Count, E> {
        let count = u32::try_from(number).ok().and_then(NonZeroU32::new);
        count.map(Count).ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }
}
