use std::io::Read;

use super::{
    expand::{Expanded, WINDOW},
    extensions::Extensions,
    header::{BLOCK, EntryKind, Header, until_zero},
};
use crate::{LayerError, Limit, Limits};

/// Walks over the entries of a layer's archive as a stream. What is not asked for is skipped.
///
/// Where readers of tar differ, this one does as Go's `archive/tar`, which container engines unpack
/// with: two readers that see different files in the same bytes are how things are hidden.
pub(super) struct Walker<'a, R: Read> {
    input: Expanded<'a, R>,
    /// Data of the current entry that was not consumed.
    remaining: u64,
    /// Filler behind it.
    padding: u64,
    entry: Entry,
}

/// The current entry.
pub(super) struct Entry {
    /// From the root, without a leading slash, `.` or `..`; the root itself is empty.
    pub(super) path: String,
    pub(super) kind: EntryKind,
    pub(super) size: u64,
    pub(super) executable: bool,
    /// Its data is not what the file holds.
    pub(super) sparse: bool,
}

/// What one header block turned out to be.
enum Step {
    Entry,
    Extension,
    End,
}

impl<'a, R: Read> Walker<'a, R> {
    pub(super) fn new(source: R, limits: &'a Limits) -> Result<Self, LayerError> {
        let input = Expanded::new(source, limits)?;
        let path = String::new();
        let kind = EntryKind::Other;
        let entry = Entry { path, kind, size: 0, executable: false, sparse: false };
        Ok(Self { input, remaining: 0, padding: 0, entry })
    }

    /// Goes to the next entry; says no behind the last.
    pub(super) fn advance(&mut self) -> Result<bool, LayerError> {
        self.finish_entry()?;
        let mut extensions = Extensions::default();
        loop {
            match self.step(&mut extensions)? {
                Step::Entry => return Ok(true),
                Step::Extension => {}
                Step::End => return Ok(false),
            }
        }
    }

    /// Reads what is behind the last entry, which is not looked at, and says how long all was.
    pub(super) fn drain(&mut self) -> Result<u64, LayerError> {
        self.input.drain()?;
        Ok(self.input.offset())
    }

    pub(super) fn entry(&self) -> &Entry {
        &self.entry
    }

    pub(super) fn entries(&self) -> u64 {
        self.input.entry
    }

    pub(super) fn exceeded(&self, limit: Limit, most: u64) -> LayerError {
        self.input.exceeded(limit, most)
    }

    /// The first `most` bytes of the data, or all if it has fewer, without taking them.
    pub(super) fn peek(&mut self, most: usize) -> Result<&[u8], LayerError> {
        let amount = most.min(WINDOW).min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        if !self.input.require(amount)? {
            return Err(self.input.damaged("it ends inside of a file"));
        }
        Ok(&self.input.window()[..amount])
    }

    /// Whether all data can be seen at once by [`Self::peek`].
    pub(super) fn fits_window(&self) -> bool {
        self.remaining <= WINDOW as u64
    }

    /// How much of the data was not taken yet.
    pub(super) fn remaining(&self) -> u64 {
        self.remaining
    }

    /// Takes bytes that were seen by [`Self::peek`].
    pub(super) fn consume(&mut self, amount: usize) {
        let amount = amount.min(self.input.window().len());
        let amount = amount.min(usize::try_from(self.remaining).unwrap_or(usize::MAX));
        self.input.consume(amount);
        self.remaining -= amount as u64;
    }

    /// Takes all data into `into`, which grows with what arrives and not with what is claimed.
    pub(super) fn take(&mut self, into: &mut Vec<u8>) -> Result<(), LayerError> {
        into.clear();
        while self.remaining > 0 {
            let step = self.peek(WINDOW / 4)?;
            into.extend_from_slice(step);
            let amount = step.len();
            self.consume(amount);
        }
        Ok(())
    }

    fn finish_entry(&mut self) -> Result<(), LayerError> {
        let (data, padding) = (self.remaining, self.padding);
        self.remaining = 0;
        self.padding = 0;
        if !self.input.skip(data)? {
            return Err(self.input.damaged("it ends inside of a file"));
        }
        // The filler of the last entry may be missing: nothing is lost with it.
        self.input.skip(padding)?;
        self.input.path.clear();
        Ok(())
    }

    fn step(&mut self, extensions: &mut Extensions) -> Result<Step, LayerError> {
        if !self.input.require(BLOCK)? {
            // The end marker may be missing, but nothing else.
            let whole = self.input.window().is_empty();
            return if whole {
                Ok(Step::End)
            } else {
                Err(self.input.damaged("it ends inside of a header"))
            };
        }
        let mut block = [0; BLOCK];
        block.copy_from_slice(&self.input.window()[..BLOCK]);
        self.input.consume(BLOCK);
        let header = Header(&block);
        if header.is_zero() {
            return self.end().map(|()| Step::End);
        }
        self.count()?;
        if !header.is_intact() {
            return Err(self.input.damaged("a header's checksum is wrong"));
        }
        let Some(size) = header.size() else {
            return Err(self.input.damaged("a header's size is not a number"));
        };
        match header.kind_byte() {
            b'x' | b'L' | b'K' => {
                self.read_extension(header.kind_byte(), size, extensions)?;
                Ok(Step::Extension)
            }
            // Global records: engines do not apply them, and forget what stands in front of them.
            b'g' => {
                self.extension(size)?;
                *extensions = Extensions::default();
                Ok(Step::Extension)
            }
            _ => self.begin_entry(&header, size, extensions).map(|()| Step::Entry),
        }
    }

