//! OCI image layouts on this machine: directories, and tar archives of such (image-spec, "Image
//! Layout"). What is in one is anybody's: everything that is read has a limit, and the digest that it is
//! named by.

mod facts;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use plura_oci::image::{ImageChild, ImageKind};
use plura_oci::{Descriptor, Digest, Hasher, Manifest, Reference};

use crate::exit::{Hint, SaidNo};
use crate::table::printable;

/// The most bytes of a manifest, and of the index of a layout.
const LARGEST_MANIFEST: u64 = 4 << 20;
/// The most entries of an archive that are looked at.
const MOST_ENTRIES: usize = 200_000;
/// What names an image in the index of a layout.
const NAME: &str = "org.opencontainers.image.ref.name";

/// An image layout.
#[derive(Debug)]
pub(crate) struct Layout {
    path: PathBuf,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Directory,
    /// Where in the archive each file begins, and how long it is.
    Archive(HashMap<String, (u64, u64)>),
}

/// A file of a layout, as far as it goes.
struct Content {
    file: io::Take<File>,
    size: u64,
}

/// Hashes what is read through it.
struct Hashed<R> {
    source: R,
    hasher: Hasher,
}

impl Layout {
    /// Opens a layout.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        let failed = || format!("cannot read `{}`", path.display());
        let hint = "name an OCI image layout, as `docker buildx build --output type=oci,dest=FILE` and \
                    `skopeo copy ... oci:DIR` write them";
        let is_directory = path.metadata().with_context(failed).hint(hint)?.is_dir();
        let place = if is_directory {
            Place::Directory
        } else {
            Place::Archive(entries(path).with_context(failed).hint(hint)?)
        };
        let layout = Self { path: path.to_owned(), place };
        let is_layout = layout.find("index.json")?.is_some();
        ensure_hinted(is_layout, || format!("`{}` has no `index.json`", path.display()), hint)?;
        Ok(layout)
    }

    /// The manifest that is meant: the only one, or the one of that name or digest.
    fn choose(&self, reference: Option<&Reference>) -> anyhow::Result<Descriptor> {
        let bytes =
            self.file("index.json", LARGEST_MANIFEST)?.context("there is no `index.json`")?;
        let index = Manifest::parse(&bytes, None).context("`index.json` is not valid")?;
        let said = ImageChild::all_of(&bytes).into_iter();
        let said = said.chain(std::iter::repeat_with(ImageChild::default));
        let all: Vec<(Descriptor, ImageChild)> = index.manifests.into_iter().zip(said).collect();
        let names: Vec<String> = all.iter().filter_map(|(_, child)| name(child)).collect();
        let mut chosen: Vec<Descriptor> = match reference {
            Some(Reference::Digest(digest)) => {
                all.into_iter().map(|(one, _)| one).filter(|one| one.digest == *digest).collect()
            }
            Some(Reference::Tag(tag)) => {
                let is_named = |child: &ImageChild| is_called(child, tag.as_str());
                all.into_iter().filter(|(_, child)| is_named(child)).map(|(one, _)| one).collect()
            }
            // What is about images is no image.
            None => {
                let is_own =
                    |child: &ImageChild| child.attests.is_none() && child.artifact_type.is_none();
                all.into_iter().filter(|(_, child)| is_own(child)).map(|(one, _)| one).collect()
            }
        };
        chosen.dedup_by_key(|one| one.digest);
        if chosen.len() > 1 || chosen.is_empty() {
            let found = if chosen.is_empty() { "no such image" } else { "several images" };
            let names = if names.is_empty() { "none has a name".into() } else { names.join(", ") };
            let hint = format!("say which with `--reference`: {}", printable(&names));
            return Err(SaidNo(format!("{found} in `{}`", self.path.display()))).hint(hint);
        }
        chosen.pop().context("there is no image")
    }

    /// A manifest, if it is there.
    fn manifest(&self, digest: &Digest) -> anyhow::Result<Option<(Manifest, Vec<u8>)>> {
        let Some(bytes) = self.blob(digest, LARGEST_MANIFEST)? else { return Ok(None) };
        let manifest = Manifest::parse(&bytes, None);
        Ok(Some((manifest.with_context(|| format!("{digest} is not valid"))?, bytes)))
    }

    /// Content that is small, if it is there and what its digest says.
    fn blob(&self, digest: &Digest, limit: u64) -> anyhow::Result<Option<Vec<u8>>> {
        let bytes = self.file(&path_of(digest), limit)?;
        if let Some(bytes) = &bytes {
            let found = Digest::of(digest.algorithm(), bytes);
            ensure!(found == *digest, "the layout is damaged: what it has as {digest} is {found}");
        }
        Ok(bytes)
    }

    fn file(&self, name: &str, limit: u64) -> anyhow::Result<Option<Vec<u8>>> {
        let failed = || format!("cannot read `{name}` of `{}`", self.path.display());
        let Some(mut content) = self.find(name).with_context(failed)? else { return Ok(None) };
        ensure!(content.size <= limit, "`{name}` is too long: more than {limit} bytes");
        let mut bytes = Vec::new();
        content.file.by_ref().take(limit).read_to_end(&mut bytes).with_context(failed)?;
        Ok(Some(bytes))
    }

    /// A file of the layout, if there is one of that name.
    fn find(&self, name: &str) -> io::Result<Option<Content>> {
        let (file, at, size) = match &self.place {
            Place::Directory => match File::open(self.path.join(name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                file => {
                    let file = file?;
                    let size = file.metadata()?.len();
                    (file, 0, size)
                }
            },
            Place::Archive(entries) => match entries.get(name) {
                None => return Ok(None),
                Some((at, size)) => (File::open(&self.path)?, *at, *size),
            },
        };
        let mut file = file;
        file.seek(SeekFrom::Start(at))?;
        Ok(Some(Content { file: file.take(size), size }))
    }
}

