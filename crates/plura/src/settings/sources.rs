//! Everything that may set something, gathered from outside the process.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::file::File;

/// The file that is read when none is named.
const FILE: &str = "plura.toml";

/// What settings are made of, the weakest first; the defaults below them are [`super::keys`].
#[derive(Debug, Default)]
pub(crate) struct Sources {
    /// The settings file, if there is one.
    pub(crate) file: Option<File>,
    /// The environment.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Environment variables that stand for flags and are not settings.
    pub(crate) reserved: Vec<String>,
    /// Flags that set something.
    pub(crate) flags: Vec<Flag>,
}

/// A flag that sets a key.
#[derive(Debug)]
pub(crate) struct Flag {
    /// As it is typed, such as `--listen`.
    pub(crate) name: &'static str,
    /// The key it sets.
    pub(crate) key: &'static str,
    /// What was given.
    pub(crate) value: OsString,
}

/// A settings file that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the settings file `{}`", name.display())]
pub(crate) struct Unreadable {
    name: PathBuf,
    source: io::Error,
}

impl Sources {
    /// Reads the file named, or `plura.toml` here if there is one, and the environment.
    pub(crate) fn gather(
        file: Option<&Path>,
        reserved: Vec<String>,
        flags: Vec<Flag>,
    ) -> Result<Self, Unreadable> {
        let file = match file {
            Some(name) => Some(read(name)?),
            None => read_if_present(Path::new(FILE))?,
        };
        Ok(Self { file, environment: std::env::vars_os().collect(), reserved, flags })
    }
}

fn read(name: &Path) -> Result<File, Unreadable> {
    let unreadable = |source| Unreadable { name: name.to_owned(), source };
    let text = std::fs::read_to_string(name).map_err(unreadable)?;
    Ok(File { name: name.to_owned(), text })
}

fn read_if_present(name: &Path) -> Result<Option<File>, Unreadable> {
    match read(name) {
        Err(Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        file => file.map(Some),
    }
}
