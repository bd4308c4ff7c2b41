//! Small records that are found by their names: what is written whole and read whole, beside blobs.
//!
//! ```text
//! log/<name>   in the directory of an installation, or below the prefix of its bucket
//! ```

use std::{fmt, path::Path, str::FromStr};

use crate::{Blobs, Error, ingest::blocking};

/// Where records are, in the directory and in the bucket.
pub(crate) const RECORDS: &str = "log";
/// The longest name.
const LONGEST: usize = 200;

/// The name of a record: parts of plain characters, with `/` between them. It leads nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordName(Box<str>);

/// The text is not the name of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a record is named by 1 to {LONGEST} letters, digits, `.`, `_` or `-`, in parts that do not begin \
     with a `.`, with `/` between them"
)]
pub struct ParseRecordNameError;

/// The records of an installation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Records(Blobs);

impl Blobs {
    /// The records beside the blobs.
    pub fn records(&self) -> Records {
        Records(self.clone())
    }
}

impl Records {
    /// Writes a record, in place of one that is there. When this returns, it is stored, durably; before,
    /// there is the old one or the new one, whole.
    pub async fn write(&self, name: &RecordName, bytes: Vec<u8>) -> Result<(), Error> {
        plura_fault::point("records.write").map_err(Error::io("write", name.as_str()))?;
        match &self.0 {
            Blobs::Directory(directory) => {
                let (directory, name) = (directory.clone(), name.clone());
                blocking(move || directory.write_record(Path::new(name.as_str()), &bytes)).await
            }
            Blobs::Bucket(bucket) => bucket.write_record(name, bytes).await,
        }
    }

    /// Reads a record; nothing if it is not there. One of more than `most` bytes is damaged.
    pub async fn read(&self, name: &RecordName, most: u64) -> Result<Option<Vec<u8>>, Error> {
        let read = match &self.0 {
            Blobs::Directory(directory) => {
                let (directory, name) = (directory.clone(), name.clone());
                blocking(move || directory.read_record(Path::new(name.as_str()), most)).await
            }
            Blobs::Bucket(bucket) => bucket.read_record(name, most).await,
        };
        match read {
            Err(error) if error.is_missing() => Ok(None),
            read => read.map(Some),
        }
    }

    /// Deletes all records whose names go on behind this one and a `/`. What is gone is as good as
    /// deleted.
    pub async fn delete_below(&self, name: &RecordName) -> Result<(), Error> {
        match &self.0 {
            Blobs::Directory(directory) => {
                let (directory, name) = (directory.clone(), name.clone());
                blocking(move || directory.delete_records(Path::new(name.as_str()))).await
            }
            Blobs::Bucket(bucket) => bucket.delete_records(name).await,
        }
    }
}

impl RecordName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RecordName {
    type Err = ParseRecordNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let part =
            |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain);
        if text.len() > LONGEST || !text.split('/').all(part) {
            return Err(ParseRecordNameError);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is larger than any record is, and is not read.
pub(crate) fn too_large(name: impl Into<std::path::PathBuf>, most: u64) -> Error {
    Error::Corrupt { path: name.into(), detail: format!("it has more than {most} bytes") }
}

#[cfg(test)]
mod tests;
