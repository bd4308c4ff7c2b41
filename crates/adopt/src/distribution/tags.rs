//! The tags of a repository.

use std::time::SystemTime;

use plura_oci::{Digest, Tag};

use super::{Repository, Scanner, links::Content};
use crate::{Finding, FindingKind, FoundTag, Item, scan::Stop};

impl Scanner {
    pub(super) async fn tags(&self, repository: &Repository) -> Result<(), Stop> {
        let above = format!("{}/_manifests/tags", repository.path);
        self.each_directory(&above, |name| self.named(repository, &above, name)).await
    }

    async fn named(&self, repository: &Repository, above: &str, name: String) -> Result<(), Stop> {
        let path = format!("{above}/{name}");
        match name.parse() {
            Ok(tag) => self.tag(repository, tag, &path).await,
            Err(error) => {
                let detail = format!("{error}; left out");
                self.tell(Finding::lost(FindingKind::BadTag, path, detail)).await
            }
        }
    }

    async fn tag(&self, repository: &Repository, tag: Tag, above: &str) -> Result<(), Stop> {
        let path = format!("{above}/current/link");
        let Some(content) = self.content(&path).await? else { return Ok(()) };
        let (digest, at) = match content {
            Content::Digest(digest, at) => (digest, at),
            Content::Missing => match self.restored(above, &path, "there is no link").await? {
                Some(found) => found,
                None => return Ok(()),
            },
            Content::Bad(why, _) => match self.restored(above, &path, &why).await? {
                Some(found) => found,
                None => return Ok(()),
            },
        };
        let name = &repository.name;
        if !self.exists(&repository.revision_link(&digest)).await? {
            // Only what the repository had could be tagged, so the tag itself stands for the link.
            if !self.manifest(repository, &digest, &digest, at).await? {
                let detail = format!("{name}:{tag} points at {digest}, which is not there");
                return self.tell(Finding::lost(FindingKind::DanglingTag, path, detail)).await;
            }
            let detail = format!("{name}:{tag} points at {digest}, which was not linked");
            self.tell(Finding::mended(FindingKind::MissingRevision, &path, detail)).await?;
        }
        let repository = repository.name.clone();
        self.output.item(Item::Tag(FoundTag { repository, tag, digest, at, path })).await
    }

    /// What a tag without a usable link pointed at last. A push writes into the history of the tag
    /// first, so the newest entry of that is what was to be linked.
    async fn restored(
        &self,
        above: &str,
        path: &str,
        why: &str,
    ) -> Result<Option<(Digest, Option<SystemTime>)>, Stop> {
        let history = format!("{above}/index");
        let mut newest: Option<(SystemTime, Digest)> = None;
        let mut unclear = false;
        for algorithm in self.output.algorithms(&self.tree, &history).await? {
            let mut listing =
                self.output.list(&self.tree, &format!("{history}/{algorithm}")).await?;
            while let Some(page) = self.output.page(&mut listing).await? {
                for entry in page {
                    let Some(link) = self.link(&history, &algorithm, &entry.name).await? else {
                        continue;
                    };
                    let Some(at) = link.at else { continue };
                    match newest {
                        Some((newest, _)) if at < newest => {}
                        Some((newest, _)) if at == newest => unclear = true,
                        _ => (newest, unclear) = (Some((at, link.digest)), false),
                    }
                }
            }
        }
        match newest {
            Some((at, digest)) if !unclear => {
                let detail = format!("{why}; its history ends with {digest}, which is taken");
                self.tell(Finding::mended(FindingKind::MissingTagLink, path, detail)).await?;
                Ok(Some((digest, Some(at))))
            }
            _ => {
                let detail = format!("{why}, and its history does not tell what it pointed at");
                self.tell(Finding::lost(FindingKind::MissingTagLink, path, detail)).await?;
                Ok(None)
            }
        }
    }
}
