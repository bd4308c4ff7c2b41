//! Rules of other registries. What cannot be said here is listed; where that would keep something, what
//! would delete it is left out, too: an import never deletes what its original keeps.

mod artifact_registry;
mod ecr;
mod harbor;

use serde::{Serialize, de::DeserializeOwned};

use super::{RetentionDocument, RetentionProblem, RetentionRules};

pub use artifact_registry::import_artifact_registry;
pub use ecr::import_ecr;
pub use harbor::import_harbor;

/// The most bytes of rules.
const MAX_SIZE: usize = 1024 * 1024;

/// Rules of another registry, as they are said here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// The rules.
    pub document: RetentionDocument,
    /// What of the original is not in them, or not as it was.
    pub without: Vec<Untranslated>,
}

/// Something without an equivalent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Untranslated {
    /// Where in the original: `rules[2].action`.
    pub path: String,
    /// Why, and what to do.
    pub reason: String,
}

/// Why nothing was imported.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// It is not what that registry writes.
    #[error("the rules cannot be read: {0}")]
    Malformed(String),
    /// It would be rules that cannot be meant.
    #[error("the rules make no rules of ours: {}", .0.first().map(ToString::to_string).unwrap_or_default())]
    Problems(Vec<RetentionProblem>),
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, ImportError> {
    if json.len() > MAX_SIZE {
        return Err(ImportError::Malformed(format!("they have more than {MAX_SIZE} bytes")));
    }
    serde_json::from_slice(json).map_err(|error| {
        // The parser repeats what it does not expect, however long that is.
        ImportError::Malformed(error.to_string().chars().take(200).collect())
    })
}

/// What was translated so far.
#[derive(Default)]
struct Translation {
    document: RetentionDocument,
    without: Vec<Untranslated>,
}

impl Translation {
    fn without(&mut self, path: impl Into<String>, reason: impl Into<String>) {
        self.without.push(Untranslated { path: path.into(), reason: reason.into() });
    }

    /// What is imported can be used.
    fn finish(self) -> Result<Imported, ImportError> {
        RetentionRules::new(&self.document).map_err(ImportError::Problems)?;
        Ok(Imported { document: self.document, without: self.without })
    }
}

/// A text of somebody else, short enough for a message.
fn shown(text: &str) -> String {
    text.chars().take(80).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
