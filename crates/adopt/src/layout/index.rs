//! `index.json`: what a layout is entered by, and its tags.

use std::collections::BTreeMap;

use plura_oci::{Digest, Tag};
use serde::Deserialize;

use super::{Layout, Scanner};
use crate::{Finding, FindingKind, FoundTag, Item, Object, scan::Stop};

/// An index of a hundred thousand entries has about as much.
const INDEX_LIMIT: u64 = 64 << 20;

/// The annotation that holds a tag (image-spec, "Pre-Defined Annotation Keys").
const REFERENCE: &str = "org.opencontainers.image.ref.name";

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    digest: String,
    annotations: Option<BTreeMap<String, String>>,
}

impl Scanner {
    pub(super) async fn index(&mut self, layout: &Layout) -> Result<(), Stop> {
        let path = layout.below("index.json");
        let read = self.output.readable(self.tree.read(&path, INDEX_LIMIT).await).await?;
        let Some(object) = read.flatten() else {
            let detail = "there is no index.json, so the layout has no tags";
            return self.tell(Finding::lost(FindingKind::BadIndex, path, detail)).await;
        };
        let index: Index = match serde_json::from_slice(&object.bytes) {
            Ok(index) => index,
            Err(error) => {
                let detail = format!("{error}; the layout has no tags");
                return self.tell(Finding::lost(FindingKind::BadIndex, path, detail)).await;
            }
        };
        if let Some(at) = object.modified {
            self.output.item(Item::Activity(at)).await?;
        }
        self.named(layout, &path, &object, index).await
    }

    async fn named(
        &mut self,
        layout: &Layout,
        path: &str,
        object: &Object,
        index: Index,
    ) -> Result<(), Stop> {
        let mut tags: BTreeMap<Tag, Digest> = BTreeMap::new();
        for entry in index.manifests {
            let name = entry.annotations.as_ref().and_then(|all| all.get(REFERENCE));
            let digest: Digest = match entry.digest.parse() {
                Ok(digest) => digest,
                Err(error) => {
                    let finding = Finding::lost(FindingKind::BadIndex, path, error.to_string());
                    self.tell(finding).await?;
                    continue;
                }
            };
            let Some(name) = name else { continue };
            let Some(tag) = tag_of(name) else {
                let detail = format!("`{}` is no tag; left out", name.escape_debug());
                self.tell(Finding::lost(FindingKind::BadTag, path, detail)).await?;
                continue;
            };
            if let Some(before) = tags.insert(tag.clone(), digest).filter(|d| *d != digest) {
                let detail = format!("{tag} names {before} and {digest}; the last is taken");
                self.tell(Finding::mended(FindingKind::DuplicateTag, path, detail)).await?;
            }
        }
        for (tag, digest) in tags {
            let (repository, at) = (layout.name.clone(), object.modified);
            let found = FoundTag { repository, tag, digest, at, path: path.to_owned() };
            self.output.item(Item::Tag(found)).await?;
        }
        Ok(())
    }
}

/// The tag of a reference name, which is one, or, as some tools write it, ends with one.
fn tag_of(name: &str) -> Option<Tag> {
    name.parse().ok().or_else(|| {
        let (before, last) = name.rsplit_once(':')?;
        // `localhost:5000/app` has a port, and no tag; `app@sha256:...` has a digest.
        if before.contains('@') { None } else { last.parse().ok() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_at_the_end_of_whole_references() {
        let tag = |name| tag_of(name).map(|tag| tag.to_string());
        assert_eq!(tag("v1"), Some("v1".into()));
        assert_eq!(tag("registry.example.com:5000/apps/web:v1"), Some("v1".into()));
        assert_eq!(tag("localhost:5000/web"), None);
        assert_eq!(tag("web@sha256:ab"), None);
        assert_eq!(tag(""), None);
    }
}
