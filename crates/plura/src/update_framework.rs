//! Trust roots as their publishers keep them up to date: in repositories of The Update Framework (TUF).
//!
//! What a mirror answers is believed only as far as it is signed, in an unbroken chain from a first root
//! that is at hand; nothing older than what was seen before is taken, nor anything whose time is over.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, anyhow};
use plura_oci::Digest;
use reqwest::{Client, StatusCode, Url};
use sigstore_tuf::transport::FetchFuture;
use sigstore_tuf::{Error, FileStore, Repository, Updater, UpdaterConfig};

use crate::api_client::{body, http};
use crate::cli::{AuthorityArgs, Mirror};
use crate::exit::Hint;

/// The first root of Sigstore's public repository that plura brings along, version 16.
const SIGSTORE: &[u8] = include_bytes!("sigstore_tuf_root.json");
/// What is looked for in the repository.
pub(crate) const TARGET: &str = "trusted_root.json";
/// The most bytes of a trust root; Sigstore's has some thousand.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Where to find a repository, and what it is verified from.
pub(crate) struct Source<'a> {
    pub(crate) mirror: &'a Mirror,
    /// Its first root; Sigstore's if nothing is said.
    pub(crate) first_root: Option<&'a [u8]>,
    /// Where is kept what was seen, so that nothing older is taken; nowhere, if nothing is said.
    pub(crate) cache: Option<PathBuf>,
    pub(crate) authority: &'a AuthorityArgs,
}

/// The `trusted_root.json` of the repository, as it is published now.
pub(crate) async fn trusted_root(source: Source<'_>) -> anyhow::Result<Vec<u8>> {
    let first = source.first_root.unwrap_or(SIGSTORE);
    let updater = match source.mirror {
        Mirror::Web(base) => {
            let http = http(base, source.authority)?;
            Updater::new(Web { http, base: base.clone() }, first)
        }
        Mirror::Directory(path) => Updater::new(Directory(path.clone()), first),
    };
    let updater = updater.context("the first root does not hold");
    let updater = updater.hint("it is the `root.json` that the publisher handed out")?;
    let mut config = UpdaterConfig::default();
    config.target_max_length = LONGEST;
    let mut updater = updater.with_config(config);
    if let Some(cache) = source.cache {
        // Each chain has its own: what was seen of one says nothing about another.
        updater = updater.with_store(FileStore::new(cache.join(Digest::sha256(first).hex())));
    }
    let now = jiff::Timestamp::now();
    updater.refresh(now).await.map_err(explained)?;
    updater.get_target(TARGET, now).await.map_err(explained)
}

fn explained(error: Error) -> anyhow::Error {
    let hint = match &error {
        Error::Expired { .. } => "is the clock right? then the mirror is out of date: name another",
        Error::TargetNotFound(_) => "a repository of Sigstore's form has a `trusted_root.json`",
        _ => "is it a mirror of that repository? its first root is named with `--first-root FILE`",
    };
    let result: anyhow::Result<()> = Err(anyhow!(error)).hint(hint);
    let error = result.err().unwrap_or_else(|| anyhow!("no answer"));
    error.context("the repository cannot be trusted")
}

/// A mirror that answers HTTP. It needs no encryption to be believed.
struct Web {
    http: Client,
    base: Url,
}

impl Web {
    async fn fetch(&self, path: String, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let mut url = self.base.clone();
        segments(&path)
            .and_then(|names| {
                url.path_segments_mut().ok()?.pop_if_empty().extend(names);
                Some(())
            })
            .ok_or_else(|| Error::transport(format!("`{path}` is no name")))?;
        let answer = self.http.get(url).send().await;
        let answer = answer.map_err(|error| Error::transport(error.without_url().to_string()))?;
        match answer.status() {
            StatusCode::OK => {
                let limit = usize::try_from(limit).unwrap_or(usize::MAX);
                let bytes = body(answer, limit).await;
                bytes.map(Some).map_err(|error| Error::transport(format!("{path}: {error:#}")))
            }
            // Object stores whose lists are private say so of what is not there.
            StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => Ok(None),
            status => Err(Error::transport(format!("the mirror answered {status} for {path}"))),
        }
    }
}

impl Repository for Web {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(self.fetch(name.to_owned(), max_length))
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(self.fetch(format!("targets/{path}"), max_length))
    }
}

/// A mirror that was copied to where there is no network.
struct Directory(PathBuf);

impl Directory {
    fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, Error> {
        let path = segments(name).map(|names| self.0.join(names.collect::<PathBuf>()));
        let path = path.ok_or_else(|| Error::transport(format!("`{name}` is no name")))?;
        let failed = |error| Error::io(format!("cannot read `{}`", path.display()), error);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > limit {
            return Err(Error::transport(format!("{name} has more than {limit} bytes")));
        }
        Ok(Some(bytes))
    }
}

impl Repository for Directory {
    fn fetch_metadata<'a>(&'a self, name: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(async move { self.read(name, max_length) })
    }

    fn fetch_target<'a>(&'a self, path: &'a str, max_length: u64) -> FetchFuture<'a> {
        Box::pin(async move { self.read(&format!("targets/{path}"), max_length) })
    }
}

/// The segments of a path that leads nowhere else.
fn segments(path: &str) -> Option<impl Iterator<Item = &str>> {
    let names = Path::new(path).components();
    let names: Option<Vec<&str>> = names
        .map(|name| match name {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    names.map(IntoIterator::into_iter)
}
