//! The key that an installation signs its decisions with.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use plura_trust::{PrivateKey, Refusal};
use zeroize::Zeroizing;

/// Who signs what is decided. Cheap to clone; the key shows itself nowhere.
#[derive(Clone, Debug)]
pub struct Attestor {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    key: PrivateKey,
    /// The URI by which others know the installation.
    id: String,
}

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum AttestorError {
    /// The file cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file holds no key.
    #[error("{} holds no private key: {refusal}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        refusal: Refusal,
    },
}

/// Below the directory of keys.
const NAME: &str = "attestation.pem";
/// Longer than any key.
const LONGEST: u64 = 32 * 1024;

impl Attestor {
    /// The key of the directory, made there if there is none. Replicas that are to sign with one key are
    /// given the same file. `public_url` is what others know the installation by; without, it is
    /// the fingerprint of its key.
    pub fn open(directory: &Path, public_url: Option<&str>) -> Result<Self, AttestorError> {
        let path = directory.join(NAME);
        let text = match read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => make(directory, &path)?,
            Err(source) => return Err(AttestorError::File { path, source }),
        };
        let key = PrivateKey::from_pem(&text, None)
            .map_err(|refusal| AttestorError::Key { path, refusal })?;
        Ok(Self::with_key(key, public_url))
    }

    /// Signs with that key.
    pub fn with_key(key: PrivateKey, public_url: Option<&str>) -> Self {
        let id = match public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("urn:plura:{}", key.public_key().fingerprint()),
        };
        Self { shared: Arc::new(Shared { key, id }) }
    }

    /// What verifies its signatures, in PEM.
    pub fn public_key(&self) -> String {
        self.shared.key.public_key().to_pem()
    }

    /// The URI by which others know the installation.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    pub(crate) fn key(&self) -> &PrivateKey {
        &self.shared.key
    }
}

fn read(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    fs::File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// Makes a key that is there whole or not at all. Of several that do so at once, one wins.
fn make(directory: &Path, path: &Path) -> Result<Zeroizing<String>, AttestorError> {
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| AttestorError::File { path, source }
    };
    let key = PrivateKey::generate()
        .map_err(|refusal| AttestorError::Key { path: path.to_owned(), refusal })?;
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(file(directory))?;
    let unfinished = directory.join(format!(".{NAME}.{}.unfinished", std::process::id()));
    let written = write(&unfinished, key.to_pem().as_bytes());
    let linked = written.and_then(|()| match fs::hard_link(&unfinished, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => fs::File::open(directory)?.sync_all(),
    });
    // The failure that matters is the one that is reported.
    let _ = fs::remove_file(&unfinished);
    linked.map_err(file(path))?;
    read(path).map_err(file(path))
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let options = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
    let mut file = options?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_is_for_its_owner_alone() {
        let directory = tempfile::tempdir().unwrap();
        let keys = directory.path().join("keys");
        let first = Attestor::open(&keys, Some("https://r.example/")).unwrap();
        let second = Attestor::open(&keys, None).unwrap();
        assert_eq!(first.public_key(), second.public_key());
        assert_eq!(first.id(), "https://r.example");
        assert!(second.id().starts_with("urn:plura:sha256:"), "{}", second.id());
        let files: Vec<_> = fs::read_dir(&keys).unwrap().map(|entry| entry.unwrap()).collect();
        assert_eq!(files.len(), 1, "{files:?}");
        let mode = files[0].metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!format!("{first:?}").contains("PRIVATE"));
        fs::write(keys.join(NAME), "nothing").unwrap();
        Attestor::open(&keys, None).unwrap_err();
    }
}
