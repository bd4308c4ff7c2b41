//! Texts that end.

use serde::{Deserialize, Deserializer, de::Error as _};

/// A text of at most so many characters, as its description says.
#[derive(Clone, Debug)]
pub(super) struct Bounded<const MOST: usize>(String);

impl<const MOST: usize> Bounded<MOST> {
    /// The text.
    pub(super) fn into_text(self) -> String {
        self.0
    }
}

impl<'de, const MOST: usize> Deserialize<'de> for Bounded<MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.chars().count() > MOST {
            return Err(D::Error::custom(format!("expected at most {MOST} characters")));
        }
        Ok(Self(text))
    }
}
