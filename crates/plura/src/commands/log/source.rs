//! Where the tiles of a log are read: from a server, or from a directory that they were copied to.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use plura_tlog::{Bundle, CHECKPOINT_PATH, MAX_NOTE, Resource, Source, SourceError};
use reqwest::{Method, StatusCode};
use tokio::runtime::Handle;

use crate::api_client::{ApiClient, Ask, answer, body};
use crate::exit::Hint;

/// The tiles of a server. They are read on a thread that may block.
pub(super) struct Web {
    client: Arc<ApiClient>,
    runtime: Handle,
}

/// Tiles in a directory.
pub(super) struct Directory(PathBuf);

impl Web {
    /// The log of the server, read on the runtime that this is called on.
    pub(super) fn new(client: Arc<ApiClient>) -> Self {
        Self { client, runtime: Handle::current() }
    }

    /// The checkpoint that the server shows.
    pub(super) async fn checkpoint(client: &ApiClient) -> anyhow::Result<Vec<u8>> {
        let response = client.send(below(CHECKPOINT_PATH)).await?;
        if response.status().is_success() {
            return body(response, MAX_NOTE).await;
        }
        answer(response).await?;
        anyhow::bail!("the server shows no checkpoint")
    }

    async fn get(&self, resource: &Resource) -> anyhow::Result<Option<Vec<u8>>> {
        let response = self.client.send(below(&resource.to_string())).await?;
        match response.status() {
            StatusCode::NOT_FOUND => Ok(None),
            status if status.is_success() => body(response, Bundle::MAX_SIZE).await.map(Some),
            _ => answer(response).await.map(|_| None),
        }
    }
}

impl Source for Web {
    fn read(&self, resource: &Resource) -> Result<Option<Vec<u8>>, SourceError> {
        self.runtime.block_on(self.get(resource)).map_err(|error| format!("{error:#}").into())
    }
}

impl Directory {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// The checkpoint in it.
    pub(super) fn checkpoint(&self) -> anyhow::Result<Vec<u8>> {
        let path = self.0.join(CHECKPOINT_PATH);
        let failed = || format!("cannot read `{}`", path.display());
        let hint = "name the directory that has `checkpoint` and `tile` in it";
        let found = self.read_file(CHECKPOINT_PATH, MAX_NOTE).with_context(failed).hint(hint)?;
        found.with_context(|| format!("there is no `{}`", path.display())).hint(hint)
    }

    fn read_file(&self, name: &str, most: usize) -> std::io::Result<Option<Vec<u8>>> {
        let file = match File::open(self.0.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = Vec::new();
        file.take(most as u64 + 1).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}

impl Source for Directory {
    fn read(&self, resource: &Resource) -> Result<Option<Vec<u8>>, SourceError> {
        // What is longer than any tile is no tile; it is not read any further.
        Ok(self.read_file(&resource.to_string(), Bundle::MAX_SIZE)?)
    }
}

/// What is below the address of the log.
fn below(path: &str) -> Ask {
    Ask::at(Method::GET, ["log"].into_iter().chain(path.split('/')))
}
