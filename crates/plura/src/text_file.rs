//! Text that somebody names on the command line: a file, or standard input.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, ensure};

use crate::exit::Hint;

/// Reads a file, or standard input if it is called `-`. Whatever is longer than the limit is the wrong
/// file.
pub(crate) fn read(path: &Path, limit: usize) -> anyhow::Result<String> {
    let place = if path == Path::new("-") {
        "standard input".to_owned()
    } else {
        format!("`{}`", path.display())
    };
    let failed = || format!("cannot read {place}");
    let text = if path == Path::new("-") {
        bounded(io::stdin().lock(), limit)
    } else {
        File::open(path).and_then(|file| bounded(file, limit))
    };
    let text =
        text.with_context(failed).hint("name a file that can be read; `-` is standard input")?;
    ensure!(text.len() <= limit, "{place} is too long: more than {limit} bytes");
    Ok(text)
}

fn bounded(source: impl Read, limit: usize) -> io::Result<String> {
    let mut text = String::new();
    source.take(limit as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}
