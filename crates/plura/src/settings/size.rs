//! Numbers of bytes as people write them: `4MiB`, `5GB`, `4194304`.

use std::fmt::{self, Display};
use std::str::FromStr;

use serde::de::{Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

use super::text::{Rejected, Text};

/// Bytes in each unit that is read; binary units come first and the largest of them first, because
/// printing takes the first that divides.
const UNITS: [(&str, u64); 10] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("B", 1),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("", 1),
];

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ByteSize(u64);

impl ByteSize {
    /// The number of bytes.
    pub(crate) fn bytes(self) -> u64 {
        self.0
    }
}

impl Text for ByteSize {
    const EXPECTED: &'static str = r#"a size such as "4MiB", "5GB" or 4194304 (bytes)"#;
}

impl FromStr for ByteSize {
    type Err = Rejected;

    fn from_str(text: &str) -> Result<Self, Rejected> {
        parse(text).map(Self).ok_or_else(|| Self::reject(text))
    }
}

/// The largest binary unit that divides the size: printing and reading back changes nothing.
impl Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let divides = |(_, unit): &&(&str, u64)| self.0 >= *unit && self.0.is_multiple_of(*unit);
        let (name, unit) = UNITS.iter().find(divides).unwrap_or(&("B", 1));
        write!(f, "{}{name}", self.0 / unit)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(SizeVisitor)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// A plain number is a number of bytes; text carries a unit.
struct SizeVisitor;

impl Visitor<'_> for SizeVisitor {
    type Value = ByteSize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ByteSize::EXPECTED)
    }

    fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
        Ok(ByteSize(bytes))
    }

    fn visit_i64<E: serde::de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
        let rejected = |_| E::custom(ByteSize::reject(&bytes.to_string()));
        u64::try_from(bytes).map(ByteSize).map_err(rejected)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ByteSize, E> {
        text.parse().map_err(E::custom)
    }
}

/// How large a manifest may be. The specification obliges a registry to accept 4 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(try_from = "ByteSize", into = "ByteSize")]
pub(crate) struct ManifestLimit(ByteSize);

impl ManifestLimit {
    const LEAST: ByteSize = ByteSize(4 << 20);

    /// The number of bytes; at least 4 MiB.
    pub(crate) fn bytes(self) -> u64 {
        self.0.bytes()
    }
}

impl TryFrom<ByteSize> for ManifestLimit {
    type Error = TooSmall;

    fn try_from(size: ByteSize) -> Result<Self, TooSmall> {
        if size < Self::LEAST { Err(TooSmall(size)) } else { Ok(Self(size)) }
    }
}

impl From<ManifestLimit> for ByteSize {
    fn from(limit: ManifestLimit) -> Self {
        limit.0
    }
}

/// A manifest limit below what every client may rely on.
#[derive(Debug, thiserror::Error)]
#[error("expected a size of at least {}, found {_0}", ManifestLimit::LEAST)]
pub(crate) struct TooSmall(ByteSize);

fn parse(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_print_so_that_they_read_back_the_same() {
        for (text, bytes, printed) in [
            ("0", 0, "0B"),
            ("4194304", 4 << 20, "4MiB"),
            ("4MiB", 4 << 20, "4MiB"),
            ("1536KiB", 1536 << 10, "1536KiB"),
            ("5GB", 5_000_000_000, "5000000000B"),
            ("2kB", 2000, "2000B"),
            ("1TiB", 1 << 40, "1TiB"),
        ] {
            let size: ByteSize = text.parse().expect("the size is well written");
            assert_eq!((size.bytes(), size.to_string()), (bytes, printed.to_owned()), "{text}");
            assert_eq!(printed.parse(), Ok(size));
        }
    }

    #[test]
    fn other_text_is_not_a_size() {
        for text in ["", "MiB", "-1", "4 MiB", "4mib", "1.5GiB", "4M", "99999999TiB"] {
            assert_eq!(text.parse::<ByteSize>(), Err(ByteSize::reject(text)));
        }
    }

    #[test]
    fn a_manifest_limit_is_never_below_what_clients_rely_on() {
        assert!(ManifestLimit::try_from(ByteSize((4 << 20) - 1)).is_err());
        assert!(ManifestLimit::try_from(ByteSize(4 << 20)).is_ok());
    }
}
