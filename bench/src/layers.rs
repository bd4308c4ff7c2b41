//! Layers: real ones of this machine's own files, and small ones made of a few texts.

use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::content::digest_of;
use crate::image::Addressed;

/// Where packages of every ecosystem lie on a Debian machine, those of the smallest first.
const ROOTS: [&str; 13] = [
    "/var/lib/dpkg/status",
    "/etc/os-release",
    "/usr/lib/python3",
    "/usr/lib/node_modules",
    "/usr/share/nodejs",
    "/usr/share/java",
    "/usr/share/maven",
    "/usr/lib/ruby",
    "/usr/local",
    "/usr/bin",
    "/usr/lib",
    "/usr/share",
    "/opt",
];
/// Bytes of files in one layer.
const LAYER_BYTES: u64 = 256 << 20;
const BLOCK: usize = 512;

/// A layer in a file, as an OCI layout names it.
pub(crate) struct StoredLayer {
    pub(crate) path: PathBuf,
    pub(crate) digest: String,
    pub(crate) size: u64,
}

/// Packs files of this machine into layers as Docker compresses them, until they have that many bytes or
/// there are no more files.
pub(crate) fn of_this_machine(directory: &Path, bytes: u64) -> Result<Vec<StoredLayer>> {
    let (mut layers, mut total) = (Vec::new(), 0);
    for files in batches(&files()?) {
        if total >= bytes {
            break;
        }
        let layer = StoredLayer::keep(directory, &packed(files)?)?;
        total += layer.size;
        layers.push(layer);
    }
    ensure!(layers.len() > 1, "this machine has too few files for an image of several layers");
    Ok(layers)
}

/// An archive of texts.
pub(crate) fn of_texts(texts: &[(&str, &str)]) -> Addressed {
    let mut archive = Vec::new();
    for (path, text) in texts {
        archive.extend_from_slice(&header(path, text.len()));
        archive.extend_from_slice(text.as_bytes());
        archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    Addressed::new(archive)
}

impl StoredLayer {
    /// Writes a layer under its digest.
    pub(crate) fn keep(directory: &Path, bytes: &[u8]) -> Result<Self> {
        let digest = digest_of(bytes);
        let path = directory.join(digest.trim_start_matches("sha256:"));
        fs::write(&path, bytes)?;
        Ok(Self { path, digest, size: bytes.len() as u64 })
    }

    /// The same files with other bytes: an empty member behind the gzip stream, with a number for its time.
    pub(crate) fn variant(&self, directory: &Path, number: u32) -> Result<Self> {
        let mut bytes = fs::read(&self.path)?;
        bytes.extend_from_slice(&[0x1f, 0x8b, 8, 0]);
        bytes.extend_from_slice(&number.to_le_bytes());
        bytes.extend_from_slice(&[0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        Self::keep(directory, &bytes)
    }
}

/// Files with their sizes, each once.
fn files() -> Result<Vec<(u64, PathBuf)>> {
    let mut files = Vec::new();
    for root in ROOTS.iter().map(Path::new).filter(|root| root.exists()) {
        add(&fs::canonicalize(root)?, &mut files)?;
    }
    let mut seen = std::collections::HashSet::new();
    files.retain(|(_, path)| seen.insert(path.clone()));
    Ok(files)
}

fn add(path: &Path, files: &mut Vec<(u64, PathBuf)>) -> Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if metadata.is_file() {
        files.push((metadata.len(), path.to_owned()));
    } else if metadata.is_dir() {
        let mut children = Vec::new();
        for entry in fs::read_dir(path)? {
            children.push(entry?.path());
        }
        children.sort_unstable();
        children.iter().try_for_each(|child| add(child, files))?;
    }
    Ok(())
}

fn batches(files: &[(u64, PathBuf)]) -> Vec<&[(u64, PathBuf)]> {
    let (mut batches, mut begin, mut bytes) = (Vec::new(), 0, 0);
    for (at, (size, _)) in files.iter().enumerate() {
        bytes += size;
        if bytes >= LAYER_BYTES {
            batches.push(&files[begin..=at]);
            (begin, bytes) = (at + 1, 0);
        }
    }
    batches.push(&files[begin..]);
    batches
}

fn packed(files: &[(u64, PathBuf)]) -> Result<Vec<u8>> {
    let mut names = tempfile::NamedTempFile::new()?;
    for (_, path) in files {
        names.write_all(path.as_os_str().as_bytes())?;
        names.write_all(b"\0")?;
    }
    let mut tar = Command::new("tar")
        .args(["--create", "--null", "--verbatim-files-from", "--files-from"])
        .arg(names.path())
        .args(["--ignore-failed-read", "--absolute-names", "--transform", "s,^/,,"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("running tar")?;
    let archive = tar.stdout.take().context("tar has no output")?;
    let gzip = Command::new("gzip").arg("-6").stdin(archive).output().context("running gzip")?;
    // tar ends with 1 where a file changed while it was read.
    let tar = tar.wait()?;
    ensure!(tar.code().is_some_and(|code| code < 2), "tar ended with {tar}");
    ensure!(gzip.status.success(), "gzip ended with {}", gzip.status);
    Ok(gzip.stdout)
}

/// The header of a file in the format of POSIX.1-1988.
fn header(path: &str, size: usize) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
    put(0, path.as_bytes());
    put(100, b"0000644\x000000000\x000000000\0");
    put(124, format!("{size:011o}\x0000000000000\0").as_bytes());
    put(148, b"        0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archives_of_texts_are_what_tar_reads() {
        let directory = tempfile::tempdir().unwrap();
        let archive = of_texts(&[("etc/os-release", "ID=debian\n"), ("a", "")]);
        let path = directory.path().join("a.tar");
        fs::write(&path, &archive.bytes).unwrap();
        let output =
            Command::new("tar").args(["--list", "--verbose", "--file"]).arg(&path).output();
        let output = output.unwrap();
        let listed = String::from_utf8(output.stdout).unwrap();
        let names: Vec<_> = listed.lines().filter_map(|line| line.split(' ').next_back()).collect();
        assert_eq!(names, ["etc/os-release", "a"], "{listed}");
        assert!(listed.contains(" 10 "), "{listed}");
    }

    #[test]
    fn a_variant_has_the_same_files_and_another_digest() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "text").unwrap();
        let layer = StoredLayer::keep(directory.path(), &packed(&[(4, file)]).unwrap()).unwrap();
        let variants = [1, 2].map(|number| layer.variant(directory.path(), number).unwrap());
        assert!(variants[0].digest != variants[1].digest && layer.digest != variants[0].digest);
        let list = |layer: &StoredLayer| {
            let output = Command::new("tar").args(["-tzf"]).arg(&layer.path).output().unwrap();
            assert!(output.status.success());
            output.stdout
        };
        assert_eq!(list(&layer), list(&variants[0]));
    }
}
