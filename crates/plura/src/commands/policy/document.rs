//! Documents that govern, in files.

use std::path::Path;

use plura_policy::Governance;
use plura_policy::document::{DocumentError, MAX_SIZE};

use crate::exit::{Hint, SaidNo};
use crate::table::printable;
use crate::text_file;

/// A document as somebody wrote it.
pub(super) struct Written {
    /// The text.
    pub(super) text: String,
    /// What it says, or what is wrong with it.
    pub(super) checked: Result<Governance, DocumentError>,
}

/// Reads a document and checks it.
pub(super) fn read(path: &Path) -> anyhow::Result<Written> {
    let hint = "`plura policy init` writes one to begin with";
    let text = text_file::read(path, MAX_SIZE).hint(hint)?;
    let checked = parsed(&text);
    Ok(Written { text, checked })
}

/// No TOML begins with a brace.
fn parsed(text: &str) -> Result<Governance, DocumentError> {
    if text.trim_start().starts_with('{') {
        Governance::from_json(text.as_bytes())
    } else {
        Governance::from_toml(text)
    }
}

/// Reads a document that must be valid.
pub(in crate::commands) fn governance(path: &Path) -> anyhow::Result<Governance> {
    read(path)?.checked.map_err(|error| refused(path, &error))
}

/// Everything that is wrong with a document.
pub(super) fn refused(path: &Path, error: &DocumentError) -> anyhow::Error {
    let lines: Vec<String> = error.problems.iter().map(|one| printable(&one.to_string())).collect();
    let text = format!("`{}` is not valid\n  {}", path.display(), lines.join("\n  "));
    let said: anyhow::Result<()> =
        Err(SaidNo(text)).hint("`plura policy example` explains every key");
    said.err().unwrap_or_else(|| anyhow::anyhow!("the document is not valid"))
}
