use std::fmt;

/// A version as bytes that sort as its ecosystem sorts versions. Keys of different orders are not to
/// be compared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VersionKey(Box<[u8]>);

impl VersionKey {
    /// The bytes: two versions of one order compare as these do.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for VersionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in &self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// Writes a key piece by piece. A piece must be such that no key of the order continues where another
/// one ended, which tags and terminators see to.
#[derive(Default)]
pub(super) struct KeyWriter(Vec<u8>);

impl KeyWriter {
    pub(super) fn finish(self) -> VersionKey {
        VersionKey(self.0.into_boxed_slice())
    }

    /// One byte that decides by itself.
    pub(super) fn tag(&mut self, tag: u8) {
        self.0.push(tag);
    }

    /// A number of any length, leading zeros being nothing: first its length, then its bytes.
    pub(super) fn number(&mut self, digits: &str) {
        const LONG: u8 = 9;
        let digits = digits.trim_start_matches('0');
        // Nineteen digits always fit; what is longer is larger than anything that does.
        if digits.len() > 19 {
            self.0.push(LONG);
            let length = u16::try_from(digits.len()).unwrap_or(u16::MAX);
            self.0.extend(length.to_be_bytes());
            self.0.extend(digits.as_bytes());
            return;
        }
        let value: u64 = digits.parse().unwrap_or(0);
        let bytes = value.to_be_bytes();
        let zeros = (value.leading_zeros() / 8) as usize;
        self.0.push(u8::try_from(bytes.len() - zeros).unwrap_or(LONG));
        self.0.extend(&bytes[zeros..]);
    }

    /// Text that compares byte by byte, and before what it is the beginning of.
    pub(super) fn text(&mut self, text: &str) {
        for byte in text.bytes() {
            match byte {
                0 => self.0.extend([1, 1]),
                1 => self.0.extend([1, 2]),
                other => self.0.push(other),
            }
        }
        self.0.push(0);
    }
}

/// Takes the digits at the beginning of `text`.
pub(super) fn take_digits<'a>(text: &mut &'a str) -> &'a str {
    take_while(text, |byte| byte.is_ascii_digit())
}

/// Takes the ASCII bytes at the beginning of `text` that are `wanted`.
pub(super) fn take_while<'a>(text: &mut &'a str, wanted: impl Fn(u8) -> bool) -> &'a str {
    let end = text.bytes().position(|byte| !byte.is_ascii() || !wanted(byte));
    let (taken, rest) = text.split_at(end.unwrap_or(text.len()));
    *text = rest;
    taken
}

/// Takes `prefix` if it is at the beginning of `text`.
pub(super) fn take(text: &mut &str, prefix: &str) -> bool {
    let rest = text.strip_prefix(prefix);
    *text = rest.unwrap_or(text);
    rest.is_some()
}

/// Whether all of `text` is digits, of which there is one.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
