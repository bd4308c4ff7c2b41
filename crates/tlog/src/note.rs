use std::fmt;

use crate::{KeyName, SigningKey, VerifierKey, encoding};

/// The most bytes of a note.
pub const MAX_NOTE: usize = 128 * 1024;
/// The most signatures of a note; the specification wants at least 16 to be read.
pub const MAX_SIGNATURES: usize = 64;

/// A text with signatures under it (C2SP signed-note). Nothing of it is to be believed before
/// [`Note::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// A signature under a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The name of the key.
    pub name: KeyName,
    /// The key's identifier.
    pub id: u32,
    /// The signature itself; what it means depends on the key.
    pub bytes: Vec<u8>,
}

/// Why a note is not read or not believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// More than [`MAX_NOTE`] bytes or [`MAX_SIGNATURES`] signatures.
    #[error("a note has at most {MAX_NOTE} bytes and {MAX_SIGNATURES} signatures")]
    TooLarge,
    /// Not of the form.
    #[error("the note cannot be read: {0}")]
    Malformed(&'static str),
    /// None of the keys that are trusted signed it.
    #[error("none of the keys that are trusted signed the note")]
    Unsigned,
    /// A signature that says to be by a key that is trusted is not.
    #[error("the note's signature by {0} is not by that key")]
    Forged(KeyName),
}

impl Note {
    /// Reads a note.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE {
            return Err(NoteError::TooLarge);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("not UTF-8"))?;
        check_characters(note)?;
        // The text may have empty lines itself, signatures have none.
        let end = note.rfind("\n\n").ok_or(NoteError::Malformed("no signatures"))?;
        let (text, signatures) = (&note[..=end], &note[end + 2..]);
        let signatures = signatures
            .strip_suffix('\n')
            .ok_or(NoteError::Malformed("the last line does not end"))?;
        let signatures: Vec<_> = signatures
            .split('\n')
            .take(MAX_SIGNATURES + 1)
            .map(read_signature)
            .collect::<Result<_, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::TooLarge);
        }
        Ok(Self { text: text.to_owned(), signatures })
    }

    /// The text, signed by every key: several while one follows another.
    pub fn sign(text: &str, keys: &[&SigningKey]) -> Result<Self, NoteError> {
        check_characters(text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Malformed("the text does not end with a line feed"));
        }
        if keys.is_empty() {
            return Err(NoteError::Unsigned);
        }
        if text.len() > MAX_NOTE / 2 || keys.len() > MAX_SIGNATURES {
            return Err(NoteError::TooLarge);
        }
        let sign = |key: &&SigningKey| NoteSignature {
            name: key.verifier().name().clone(),
            id: key.verifier().id(),
            bytes: key.sign(text),
        };
        Ok(Self { text: text.to_owned(), signatures: keys.iter().map(sign).collect() })
    }

    /// What is signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, of known keys and of others.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Which of the keys signed it: at least one. Signatures of other keys are passed over; a wrong one
    /// in the name of a known key makes the whole note worthless.
    pub fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<Vec<&'k VerifierKey>, NoteError> {
        let mut signers = Vec::new();
        for signature in &self.signatures {
            let is_by =
                |key: &&VerifierKey| key.name() == &signature.name && key.id() == signature.id;
            let Some(key) = keys.iter().find(is_by) else { continue };
            if !key.verifies(&self.text, &signature.bytes) {
                return Err(NoteError::Forged(key.name().clone()));
            }
            if !signers.contains(&key) {
                signers.push(key);
            }
        }
        if signers.is_empty() { Err(NoteError::Unsigned) } else { Ok(signers) }
    }
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    if text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
        return Err(NoteError::Malformed("a control character"));
    }
    Ok(())
}

fn read_signature(line: &str) -> Result<NoteSignature, NoteError> {
    let wrong = NoteError::Malformed("a line that is not a signature");
    let (name, encoded) = line
        .strip_prefix("\u{2014} ")
        .and_then(|rest| rest.split_once(' '))
        .ok_or(wrong.clone())?;
    let name = name.parse().map_err(|_| wrong.clone())?;
    let bytes = encoding::decode(encoded).ok_or(wrong.clone())?;
    match bytes.split_first_chunk::<4>() {
        Some((id, bytes)) if !bytes.is_empty() => {
            Ok(NoteSignature { name, id: u32::from_be_bytes(*id), bytes: bytes.to_vec() })
        }
        _ => Err(wrong),
    }
}

/// As it is served.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        for signature in &self.signatures {
            let bytes = [&signature.id.to_be_bytes()[..], &signature.bytes].concat();
            writeln!(f, "\u{2014} {} {}", signature.name, encoding::encode(&bytes))?;
        }
        Ok(())
    }
}
