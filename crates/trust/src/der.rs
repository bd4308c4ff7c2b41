//! ASN.1 in its distinguished encoding, as far as certificates and timestamps need it.

use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};

pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// A constructed, context-specific tag.
    pub(crate) const fn context(number: u8) -> u8 {
        0xa0 | number
    }
}

/// The bytes are not what was expected at that place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// One element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) value: &'a [u8],
    /// With its tag and length.
    pub(crate) whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// What it is made of.
    pub(crate) fn inner(self) -> Reader<'a> {
        Reader::new(self.value)
    }

    /// The time that it is.
    pub(crate) fn time(self) -> Result<Timestamp, Malformed> {
        let text = std::str::from_utf8(self.value).map_err(|_| Malformed)?;
        match self.tag {
            tag::UTC_TIME => utc_time(text),
            tag::GENERALIZED_TIME => generalized_time(text),
            _ => Err(Malformed),
        }
    }

    /// The whole bytes of a bit string.
    pub(crate) fn bits(self) -> Result<&'a [u8], Malformed> {
        match (self.tag, self.value.split_first()) {
            (tag::BIT_STRING, Some((0, bits))) => Ok(bits),
            _ => Err(Malformed),
        }
    }
}

/// Reads one element after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The one element that the bytes are.
    pub(crate) fn only(bytes: &'a [u8], tag: u8) -> Result<Element<'a>, Malformed> {
        let mut reader = Self::new(bytes);
        let element = reader.read(tag)?;
        reader.end()?;
        Ok(element)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    /// The next element, whatever it is.
    pub(crate) fn next(&mut self) -> Result<Element<'a>, Malformed> {
        let all = self.0;
        let (&tag, rest) = all.split_first().ok_or(Malformed)?;
        // Tags of more than one byte occur nowhere in what is read here.
        if tag & 0x1f == 0x1f {
            return Err(Malformed);
        }
        let (length, rest) = length(rest)?;
        let (value, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        self.0 = rest;
        Ok(Element { tag, value, whole: &all[..all.len() - rest.len()] })
    }

    /// The next element, which must have the tag.
    pub(crate) fn read(&mut self, tag: u8) -> Result<Element<'a>, Malformed> {
        let element = self.next()?;
        if element.tag == tag { Ok(element) } else { Err(Malformed) }
    }

    /// The next element, if it has the tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Malformed> {
        if self.0.first() == Some(&tag) { self.next().map(Some) } else { Ok(None) }
    }

    pub(crate) fn sequence(&mut self) -> Result<Reader<'a>, Malformed> {
        Ok(self.read(tag::SEQUENCE)?.inner())
    }
}

/// A definite length in the fewest bytes.
fn length(bytes: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    let (&first, rest) = bytes.split_first().ok_or(Malformed)?;
    if first < 0x80 {
        return Ok((usize::from(first), rest));
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 4 {
        return Err(Malformed);
    }
    let (digits, rest) = rest.split_at_checked(count).ok_or(Malformed)?;
    let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
    let minimal = digits[0] != 0 && length >= 0x80;
    if minimal { Ok((length, rest)) } else { Err(Malformed) }
}

/// An element with that tag and value.
pub(crate) fn element(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len();
    let mut bytes = vec![tag];
    if let Ok(short @ 0..0x80) = u8::try_from(length) {
        bytes.push(short);
    } else {
        let digits = length.to_be_bytes();
        let digits = &digits[digits.iter().take_while(|digit| **digit == 0).count()..];
        bytes.push(0x80 | u8::try_from(digits.len()).unwrap_or(8));
        bytes.extend_from_slice(digits);
    }
    bytes.extend_from_slice(value);
    bytes
}

/// RFC 5280, 4.1.2.5.1: two digits of the year, before 50 in this century.
fn utc_time(text: &str) -> Result<Timestamp, Malformed> {
    let year: i16 = digits(text, 0, 2)?;
    let century = if year < 50 { "20" } else { "19" };
    generalized_time(&format!("{century}{text}"))
}

fn generalized_time(text: &str) -> Result<Timestamp, Malformed> {
    let body = text.strip_suffix('Z').filter(|body| body.is_ascii()).ok_or(Malformed)?;
    let (whole, fraction) = body.split_once('.').unwrap_or((body, "0"));
    let numeric = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if whole.len() != 14 || fraction.len() > 9 || !numeric(whole) || !numeric(fraction) {
        return Err(Malformed);
    }
    let nanoseconds: i32 = format!("{fraction:0<9}").parse().map_err(|_| Malformed)?;
    let day = Date::new(digits(whole, 0, 4)?, digits(whole, 4, 2)?, digits(whole, 6, 2)?);
    let (hour, minute, second) =
        (digits(whole, 8, 2)?, digits(whole, 10, 2)?, digits(whole, 12, 2)?);
    let time = Time::new(hour, minute, second, nanoseconds).map_err(|_| Malformed)?;
    let day = day.map_err(|_| Malformed)?;
    TimeZone::UTC.to_timestamp(day.to_datetime(time)).map_err(|_| Malformed)
}

fn digits<T: std::str::FromStr>(text: &str, start: usize, count: usize) -> Result<T, Malformed> {
    let digits = text.get(start..start + count).ok_or(Malformed)?;
    digits.parse().map_err(|_| Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_are_definite_and_minimal() {
        for (bytes, ok) in [
            (&[0x30, 0x00][..], true),
            (&[0x30, 0x80, 0, 0], false),
            (&[0x30, 0x81, 0x01, 0], false),
            (&[0x30, 0x82, 0x00, 0x01, 0], false),
            (&[0x30, 0x01], false),
            (&[0x1f, 0x01, 0], false),
            (&[], false),
        ] {
            assert_eq!(Reader::new(bytes).next().is_ok(), ok, "{bytes:?}");
        }
    }

    #[test]
    fn times_are_read() {
        let read = |tag, text: &str| {
            Element { tag, value: text.as_bytes(), whole: &[] }.time().map(|t| t.to_string())
        };
        assert_eq!(read(tag::UTC_TIME, "221231235959Z").unwrap(), "2022-12-31T23:59:59Z");
        assert_eq!(read(tag::UTC_TIME, "991231235959Z").unwrap(), "1999-12-31T23:59:59Z");
        let fraction = read(tag::GENERALIZED_TIME, "20300102030405.25Z").unwrap();
        assert_eq!(fraction, "2030-01-02T03:04:05.25Z");
        for wrong in ["20301302030405Z", "20300102030405", "2030010203040Z", "+0300102030405Z", ""]
        {
            assert_eq!(read(tag::GENERALIZED_TIME, wrong), Err(Malformed), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(value in prop::collection::vec(any::<u8>(), 0..70_000)) {
            let bytes = element(tag::OCTET_STRING, &value);
            prop_assert_eq!(Reader::only(&bytes, tag::OCTET_STRING).unwrap().value, &value[..]);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = Reader::new(&bytes);
            while let Ok(element) = reader.next() {
                let _ = element.time();
            }
        }
    }
}
