//! What a log signs about its whole tree: C2SP signed-note and tlog-checkpoint.

use crate::{
    LogKey, Reason, Refusal,
    json::decode_base64,
    merkle::{self, Node},
};

/// The most bytes of a checkpoint with its signatures.
const MAX_SIZE: usize = 16 * 1024;

/// A checkpoint, read; its signatures are not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// What is signed.
    text: String,
    pub(crate) size: u64,
    pub(crate) root: Node,
    /// The first bytes of the key's identifier, and the signature.
    signatures: Vec<([u8; 4], Vec<u8>)>,
}

impl Checkpoint {
    pub(crate) fn read(note: &str) -> Result<Self, Refusal> {
        crate::json::check_size("checkpoint", note.as_bytes(), MAX_SIZE)?;
        parse(note).ok_or_else(|| {
            Refusal::new(Reason::InvalidLogEntry, "the log entry's checkpoint cannot be read")
        })
    }

    /// Whether the log signed it. Witnesses' signatures are passed over.
    pub(crate) fn is_signed_by(&self, log: &LogKey) -> bool {
        let ours = self.signatures.iter().filter(|(hint, _)| log.id.starts_with(hint));
        ours.into_iter().any(|(_, signature)| log.key.verifies(self.text.as_bytes(), signature))
    }
}

fn parse(note: &str) -> Option<Checkpoint> {
    let (text, signatures) = note.split_once("\n\n")?;
    let text = format!("{text}\n");
    let mut lines = text.lines();
    let _origin = lines.next().filter(|origin| !origin.is_empty())?;
    let size = lines.next()?;
    // A number has one way to be written.
    let size: u64 = size.parse().ok().filter(|number: &u64| number.to_string() == size)?;
    let root = merkle::node(&decode_base64(lines.next()?)?)?;
    let signatures: Option<Vec<_>> = signatures.lines().map(signature).collect();
    let signatures = signatures.filter(|all| !all.is_empty() && all.len() <= 32)?;
    Some(Checkpoint { text, size, root, signatures })
}

fn signature(line: &str) -> Option<([u8; 4], Vec<u8>)> {
    let (_name, encoded) = line.strip_prefix("\u{2014} ")?.rsplit_once(' ')?;
    let bytes = decode_base64(encoded)?;
    let (hint, signature) = bytes.split_first_chunk::<4>()?;
    Some((*hint, signature.to_vec()))
}
