//! Files that are read again while serving.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::TlsError;

/// Files that one value is made of.
pub(super) struct Watched<const N: usize> {
    pub(super) paths: [PathBuf; N],
    /// What was last looked at, good or bad, so that each is judged and told once; nothing while
    /// the files cannot be read. Held while a value is put to use, so that an older one never
    /// replaces a newer one.
    seen: Mutex<Option<[Vec<u8>; N]>>,
}

impl<const N: usize> Watched<N> {
    pub(super) fn new(paths: [PathBuf; N]) -> Self {
        Self { paths, seen: Mutex::new(None) }
    }

    /// Reads the files and applies what they hold.
    pub(super) fn renew<T>(
        &self,
        apply: impl FnOnce(&[Vec<u8>; N]) -> Result<T, TlsError>,
    ) -> Result<T, TlsError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        *seen = None;
        apply(seen.insert(self.read()?))
    }

    /// Applies what the files hold if it is not what they held before, and says whether it is so.
    /// What is wrong with them is an error once.
    pub(super) fn renew_if_changed(
        &self,
        apply: impl FnOnce(&[Vec<u8>; N]) -> Result<(), TlsError>,
    ) -> Result<bool, TlsError> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let contents = match self.read() {
            Ok(contents) => contents,
            Err(error) if seen.take().is_some() => return Err(error),
            Err(_) => return Ok(false),
        };
        if seen.as_ref() == Some(&contents) {
            return Ok(false);
        }
        apply(seen.insert(contents)).map(|()| true)
    }

    fn read(&self) -> Result<[Vec<u8>; N], TlsError> {
        let mut contents = [const { Vec::new() }; N];
        for (content, path) in contents.iter_mut().zip(&self.paths) {
            *content = std::fs::read(path)
                .map_err(|source| TlsError::Read { path: path.clone(), source })?;
        }
        Ok(contents)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_once_and_so_is_what_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let watched = Watched::new([path.clone()]);
        let judge = |[contents]: &[Vec<u8>; 1]| match contents.as_slice() {
            b"bad" => Err(TlsError::Pair(rustls::Error::DecryptError)),
            _ => Ok(()),
        };
        let check = |expected: Option<bool>| {
            assert_eq!(watched.renew_if_changed(judge).ok(), expected);
            assert_eq!(watched.renew_if_changed(judge).ok(), Some(false));
        };
        let write = |contents: &str| std::fs::write(&path, contents).unwrap();
        write("good");
        watched.renew(judge).unwrap();
        check(Some(false));
        write("better");
        check(Some(true));
        write("bad");
        check(None);
        std::fs::remove_file(&path).unwrap();
        check(None);
        write("good");
        check(Some(true));
    }
}
