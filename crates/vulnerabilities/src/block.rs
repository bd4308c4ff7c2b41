//! Blocks: what the database keeps of an import, many advisories in each. They are alike, so that together
//! they take a tenth of the space, and a few hundred rows are read faster than a few hundred thousand.

use std::io::{BufRead, BufReader, Read};

use plura_advisories::{Advisory, AdvisorySetBuilder};

use crate::Error;

/// Bytes of advisories of a block, before they are compressed.
const FULL: usize = 1 << 20;
/// The most that a block can have: one advisory that came when it was almost full.
const LARGEST: u64 = (FULL + Advisory::MAX_BYTES + 1) as u64;
const LEVEL: i32 = 3;

/// A block that is being filled.
#[derive(Debug, Default)]
pub(crate) struct BlockBuilder {
    lines: Vec<u8>,
}

impl BlockBuilder {
    /// Adds an advisory, which is JSON on one line; the block, if it is full now.
    pub(crate) fn add(&mut self, advisory: &[u8]) -> std::io::Result<Option<Vec<u8>>> {
        self.lines.extend_from_slice(advisory);
        self.lines.push(b'\n');
        if self.lines.len() < FULL { Ok(None) } else { self.finish() }
    }

    /// What is left, if anything is.
    pub(crate) fn finish(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        if self.lines.is_empty() {
            return Ok(None);
        }
        let block = zstd::encode_all(&self.lines[..], LEVEL)?;
        self.lines.clear();
        Ok(Some(block))
    }
}

/// Adds the advisories of a block to a set.
pub(crate) fn add(block: &[u8], set: &mut AdvisorySetBuilder) -> Result<(), Error> {
    let corrupt = |error: &dyn std::fmt::Display| {
        plura_meta::Error::Corrupt(format!("advisory_block.document: {error}"))
    };
    let decoder = zstd::Decoder::new(block).map_err(|error| corrupt(&error))?;
    let mut lines = BufReader::new(decoder.take(LARGEST));
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line).map_err(|error| corrupt(&error))? > 0 {
        set.add_json(&line).map_err(|error| corrupt(&error))?;
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_into_blocks_comes_out_of_them() {
        let mut blocks = Vec::new();
        let mut builder = BlockBuilder::default();
        let summary = "x".repeat(400);
        for number in 0..5000 {
            let advisory = format!(
                r#"{{"id":"T-{number}","modified":"2026-01-01T00:00:00Z","summary":"{summary}"}}"#
            );
            blocks.extend(builder.add(advisory.as_bytes()).unwrap());
        }
        blocks.extend(builder.finish().unwrap());
        assert!(builder.finish().unwrap().is_none());
        assert_eq!(blocks.len(), 3);
        let mut set = AdvisorySetBuilder::default();
        for block in &blocks {
            add(block, &mut set).unwrap();
        }
        assert_eq!(set.finish().counts().advisories, 5000);
        assert!(add(b"no block", &mut AdvisorySetBuilder::default()).is_err());
    }
}
