use std::str::FromStr;

use crate::{ErrorCode, RequestError};

/// A part of a blob: bytes `start..end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByteRange {
    /// The first byte.
    pub start: u64,
    /// One behind the last byte; more than `start`.
    pub end: u64,
}

/// The range lies outside the content: answer 416.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the range lies outside the {size} bytes of the blob")]
pub struct RangeError {
    /// The size of the content, for `Content-Range: bytes */size`.
    pub size: u64,
}

impl ByteRange {
    /// Reads a `Range` header (RFC 9110, section 14.2) for content of `size` bytes.
    ///
    /// `None` means "answer the whole": another unit, a header that is no range, or several ranges of
    /// which one at least could be answered.
    /// A range whose end lies before its start is answered 416: the RFC would ignore it, the
    /// conformance suite of the distribution specification asks for the error.
    pub fn parse(header: &str, size: u64) -> Result<Option<Self>, RangeError> {
        let Some((unit, set)) = header.trim().split_once('=') else { return Ok(None) };
        if !unit.eq_ignore_ascii_case("bytes") {
            return Ok(None);
        }
        let parts: Vec<Part> = set.split(',').map(|part| Part::parse(part.trim(), size)).collect();
        match parts.as_slice() {
            [Part::Inside(range)] => Ok(Some(*range)),
            parts if parts.iter().all(|part| matches!(part, Part::Outside)) => {
                Err(RangeError { size })
            }
            _ => Ok(None),
        }
    }

    /// How many bytes; at least one.
    pub fn length(self) -> u64 {
        self.end - self.start
    }

    /// The value of `Content-Range` for a 206.
    pub fn content_range(self, size: u64) -> String {
        format!("bytes {}-{}/{size}", self.start, self.end - 1)
    }
}

/// One range of a set.
enum Part {
    Inside(ByteRange),
    Outside,
    Malformed,
}

impl Part {
    fn parse(text: &str, size: u64) -> Self {
        let Some((first, last)) = text.split_once('-') else { return Self::Malformed };
        match (number(first.trim()), number(last.trim())) {
            (Number::Value(start), Number::Value(last)) if start < size && start <= last => {
                Self::Inside(ByteRange { start, end: last.saturating_add(1).min(size) })
            }
            (Number::Value(start), Number::Absent) if start < size => {
                Self::Inside(ByteRange { start, end: size })
            }
            (Number::Absent, Number::Value(length)) if length > 0 && size > 0 => {
                Self::Inside(ByteRange { start: size.saturating_sub(length), end: size })
            }
            (Number::Malformed, _) | (_, Number::Malformed) | (Number::Absent, Number::Absent) => {
                Self::Malformed
            }
            _ => Self::Outside,
        }
    }
}

enum Number {
    Absent,
    Value(u64),
    Malformed,
}

/// Digits only: `str::parse` alone would accept a sign. Too large is as good as the largest.
fn number(text: &str) -> Number {
    if text.is_empty() {
        Number::Absent
    } else if text.bytes().all(|b| b.is_ascii_digit()) {
        Number::Value(text.parse().unwrap_or(u64::MAX))
    } else {
        Number::Malformed
    }
}

/// `Content-Range` of a chunk of an upload: `start-end`, both inclusive, without a unit
/// (distribution-spec, "Pushing a blob in chunks"). An empty chunk is written `start-(start-1)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// Where the chunk begins.
    pub start: u64,
    /// How many bytes it has.
    pub length: u64,
}

impl FromStr for ContentRange {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || {
            RequestError::new(
                ErrorCode::BlobUploadInvalid,
                "Content-Range of a chunk must be `START-END`, both inclusive, for example `0-1023`",
            )
        };
        // Some clients write the form of RFC 9110, `bytes 0-1023/*`.
        let range = text.trim();
        let range = range.strip_prefix("bytes ").unwrap_or(range);
        let range = range.split('/').next().unwrap_or_default();
        let (start, end) = range.split_once('-').ok_or_else(malformed)?;
        let Number::Value(start) = number(start) else { return Err(malformed()) };
        let behind = match (end, number(end)) {
            ("-1", _) => 0,
            (_, Number::Value(end)) => end.checked_add(1).ok_or_else(malformed)?,
            _ => return Err(malformed()),
        };
        let length = behind.checked_sub(start).ok_or_else(malformed)?;
        Ok(Self { start, length })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_rfc_9110() {
        let check = |header: &str, size: u64, expected: Result<Option<(u64, u64)>, ()>| {
            let parsed = ByteRange::parse(header, size);
            let seen = parsed.map(|range| range.map(|r| (r.start, r.end))).map_err(|_| ());
            assert_eq!(seen, expected, "{header} of {size}");
        };
        check("bytes=500-1499", 2048, Ok(Some((500, 1500))));
        check("bytes=500-", 2048, Ok(Some((500, 2048))));
        check("bytes=-500", 2048, Ok(Some((1548, 2048))));
        check("bytes=-5000", 2048, Ok(Some((0, 2048))));
        check("bytes=2000-5000", 2048, Ok(Some((2000, 2048))));
        check("bytes=0-0", 2048, Ok(Some((0, 1))));
        check("bytes=0-99999999999999999999999", 2048, Ok(Some((0, 2048))));
        check("bytes=500-0", 2048, Err(()));
        check("bytes=5000-10000", 2048, Err(()));
        check("bytes=2048-", 2048, Err(()));
        check("bytes=-0", 2048, Err(()));
        check("bytes=0-", 0, Err(()));
        check("bytes=-1", 0, Err(()));
        check("Bytes=0-1", 2048, Ok(Some((0, 2))));
        check("bytes=0-1,5-6", 2048, Ok(None));
        check("bytes=0-1,5000-", 2048, Ok(None));
        check("bytes=4000-,5000-", 2048, Err(()));
        check("bytes=-", 2048, Ok(None));
        check("bytes=a-b", 2048, Ok(None));
        check("bytes=+1-2", 2048, Ok(None));
        check("lines=1-2", 2048, Ok(None));
        check("", 2048, Ok(None));
    }

    #[test]
    fn content_ranges_of_chunks() {
        let check = |text: &str, expected: Option<(u64, u64)>| {
            let parsed = text.parse::<ContentRange>().ok().map(|r| (r.start, r.length));
            assert_eq!(parsed, expected, "{text}");
        };
        check("0-1023", Some((0, 1024)));
        check("1024-1024", Some((1024, 1)));
        check("bytes 0-9/*", Some((0, 10)));
        check("0--1", Some((0, 0)));
        check("10-9", Some((10, 0)));
        check("10-8", None);
        check("0-18446744073709551615", None);
        for text in ["", "-", "5", "5-", "-5", "a-b", "1-2-3", "+1-2"] {
            check(text, None);
        }
    }
}
