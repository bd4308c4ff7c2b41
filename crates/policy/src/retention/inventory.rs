use std::collections::BTreeMap;

use plura_oci::{Digest, RepositoryName, Tag};

/// What there is in a repository; filled one by one, in any order. Times are milliseconds since 1970.
#[derive(Clone, Debug)]
pub struct Inventory {
    repository: RepositoryName,
    manifests: BTreeMap<Digest, ManifestFacts>,
    tags: BTreeMap<Tag, TagFacts>,
}

/// What is known of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestFacts {
    /// Its digest.
    pub digest: Digest,
    /// How much would be freed without it, as far as that is known.
    pub bytes: u64,
    /// When it was last pushed.
    pub pushed_at: i64,
    /// When it was last pulled.
    pub pulled_at: Option<i64>,
    /// When it lost its last tag, if it had one.
    pub untagged_at: Option<i64>,
    /// What it refers to.
    pub subject: Option<Digest>,
    /// The manifests that it lists, if it is an index.
    pub children: Vec<Digest>,
}

/// What is known of a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagFacts {
    /// Its name.
    pub tag: Tag,
    /// The manifest that it points at.
    pub digest: Digest,
    /// When it was pointed there.
    pub tagged_at: i64,
    /// When it was last pulled by this name.
    pub pulled_at: Option<i64>,
    /// It may not be pointed elsewhere. It may be deleted.
    pub immutable: bool,
}

impl Inventory {
    /// Nothing yet.
    pub fn new(repository: RepositoryName) -> Self {
        Self { repository, manifests: BTreeMap::new(), tags: BTreeMap::new() }
    }

    /// Adds a manifest, in place of what was known of the same one.
    pub fn add_manifest(&mut self, manifest: ManifestFacts) {
        self.manifests.insert(manifest.digest, manifest);
    }

    /// Adds a tag, in place of what was known of the same one.
    pub fn add_tag(&mut self, tag: TagFacts) {
        self.tags.insert(tag.tag.clone(), tag);
    }

    /// Whose inventory it is.
    pub fn repository(&self) -> &RepositoryName {
        &self.repository
    }

    /// The manifests, by digest.
    pub fn manifests(&self) -> impl Iterator<Item = &ManifestFacts> {
        self.manifests.values()
    }

    /// The tags, by name.
    pub fn tags(&self) -> impl Iterator<Item = &TagFacts> {
        self.tags.values()
    }

    /// One tag.
    pub fn tag(&self, tag: &Tag) -> Option<&TagFacts> {
        self.tags.get(tag)
    }
}
