/// What headers in front of an entry say about it that its own block cannot hold.
#[derive(Default)]
pub(super) struct Extensions {
    /// The name of a sparse file, which goes before all others.
    sparse_name: Option<Vec<u8>>,
    /// A name in GNU's own form, which goes before that of pax.
    pub(super) long_name: Option<Vec<u8>>,
    /// The `path` of pax.
    path: Option<Vec<u8>>,
    /// The `size` of pax: how much data follows.
    pub(super) size: Option<u64>,
    /// The longest target of a link that was named.
    pub(super) link_bytes: usize,
    /// The data is not the file but its parts between holes.
    pub(super) sparse: bool,
}

impl Extensions {
    /// The name, if one of these headers has it.
    pub(super) fn name(&self) -> Option<&[u8]> {
        let name = self.sparse_name.as_deref().or(self.long_name.as_deref());
        name.or(self.path.as_deref())
    }

    /// Takes in `length key=value\n` records in place of those of an earlier header. Says no if they
    /// are not such.
    pub(super) fn read_pax(&mut self, mut records: &[u8]) -> bool {
        let (long_name, link_bytes) = (self.long_name.take(), self.link_bytes);
        *self = Self { long_name, link_bytes, ..Self::default() };
        while !records.is_empty() {
            let Some((record, rest)) = split_record(records) else { return false };
            records = rest;
            let Some(equals) = memchr::memchr(b'=', record) else { return false };
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            if !self.take(key, value) {
                return false;
            }
        }
        true
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> bool {
        match key {
            b"path" | b"linkpath" if memchr::memchr(0, value).is_some() => return false,
            // An empty value takes a record back.
            b"path" => self.path = (!value.is_empty()).then(|| value.to_vec()),
            b"linkpath" => self.link_bytes = self.link_bytes.max(value.len()),
            b"size" if value.is_empty() => self.size = None,
            b"size" => {
                let Some(size) = decimal(value) else { return false };
                self.size = Some(size);
            }
            b"GNU.sparse.name" => {
                self.sparse_name = Some(value.to_vec());
                self.sparse = true;
            }
            _ if key.starts_with(b"GNU.sparse.") => self.sparse = true,
            _ => {}
        }
        true
    }
}

/// One record without its length and line end, and what follows.
fn split_record(records: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = memchr::memchr(b' ', records)?;
    let length = usize::try_from(decimal(&records[..space])?).ok()?;
    if length <= space + 1 || length > records.len() || records[length - 1] != b'\n' {
        return None;
    }
    Some((&records[space + 1..length - 1], &records[length..]))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(digits).ok()?;
    if digits.starts_with('+') { None } else { digits.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pax_records_are_taken_by_their_length() {
        let mut extensions = Extensions::default();
        assert!(extensions.read_pax(b"12 path=a\nb\n12 size=100\n16 linkpath=abc\n"));
        assert_eq!(extensions.path.as_deref(), Some(&b"a\nb"[..]));
        assert_eq!((extensions.size, extensions.link_bytes), (Some(100), 3));
    }

    #[test]
    fn what_is_no_pax_record_is_refused() {
        let bad: [&[u8]; 7] = [
            b"x",
            b"8 path=a\n",
            b"99 path=a\n",
            b"0 path=a\n",
            b"7 path\n",
            b"11 size=-1\n",
            b"2 \n",
        ];
        for records in bad {
            assert!(!Extensions::default().read_pax(records), "{}", records.escape_ascii());
        }
    }
}