/// Where the files of an archive are. An archive that is compressed cannot be read from the middle.
fn entries(path: &Path) -> anyhow::Result<HashMap<String, (u64, u64)>> {
    let mut archive = tar::Archive::new(File::open(path)?);
    let mut found = HashMap::new();
    let entries = archive.entries_with_seek().context("it is no tar archive")?;
    for (number, entry) in entries.enumerate() {
        let entry = entry.context("it is no tar archive that is not compressed")?;
        ensure!(number < MOST_ENTRIES, "it has more than {MOST_ENTRIES} entries");
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let name = name.strip_prefix("./").unwrap_or(&name).to_owned();
        // As whoever unpacks it: the last of a name is what is there.
        found.insert(name, (entry.raw_file_position(), entry.size()));
    }
    Ok(found)
}

fn path_of(digest: &Digest) -> String {
    format!("blobs/{}", digest.to_string().replacen(':', "/", 1))
}

fn name(child: &ImageChild) -> Option<String> {
    child.annotations.get(NAME).cloned()
}

/// Names are tags, or whole references that end with one.
fn is_called(child: &ImageChild, tag: &str) -> bool {
    let is = |name: &str| name == tag || name.strip_suffix(tag).is_some_and(|n| n.ends_with(':'));
    name(child).is_some_and(|name| is(&name))
}

fn ensure_hinted(
    holds: bool,
    otherwise: impl FnOnce() -> String,
    hint: &str,
) -> anyhow::Result<()> {
    if holds {
        return Ok(());
    }
    Err(anyhow::anyhow!(otherwise())).hint(hint)
}

/// What stands for an image that is not here.
fn expect_image(kind: ImageKind) -> anyhow::Result<()> {
    match kind {
        ImageKind::Image | ImageKind::Index => Ok(()),
        ImageKind::Attestation => bail!("it is no image but an attestation"),
        ImageKind::Artifact => bail!("it is no image but an artifact"),
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        Ok(read)
    }
}