    /// The archive ends with two blocks of zeros; one and the end of the file is accepted.
    fn end(&mut self) -> Result<(), LayerError> {
        if self.input.require(BLOCK)? && self.input.window()[..BLOCK].iter().any(|byte| *byte != 0)
        {
            return Err(self.input.damaged("a block of zeros is between entries"));
        }
        Ok(())
    }

    /// Headers of every kind count: a million of them in front of one file cost as much as files.
    fn count(&mut self) -> Result<(), LayerError> {
        self.input.entry += 1;
        let most = self.input.limits().entries;
        if self.input.entry > most {
            return Err(self.input.exceeded(Limit::Entries, most));
        }
        Ok(())
    }

    fn read_extension(
        &mut self,
        kind: u8,
        size: u64,
        extensions: &mut Extensions,
    ) -> Result<(), LayerError> {
        let data = self.extension(size)?;
        match kind {
            b'x' if !extensions.read_pax(&data) => {
                return Err(self.input.damaged("a pax header is not made of records"));
            }
            b'L' => extensions.long_name = Some(until_zero(&data).to_vec()),
            b'K' => extensions.link_bytes = until_zero(&data).len(),
            _ => {}
        }
        let most = self.input.limits().path_bytes;
        if extensions.link_bytes as u64 > most {
            return Err(self.input.exceeded(Limit::LinkTarget, most));
        }
        Ok(())
    }

    /// The data of a header that describes another.
    fn extension(&mut self, size: u64) -> Result<Vec<u8>, LayerError> {
        let most = self.input.limits().extension_bytes;
        if size > most {
            return Err(self.input.exceeded(Limit::Extension, most));
        }
        self.remaining = size;
        self.padding = padding(size);
        let mut data = Vec::new();
        self.take(&mut data)?;
        self.finish_entry()?;
        Ok(data)
    }

    fn begin_entry(
        &mut self,
        header: &Header<'_>,
        size: u64,
        extensions: &Extensions,
    ) -> Result<(), LayerError> {
        self.name_entry(header, extensions)?;
        let kind = header.kind_byte();
        let size = extensions.size.unwrap_or(size);
        // These have no data, whatever their size claims.
        let size = if matches!(kind, b'1'..=b'6') { 0 } else { size };
        if size > i64::MAX.unsigned_abs() {
            return Err(self.input.damaged("a file has an impossible size"));
        }
        if kind == b'S' {
            self.skip_holes(header)?;
        }
        self.remaining = size;
        self.padding = padding(size);
        let named_directory = name(header, extensions).ends_with(b"/");
        self.entry.size = size;
        self.entry.executable = header.is_executable();
        self.entry.sparse = extensions.sparse || kind == b'S';
        self.entry.kind = match kind {
            b'0' | 0 | b'7' | b'S' if !named_directory => EntryKind::File,
            b'0' | 0 | b'5' => EntryKind::Directory,
            b'1' | b'2' => EntryKind::Link,
            _ => EntryKind::Other,
        };
        Ok(())
    }

    fn name_entry(
        &mut self,
        header: &Header<'_>,
        extensions: &Extensions,
    ) -> Result<(), LayerError> {
        self.entry.path.clear();
        if extensions.name().is_none() {
            push_path(&mut self.entry.path, header.prefix());
        }
        push_path(&mut self.entry.path, name(header, extensions));
        self.input.path.push_str(&self.entry.path);
        let most = self.input.limits().path_bytes;
        if self.entry.path.len() as u64 > most {
            return Err(self.input.exceeded(Limit::Path, most));
        }
        Ok(())
    }

    /// The blocks that list the holes of a sparse file, between its header and its data.
    fn skip_holes(&mut self, header: &Header<'_>) -> Result<(), LayerError> {
        let mut more = header.more_holes();
        let mut skipped = 0;
        while more {
            skipped += BLOCK as u64;
            let most = self.input.limits().extension_bytes;
            if skipped > most {
                return Err(self.input.exceeded(Limit::Extension, most));
            }
            if !self.input.require(BLOCK)? {
                return Err(self.input.damaged("it ends inside of a header"));
            }
            more = self.input.window()[504] != 0;
            self.input.consume(BLOCK);
        }
        Ok(())
    }
}

/// The path, or the part of it that is behind the prefix.
fn name<'b>(header: &'b Header<'_>, extensions: &'b Extensions) -> &'b [u8] {
    extensions.name().unwrap_or_else(|| header.name())
}

fn padding(size: u64) -> u64 {
    let block = BLOCK as u64;
    (block - size % block) % block
}

/// Appends `raw` in components. `..` leads up, but never above the root, as engines unpack it.
fn push_path(path: &mut String, raw: &[u8]) {
    for component in String::from_utf8_lossy(raw).split('/') {
        match component {
            "" | "." => {}
            ".." => path.truncate(path.rfind('/').unwrap_or(0)),
            component => {
                if !path.is_empty() {
                    path.push('/');
                }
                path.push_str(component);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::push_path;

    #[test]
    fn paths_stay_below_the_root() {
        for (raw, expected) in [
            ("./usr//lib/./a", "usr/lib/a"),
            ("/etc/passwd", "etc/passwd"),
            ("../../etc/passwd", "etc/passwd"),
            ("a/../../b/c/..", "b"),
            ("./", ""),
        ] {
            let mut path = String::new();
            push_path(&mut path, raw.as_bytes());
            assert_eq!(path, expected, "{raw}");
        }
    }
}
