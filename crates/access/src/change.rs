//! Fields of a change: left out, `null`, or a value.

use serde::{Deserialize, Deserializer};

/// A field that is there, be it `null`; with `#[serde(default)]`, one that is not is `None`.
pub(crate) fn given<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}
