//! The storage tree of registry:2, the same since its first version:
//!
//! ```text
//! blobs/sha256/ab/<hex>/data                                 layers, configurations and manifests
//! repositories/<name>/_layers/sha256/<hex>/link              which blobs a repository has
//! repositories/<name>/_manifests/revisions/sha256/<hex>/link which manifests
//! repositories/<name>/_manifests/tags/<tag>/current/link     what a tag points at
//! repositories/<name>/_manifests/tags/<tag>/index/...        what it ever pointed at
//! repositories/<name>/_uploads/<id>/                         what was on its way
//! ```
//!
//! A link file holds a digest. It is removed alone when what it links is deleted, so that a directory
//! without one is nothing unusual.

mod layers;
mod links;
mod manifests;
mod tags;
mod verify;

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use futures_util::{TryStreamExt, future::BoxFuture, stream};
use plura_oci::{Algorithm, Digest, RepositoryName};

use crate::{
    EntryKind, Error, Finding, FindingKind, Item, Options, Tree,
    scan::{Output, Stop, no_tree},
};

/// Where below the directory that is configured as `rootdirectory` the tree is.
const BASE: &str = "docker/registry/v2";

/// Goes through one tree.
pub(crate) struct Scanner {
    tree: Tree,
    options: Options,
    output: Output,
    /// What all paths begin with: empty, or with a slash at its end.
    base: String,
    /// Blobs whose bytes are known to be wrong: as many as there is damage.
    damaged: Mutex<HashSet<Digest>>,
}

impl Scanner {
    /// The root may be the `rootdirectory` or the `v2` below it.
    pub(crate) async fn open(tree: Tree, options: Options, output: Output) -> Result<Self, Error> {
        for base in [format!("{BASE}/"), String::new()] {
            let mut found = HashSet::new();
            let mut listing = tree.list(base.trim_end_matches('/')).await?;
            while let Some(page) = listing.page().await? {
                let directories = page.into_iter().filter(|e| e.kind == EntryKind::Directory);
                found.extend(directories.map(|entry| entry.name));
            }
            if found.contains("repositories") && found.contains("blobs") {
                tree.check_apart(&base)?;
                let damaged = Mutex::default();
                return Ok(Self { tree, options, output, base, damaged });
            }
        }
        Err(no_tree(&tree, "storage tree of registry:2: it has no `docker/registry/v2`"))
    }

    pub(crate) async fn run(self) -> Result<(), Stop> {
        if self.options.verify {
            self.verify().await?;
        }
        self.repositories(String::new()).await
    }

    /// The repositories whose names begin with `name`; a repository may have others below it.
    fn repositories(&self, name: String) -> BoxFuture<'_, Result<(), Stop>> {
        Box::pin(async move {
            let path = format!("{}repositories/{name}", self.base);
            let path = path.trim_end_matches('/');
            if name.len() > RepositoryName::MAX_LENGTH {
                let detail = "longer than a repository's name may be";
                return self.tell(Finding::lost(FindingKind::BadName, path, detail)).await;
            }
            let mut is_repository = false;
            let mut listing = self.output.list(&self.tree, path).await?;
            while let Some(page) = self.output.page(&mut listing).await? {
                for entry in page {
                    let child = format!("{path}/{}", entry.name);
                    match entry.kind {
                        EntryKind::Other => self.outside(&child).await?,
                        EntryKind::File => {}
                        EntryKind::Directory if entry.name == "_manifests" => is_repository = true,
                        EntryKind::Directory if entry.name.starts_with('_') => {}
                        EntryKind::Directory => {
                            let slash = if name.is_empty() { "" } else { "/" };
                            self.repositories(format!("{name}{slash}{}", entry.name)).await?;
                        }
                    }
                }
            }
            if is_repository { self.repository(&name, path).await } else { Ok(()) }
        })
    }

    async fn repository(&self, name: &str, path: &str) -> Result<(), Stop> {
        let name: RepositoryName = match name.parse() {
            Ok(name) => name,
            Err(error) => {
                let detail = format!("{error}; the repository was left out");
                return self.tell(Finding::lost(FindingKind::BadName, path, detail)).await;
            }
        };
        let repository = Repository { name, path: path.to_owned() };
        self.layers(&repository).await?;
        self.manifests(&repository).await?;
        self.tags(&repository).await?;
        self.uploads(&repository).await
    }

    /// Does something with each directory below `path`, several at once in a bucket.
    async fn each_directory<F>(
        &self,
        path: &str,
        work: impl Fn(String) -> F + Sync,
    ) -> Result<(), Stop>
    where
        F: Future<Output = Result<(), Stop>> + Send,
    {
        let mut listing = self.output.list(&self.tree, path).await?;
        while let Some(page) = self.output.page(&mut listing).await? {
            let directories = page.into_iter().filter(|entry| entry.kind == EntryKind::Directory);
            let names = stream::iter(directories.map(|entry| Ok::<_, Stop>(entry.name)));
            names.try_for_each_concurrent(self.tree.at_once(), &work).await?;
        }
        Ok(())
    }

    /// What was on its way to the other registry stays there; the client will start again.
    async fn uploads(&self, repository: &Repository) -> Result<(), Stop> {
        let path = format!("{}/_uploads", repository.path);
        let mut count = 0;
        let mut listing = self.output.list(&self.tree, &path).await?;
        while let Some(page) = self.output.page(&mut listing).await? {
            for entry in page.into_iter().filter(|entry| entry.kind == EntryKind::Directory) {
                count += 1;
                for file in ["startedat", "data"] {
                    let found = self.tree.stat(&format!("{path}/{}/{file}", entry.name)).await;
                    let found = Output::if_readable(found)?;
                    if let Some(at) = found.and_then(|stat| stat.modified) {
                        self.output.item(Item::Activity(at)).await?;
                    }
                }
            }
        }
        if count == 0 {
            return Ok(());
        }
        let detail = format!("{count} that were under way; clients start them again");
        self.tell(Finding::left_out(FindingKind::Uploads, path, detail)).await
    }

    async fn tell(&self, finding: Finding) -> Result<(), Stop> {
        self.output.finding(finding).await
    }

    async fn outside(&self, path: &str) -> Result<(), Stop> {
        let detail = "a symbolic link out of the tree, or no file; it was not followed";
        self.tell(Finding::lost(FindingKind::Unreadable, path, detail)).await
    }

    fn is_damaged(&self, digest: &Digest) -> bool {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }

    fn note_damaged(&self, digest: Digest) {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner).insert(digest);
    }

    fn data_path(&self, digest: &Digest) -> String {
        let hex = digest.hex();
        format!("{}blobs/{}/{}/{hex}/data", self.base, digest.algorithm(), &hex[..2])
    }

    /// Whether the bytes of a digest are under its own name: registry:2 keeps them by SHA-256.
    fn is_canonical(digest: &Digest) -> bool {
        digest.algorithm() == Algorithm::Sha256
    }
}

/// A repository that is being read.
struct Repository {
    name: RepositoryName,
    path: String,
}

impl Repository {
    fn layer_link(&self, digest: &Digest) -> String {
        format!("{}/_layers/{}/{}/link", self.path, digest.algorithm(), digest.hex())
    }

    fn revision_link(&self, digest: &Digest) -> String {
        format!("{}/_manifests/revisions/{}/{}/link", self.path, digest.algorithm(), digest.hex())
    }
}
