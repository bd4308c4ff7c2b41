//! Documents that govern, in files.

use std::path::Path;

use plura_policy::Governance;
use plura_policy::document::{DocumentError, MAX_SIZE};

use crate::exit::{Hint, SaidNo};
use crate::table::printable;
use crate::text_file;

/// A document as somebody wrote it.
pub(super) struct Written {
    text: String,
    /// What it says, or what is wrong with it.
    pub(super) checked: Result<Governance, DocumentError>,
}

/// A document that is valid, as it is sent to a server.
pub(super) struct Valid {
    /// What it says.
    pub(super) governance: Governance,
    /// The same in TOML, with its comments if it was written so.
    pub(super) toml: String,
}

/// Reads a document and checks it.
pub(super) fn read(path: &Path) -> anyhow::Result<Written> {
    let hint = "`plura policy init` writes one to begin with";
    let text = text_file::read(path, MAX_SIZE).hint(hint)?;
    let checked = parsed(&text);
    Ok(Written { text, checked })
}

/// No TOML begins with a brace.
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

fn parsed(text: &str) -> Result<Governance, DocumentError> {
    if is_json(text) { Governance::from_json(text.as_bytes()) } else { Governance::from_toml(text) }
}

/// Reads a document that must be valid.
pub(in crate::commands) fn governance(path: &Path) -> anyhow::Result<Governance> {
    Ok(valid(path)?.governance)
}

/// Reads a document that must be valid, to be sent.
pub(super) fn valid(path: &Path) -> anyhow::Result<Valid> {
    let Written { text, checked } = read(path)?;
    let governance = checked.map_err(|error| refused(path, &error))?;
    let toml = if is_json(&text) { governance.document.to_toml() } else { text };
    Ok(Valid { governance, toml })
}

/// Everything that is wrong with a document.
pub(super) fn refused(path: &Path, error: &DocumentError) -> anyhow::Error {
    let lines: Vec<String> = error.problems.iter().map(|one| printable(&one.to_string())).collect();
    let text = format!("`{}` is not valid\n  {}", path.display(), lines.join("\n  "));
    let said: anyhow::Result<()> =
        Err(SaidNo(text)).hint("`plura policy example` explains every key");
    said.err().unwrap_or_else(|| anyhow::anyhow!("the document is not valid"))
}
