/// The block that an entry begins with, in any of the formats called tar.
pub(super) struct Header<'a>(pub(super) &'a [u8; BLOCK]);

/// Everything in an archive is a multiple of this.
pub(super) const BLOCK: usize = 512;

/// What an entry is, as far as a layer is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EntryKind {
    File,
    Link,
    Directory,
    /// Devices, pipes.
    Other,
}

impl Header<'_> {
    pub(super) fn is_zero(&self) -> bool {
        self.0.iter().all(|byte| *byte == 0)
    }

    /// Whether the sum over the block is right, taken over bytes or, as some old writers did, over
    /// signed ones.
    pub(super) fn is_intact(&self) -> bool {
        let Some(expected) = number(&self.0[148..156]) else { return false };
        let spaces = 8 * u64::from(b' ');
        let others = || self.0[..148].iter().chain(&self.0[156..]);
        let unsigned: u64 = others().map(|byte| u64::from(*byte)).sum();
        let signed: i64 = others().map(|byte| i64::from(byte.cast_signed())).sum();
        unsigned + spaces == expected || signed + 256 == expected.cast_signed()
    }

    pub(super) fn kind_byte(&self) -> u8 {
        self.0[156]
    }

    pub(super) fn size(&self) -> Option<u64> {
        number(&self.0[124..136])
    }

    pub(super) fn is_executable(&self) -> bool {
        number(&self.0[100..108]).is_some_and(|mode| mode & 0o111 != 0)
    }

    pub(super) fn name(&self) -> &[u8] {
        until_zero(&self.0[..100])
    }

    /// The part of the path in front of the name, which only POSIX archives have here.
    pub(super) fn prefix(&self) -> &[u8] {
        // The variant called star has times behind a shorter one.
        let end = if self.0[508..] == *b"tar\0" { 476 } else { 500 };
        if self.0[257..263] == *b"ustar\0" { until_zero(&self.0[345..end]) } else { b"" }
    }

    /// Whether another block about the holes of a sparse file follows.
    pub(super) fn more_holes(&self) -> bool {
        self.0[482] != 0
    }
}

/// A number in octal digits or, above what these can hold, in binary with the highest bit set.
fn number(field: &[u8]) -> Option<u64> {
    if let [first, rest @ ..] = field
        && *first & 0x80 != 0
    {
        // 0xff begins a negative number, which nothing here may be.
        if *first == 0xff {
            return None;
        }
        return rest.iter().try_fold(u64::from(*first & 0x7f), |value, byte| {
            value.checked_mul(256).and_then(|value| value.checked_add(u64::from(*byte)))
        });
    }
    let digits = until_zero(field).trim_ascii();
    digits.iter().try_fold(0_u64, |value, byte| match byte {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    })
}

pub(super) fn until_zero(field: &[u8]) -> &[u8] {
    &field[..memchr::memchr(0, field).unwrap_or(field.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_octal_or_binary_and_never_negative() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b"   644 \0"), Some(0o644));
        assert_eq!(number(b"\0\0\0\0"), Some(0));
        assert_eq!(number(b"0008\0"), None);
        assert_eq!(number(&[0x80, 0, 0, 1, 0]), Some(256));
        assert_eq!(number(&[0xff; 12]), None);
        assert_eq!(number(&[0x81; 12]), None, "more than 64 bits");
    }
}
