//! OCI image layouts, one a repository (image-spec, "OCI Image Layout"; so zot keeps them):
//!
//! ```text
//! <repository>/oci-layout            {"imageLayoutVersion":"1.0.0"}
//! <repository>/index.json            manifests, and tags as annotations of theirs
//! <repository>/blobs/sha256/<hex>    manifests, configurations and layers
//! ```
//!
//! Where zot does not keep the same content twice, all but one of its files are empty and stand for that
//! one. Which one is not known before all were seen, so the trees are gone through twice: first all that
//! have content, then what stands for content, and the tags.

mod blobs;
mod index;
mod manifests;

use std::collections::HashSet;

use futures_util::future::BoxFuture;
use plura_oci::{Digest, RepositoryName};

use crate::{
    EntryKind, Error, Finding, FindingKind, Options, Tree,
    scan::{Output, Stop, no_tree},
};

/// Goes through a tree of layouts.
pub(crate) struct Scanner {
    tree: Tree,
    options: Options,
    output: Output,
    /// The name of the one repository, where the root itself is a layout.
    single: Option<String>,
    /// Files whose bytes are known to be wrong: as many as there is damage.
    damaged: HashSet<String>,
}

/// What is done with each layout.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Content,
    Names,
}

impl Scanner {
    pub(crate) async fn open(tree: Tree, options: Options, output: Output) -> Result<Self, Error> {
        tree.check_apart("")?;
        let mut listing = tree.list("").await?;
        let (mut entries, mut directories) = (HashSet::new(), false);
        while let Some(page) = listing.page().await? {
            directories |= page.iter().any(|entry| entry.kind == EntryKind::Directory);
            entries.extend(page.into_iter().map(|e| e.name).filter(|name| is_of_layout(name)));
        }
        if !directories {
            return Err(no_tree(&tree, "OCI image layout, and none is below it"));
        }
        let name = tree.name();
        let single = (entries.contains("index.json") && entries.contains("blobs"))
            .then(|| name.to_lowercase());
        Ok(Self { tree, options, output, single, damaged: HashSet::new() })
    }

    pub(crate) async fn run(mut self) -> Result<(), Stop> {
        for pass in [Pass::Content, Pass::Names] {
            match self.single.clone() {
                Some(name) => self.layout(&name, String::new(), pass).await?,
                None => self.layouts(String::new(), pass).await?,
            }
        }
        Ok(())
    }

    /// The layouts at `path` and below it, whose path is their name.
    fn layouts(&mut self, path: String, pass: Pass) -> BoxFuture<'_, Result<(), Stop>> {
        Box::pin(async move {
            if path.len() > RepositoryName::MAX_LENGTH {
                let detail = "longer than a repository's name may be";
                return self
                    .tell_once(pass, Finding::lost(FindingKind::BadName, path, detail))
                    .await;
            }
            let mut seen = HashSet::new();
            let mut listing = self.output.list(&self.tree, &path).await?;
            while let Some(page) = self.output.page(&mut listing).await? {
                for entry in page {
                    let child = join(&path, &entry.name);
                    if is_of_layout(&entry.name) {
                        seen.insert(entry.name);
                    } else if entry.kind == EntryKind::Other {
                        let detail =
                            "a symbolic link out of the tree, or no file; it was not followed";
                        let finding = Finding::lost(FindingKind::Unreadable, child, detail);
                        self.tell_once(pass, finding).await?;
                    } else if entry.kind == EntryKind::Directory
                        && !entry.name.starts_with(['_', '.'])
                    {
                        self.layouts(child, pass).await?;
                    }
                }
            }
            if path.is_empty() || !seen.contains("blobs") {
                return Ok(());
            }
            let name = path.clone();
            self.layout(&name, path, pass).await
        })
    }

    async fn layout(&mut self, name: &str, path: String, pass: Pass) -> Result<(), Stop> {
        let name = match name.parse::<RepositoryName>() {
            Ok(name) => name,
            Err(error) => {
                let detail = format!("{error}; the repository was left out");
                let finding = Finding::lost(FindingKind::BadName, path, detail);
                return self.tell_once(pass, finding).await;
            }
        };
        let layout = Layout { name, path };
        match pass {
            Pass::Content => self.content(&layout).await,
            Pass::Names => {
                self.pointers(&layout).await?;
                self.index(&layout).await
            }
        }
    }

    async fn tell(&self, finding: Finding) -> Result<(), Stop> {
        self.output.finding(finding).await
    }

    /// What both passes meet is told by the first.
    async fn tell_once(&self, pass: Pass, finding: Finding) -> Result<(), Stop> {
        if pass == Pass::Content { self.tell(finding).await } else { Ok(()) }
    }
}

/// A layout that is being read.
struct Layout {
    name: RepositoryName,
    path: String,
}

impl Layout {
    fn below(&self, path: &str) -> String {
        join(&self.path, path)
    }

    fn blob(&self, digest: &Digest) -> String {
        self.below(&format!("blobs/{}/{}", digest.algorithm(), digest.hex()))
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}/{name}") }
}

fn is_of_layout(name: &str) -> bool {
    matches!(name, "oci-layout" | "index.json" | "blobs")
}
