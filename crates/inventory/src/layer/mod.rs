//! One pass over a layer.

mod expand;
mod extensions;
mod header;
mod interest;
mod metered;
mod reader;
mod tar;
mod whiteout;

use std::io::Read;

use crate::{LayerError, LayerFacts, Limits};

/// Reads a layer, compressed with gzip or zstd or not at all, which its first bytes tell.
///
/// It is read as a stream, to the end of the source, so that checksums at its end count as well. What is held of it at once is a window of
/// half a mebibyte, the decoder's own, and the file that is being read, if it is one that must be
/// seen whole ([`Limits::held_file_bytes`]).
pub fn read_layer(source: impl Read, limits: &Limits) -> Result<LayerFacts, LayerError> {
    let mut walker = tar::Walker::new(source, limits)?;
    let mut reader = reader::Reader::new(limits);
    while walker.advance()? {
        reader.entry(&mut walker)?;
    }
    let expanded = walker.drain()?;
    Ok(reader.finish(walker.entries(), expanded))
}
