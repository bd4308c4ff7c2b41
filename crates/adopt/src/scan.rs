use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::{
    Entry, EntryKind, Error, Finding, FindingKind, Item, Listing, Tree, distribution, layout,
};

/// How the files of a tree are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As registry:2 (Docker distribution, version 2 and 3) does.
    Distribution,
    /// As OCI image layouts, one a repository.
    Layouts,
}

/// How to go through a tree.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Read every blob and compare it with its digest.
    pub verify: bool,
    /// Link blobs that a repository's manifests need and that are there, but not linked.
    pub relink: bool,
    /// The largest manifest, in bytes.
    pub manifest_limit: u64,
}

/// Found things that wait to be taken; a manifest may have some megabytes.
const WAITING: usize = 16;

/// A tree being gone through, by a task of its own that never gets far ahead of who listens.
#[derive(Debug)]
pub struct Scan {
    items: mpsc::Receiver<Result<Item, Error>>,
}

impl Scan {
    /// Begins to go through a tree.
    pub async fn start(tree: Tree, format: Format, options: Options) -> Result<Self, Error> {
        let (sender, items) = mpsc::channel(WAITING);
        let output = Output { sender: sender.clone() };
        let run: BoxFuture<'static, Result<(), Stop>> = match format {
            Format::Distribution => {
                let scanner = distribution::Scanner::open(tree, options, output).await?;
                Box::pin(scanner.run())
            }
            Format::Layouts => {
                let scanner = layout::Scanner::open(tree, options, output).await?;
                Box::pin(scanner.run())
            }
        };
        tokio::spawn(async move {
            if let Err(Stop::Failed(error)) = run.await {
                // Nobody to tell it to is as good as told.
                let _ = sender.send(Err(error)).await;
            }
        });
        Ok(Self { items })
    }

    /// The next thing; `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Item, Error>> {
        self.items.recv().await
    }
}

/// Why a scan ends early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Nobody listens any more.
    Unheard,
    /// The tree cannot be read.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Where a scan tells what it finds.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    sender: mpsc::Sender<Result<Item, Error>>,
}

impl Output {
    pub(crate) async fn item(&self, item: Item) -> Result<(), Stop> {
        self.sender.send(Ok(item)).await.map_err(|_| Stop::Unheard)
    }

    pub(crate) async fn finding(&self, finding: Finding) -> Result<(), Stop> {
        self.item(Item::Finding(finding)).await
    }

    /// Begins a list; of what cannot be listed, which is a finding, an empty one.
    pub(crate) async fn list(&self, tree: &Tree, prefix: &str) -> Result<Listing, Stop> {
        Ok(self.readable(tree.list(prefix).await).await?.unwrap_or(Listing::Directory(None)))
    }

    /// The next entries of a list.
    pub(crate) async fn page(&self, listing: &mut Listing) -> Result<Option<Vec<Entry>>, Stop> {
        Ok(self.readable(listing.page().await).await?.flatten())
    }

    /// The directories below `path` that are named after an algorithm of digests; another is a finding.
    pub(crate) async fn algorithms(&self, tree: &Tree, path: &str) -> Result<Vec<String>, Stop> {
        let mut listing = self.list(tree, path).await?;
        let mut known = Vec::new();
        while let Some(page) = self.page(&mut listing).await? {
            for entry in page.into_iter().filter(|entry| entry.kind == EntryKind::Directory) {
                if matches!(entry.name.as_str(), "sha256" | "sha512") {
                    known.push(entry.name);
                    continue;
                }
                let path = format!("{path}/{}", entry.name);
                let detail = "an algorithm that plura does not compute; left out";
                self.finding(Finding::lost(FindingKind::UnsupportedDigest, path, detail)).await?;
            }
        }
        Ok(known)
    }

    /// What was read; nothing, where an object cannot be read, which was told before or does not matter.
    pub(crate) fn if_readable<T>(read: Result<Option<T>, Error>) -> Result<Option<T>, Stop> {
        match read.map_err(Error::of_object) {
            Ok(value) => Ok(value),
            Err(Ok(_)) => Ok(None),
            Err(Err(error)) => Err(error.into()),
        }
    }

    /// What was read; an object that cannot be read is a finding, and then nothing.
    pub(crate) async fn readable<T>(&self, read: Result<T, Error>) -> Result<Option<T>, Stop> {
        match read.map_err(Error::of_object) {
            Ok(value) => Ok(Some(value)),
            Err(Ok((path, why))) => {
                self.finding(Finding::lost(FindingKind::Unreadable, path, why)).await?;
                Ok(None)
            }
            Err(Err(error)) => Err(error.into()),
        }
    }
}

/// There is no such tree.
pub(crate) fn no_tree(tree: &Tree, expected: &'static str) -> Error {
    let location = match tree {
        Tree::Directory(root) => root.path().display().to_string(),
        Tree::Bucket(root) => root.location(),
    };
    Error::NoTree { location, expected }
}
