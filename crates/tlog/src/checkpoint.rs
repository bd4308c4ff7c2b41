use crate::{
    Hash, KeyName, NoteError, SigningKey, VerifierKey,
    hash::EMPTY_ROOT,
    note::{MAX_NOTE, Note},
};

/// Where the checkpoint is, below the log's prefix.
pub const CHECKPOINT_PATH: &str = "checkpoint";
/// The most lines that others may have added.
const MAX_EXTENSIONS: usize = 32;

/// The head of a log: what a log signs about all its entries (C2SP tlog-checkpoint).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: Box<str>,
    size: u64,
    root: Hash,
    extensions: Vec<String>,
}

/// Why a checkpoint is not read or not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseCheckpointError {
    /// The note that it is.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not of the form.
    #[error("the checkpoint cannot be read: {0}")]
    Malformed(&'static str),
    /// It is another log's.
    #[error("the checkpoint is of another log than `{0}`")]
    OtherOrigin(String),
}

impl Checkpoint {
    /// The head of the log of that name.
    pub fn new(origin: &KeyName, size: u64, root: Hash) -> Self {
        Self { origin: origin.as_str().into(), size, root, extensions: Vec::new() }
    }

    /// Reads the text of a note that was verified.
    pub fn from_text(text: &str) -> Result<Self, ParseCheckpointError> {
        use ParseCheckpointError::Malformed;

        if text.len() > MAX_NOTE {
            return Err(NoteError::TooLarge.into());
        }
        let mut lines = text.strip_suffix('\n').ok_or(Malformed("no last line"))?.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or(Malformed("no origin"))?;
        let size = lines.next().and_then(read_size).ok_or(Malformed("no size"))?;
        let root = lines.next().and_then(|line| line.parse().ok()).ok_or(Malformed("no root"))?;
        if size == 0 && root != EMPTY_ROOT {
            return Err(Malformed("the root of nothing is another one"));
        }
        let extensions: Vec<_> = lines.take(MAX_EXTENSIONS + 1).map(str::to_owned).collect();
        if extensions.len() > MAX_EXTENSIONS || extensions.iter().any(String::is_empty) {
            return Err(Malformed("too many lines, or empty ones"));
        }
        Ok(Self { origin: origin.into(), size, root, extensions })
    }

    /// Reads a checkpoint of that log that one of the keys signed; and which of them did.
    pub fn open<'k>(
        note: &[u8],
        origin: &str,
        keys: &'k [VerifierKey],
    ) -> Result<(Self, Vec<&'k VerifierKey>), ParseCheckpointError> {
        let note = Note::from_bytes(note)?;
        let signers = note.verify(keys)?;
        let checkpoint = Self::from_text(note.text())?;
        if *checkpoint.origin != *origin {
            return Err(ParseCheckpointError::OtherOrigin(origin.to_owned()));
        }
        Ok((checkpoint, signers))
    }

    /// The checkpoint as it is served, signed by every key.
    pub fn sign(&self, keys: &[&SigningKey]) -> Result<String, NoteError> {
        Note::sign(&self.to_text(), keys).map(|note| note.to_string())
    }

    /// What is signed.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, self.root);
        for line in &self.extensions {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// The name of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many entries the log has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of its tree.
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// What else the log says.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }
}

/// A number has one way to be written.
fn read_size(line: &str) -> Option<u64> {
    line.parse().ok().filter(|size: &u64| size.to_string() == line)
}
