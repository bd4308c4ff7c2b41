//! Directories of links: `<algorithm>/<hex>/link`.

use std::time::SystemTime;

use plura_oci::{Digest, ParseDigestError};

use super::Scanner;
use crate::{Finding, FindingKind, scan::Stop};

/// A link holds a digest; anything much longer is none.
const LINK_LIMIT: u64 = 1024;

/// A link as its place and its content say it.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// Where it is.
    pub(super) path: String,
    /// What its place says.
    pub(super) digest: Digest,
    /// What it holds, if that is a digest.
    pub(super) target: Option<Digest>,
    /// When it was written.
    pub(super) at: Option<SystemTime>,
}

/// What a link file holds.
pub(super) enum Content {
    /// There is none.
    Missing,
    /// A digest, and when it was written.
    Digest(Digest, Option<SystemTime>),
    /// Something else.
    Bad(String, Option<SystemTime>),
}

impl Scanner {
    /// The link below a directory that is named after a digest; none, where it was deleted, and where
    /// the name is no digest.
    pub(super) async fn link(
        &self,
        above: &str,
        algorithm: &str,
        hex: &str,
    ) -> Result<Option<Link>, Stop> {
        let path = format!("{above}/{algorithm}/{hex}/link");
        let digest: Digest = match format!("{algorithm}:{hex}").parse() {
            Ok(digest) => digest,
            Err(error) => {
                let detail = format!("{error}; left out");
                self.tell(Finding::left_out(FindingKind::BadPath, path, detail)).await?;
                return Ok(None);
            }
        };
        let Some(content) = self.content(&path).await? else { return Ok(None) };
        let (target, at) = match content {
            Content::Missing => return Ok(None),
            Content::Digest(target, at) => (Some(target), at),
            Content::Bad(why, at) => {
                let detail = format!("{why}; its place says {digest}");
                self.tell(Finding::mended(FindingKind::BadLink, &path, detail)).await?;
                (None, at)
            }
        };
        Ok(Some(Link { path, digest, target, at }))
    }

    /// What a link file holds; nothing, if it cannot be read, which was told then.
    pub(super) async fn content(&self, path: &str) -> Result<Option<Content>, Stop> {
        let read = self.tree.read(path, LINK_LIMIT).await;
        let Some(read) = self.output.readable(read).await? else { return Ok(None) };
        let Some(object) = read else { return Ok(Some(Content::Missing)) };
        let text = String::from_utf8_lossy(&object.bytes);
        let parsed: Result<Digest, ParseDigestError> = text.trim().parse();
        Ok(Some(match parsed {
            Ok(digest) => Content::Digest(digest, object.modified),
            Err(_) if text.trim().is_empty() => {
                Content::Bad("the link is empty".into(), object.modified)
            }
            Err(error) => {
                Content::Bad(format!("the link holds no digest: {error}"), object.modified)
            }
        }))
    }

    pub(super) async fn exists(&self, path: &str) -> Result<bool, Stop> {
        let found = self.output.readable(self.tree.stat(path).await).await?;
        Ok(found.flatten().is_some())
    }
}
