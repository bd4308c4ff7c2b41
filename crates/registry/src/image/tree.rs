//! An image with everything that belongs to it: children, and what is about each, and about that.

use std::collections::BTreeSet;

use futures_util::future::{BoxFuture, FutureExt as _};
use plura_oci::{
    Digest, Page, Reference, RepositoryName,
    image::{ImageKind, Platform, describe_artifact},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{ImageError, ImageQuery, find::Found};
use crate::{Error, Registry};

/// An image with everything that belongs to it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ImageTree {
    /// Where it is.
    pub repository: String,
    /// As what it was asked for.
    pub reference: String,
    /// What was asked for.
    pub root: TreeNode,
    /// Whether there is more than was looked at.
    pub more: bool,
}

/// How something belongs to what it stands under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Relation {
    /// It is what was asked for.
    Root,
    /// The index names it.
    Child,
    /// The index names it as an attestation of its parent.
    Attestation,
    /// It says that it is about its parent.
    Referrer,
    /// Its tag says so.
    Tag,
}

/// A manifest in a tree.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TreeNode {
    /// Its digest.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// `root`, `child` (of an index), `attestation` (in the index), `referrer` (`subject`) or `tag`
    /// (as older clients attach something).
    #[schema(value_type = String, pattern = "^(root|child|attestation|referrer|tag)$")]
    pub relation: Relation,
    /// The tag that attaches it.
    pub tag: Option<String>,
    /// Whether it is in the repository.
    pub present: bool,
    /// What it stands for.
    #[schema(value_type = Option<String>)]
    pub kind: Option<ImageKind>,
    /// Its media type.
    pub media_type: Option<String>,
    /// The type of an artifact.
    pub artifact_type: Option<String>,
    /// What such artifacts or tags are called, where that is known.
    #[schema(value_type = Option<String>)]
    pub description: Option<&'static str>,
    /// What it runs on.
    #[schema(value_type = Option<String>)]
    pub platform: Option<Platform>,
    /// The length of its manifest in bytes.
    pub manifest_size: Option<u64>,
    /// The bytes of what it points at, but for manifests.
    pub content_size: Option<u64>,
    /// When it was made, as its maker wrote it.
    pub created: Option<String>,
    /// What belongs to it.
    #[schema(no_recursion)]
    pub nodes: Vec<TreeNode>,
}

/// How deep a tree is looked at: a signature of an attestation of a child of an index is at three.
const DEEPEST: u32 = 6;
/// How many manifests are looked at.
const MOST: usize = 500;

impl Registry {
    /// An image with everything that belongs to it.
    pub async fn image_tree(&self, query: &ImageQuery) -> Result<ImageTree, ImageError> {
        let found = self.find_image(query).await?;
        let mut walk = Walk {
            registry: self,
            repository: &query.repository,
            seen: BTreeSet::from([found.digest]),
            more: false,
        };
        let mut root = TreeNode::of(found.digest, Relation::Root);
        walk.look_at(&mut root, &found).await?;
        walk.grow(&mut root, found, DEEPEST).await?;
        Ok(ImageTree {
            repository: query.repository.to_string(),
            reference: query.reference.to_string(),
            root,
            more: walk.more,
        })
    }
}

struct Walk<'w> {
    registry: &'w Registry,
    repository: &'w RepositoryName,
    /// What is in the tree. Lists of older clients can be about anything, also about themselves.
    seen: BTreeSet<Digest>,
    more: bool,
}

impl Walk<'_> {
    /// Adds what belongs to a node.
    fn grow<'s>(
        &'s mut self,
        node: &'s mut TreeNode,
        found: Found,
        depth: u32,
    ) -> BoxFuture<'s, Result<(), Error>> {
        async move {
            let mut nodes = children(&found);
            nodes.extend(self.referrers(&found.digest).await?);
            nodes.extend(self.attached(&found.digest).await?);
            if nodes.is_empty() {
                return Ok(());
            }
            if depth == 0 {
                self.more = true;
                return Ok(());
            }
            for node in &mut nodes {
                self.add(node, depth - 1).await?;
                for attestation in &mut node.nodes {
                    if attestation.relation == Relation::Attestation {
                        self.add(attestation, depth - 1).await?;
                    }
                }
            }
            node.nodes.splice(0..0, nodes);
            Ok(())
        }
        .boxed()
    }

    async fn add(&mut self, node: &mut TreeNode, depth: u32) -> Result<(), Error> {
        if !self.seen.insert(node.digest) {
            return Ok(());
        }
        if self.seen.len() > MOST {
            self.more = true;
            return Ok(());
        }
        let reference = Reference::Digest(node.digest);
        let found = self.registry.find_manifest(self.repository, &reference).await?;
        let Some(found) = found else {
            node.present = false;
            return Ok(());
        };
        self.look_at(node, &found).await?;
        self.grow(node, found, depth).await
    }

    async fn look_at(&self, node: &mut TreeNode, found: &Found) -> Result<(), Error> {
        let artifact_type = found.artifact_type();
        node.kind = Some(found.kind());
        node.media_type = Some(found.media_type.clone());
        node.description = node.description.or(artifact_type.and_then(describe_artifact));
        node.artifact_type = artifact_type.map(ToOwned::to_owned);
        node.manifest_size = Some(found.bytes.len() as u64);
        node.content_size = Some(super::content_size(found));
        let annotations = &found.manifest.annotations;
        node.created = annotations.get("org.opencontainers.image.created").cloned();
        let config = self.registry.usual_configuration(self.repository, found).await?;
        if let Ok(Some(config)) = config {
            node.created = config.created.or(node.created.take());
            let own = Some(config.platform).filter(|platform| !platform.is_empty());
            node.platform = node.platform.take().or(own);
        }
        Ok(())
    }

    async fn referrers(&mut self, subject: &Digest) -> Result<Vec<TreeNode>, Error> {
        let limit = u32::try_from(MOST).ok();
        let page = Page { limit, after: None };
        let found = self.registry.referrers(self.repository, subject, None, &page).await?;
        self.more |= found.more;
        let node = |digest| TreeNode::of(digest, Relation::Referrer);
        Ok(found.descriptors.into_iter().map(|referrer| node(referrer.digest)).collect())
    }

    /// What is attached by tags, but for the lists of referrers, whose entries are referrers here.
    async fn attached(&self, subject: &Digest) -> Result<Vec<TreeNode>, Error> {
        let tags = self.registry.attached_tags(self.repository, subject).await?;
        let node = |attached: super::AttachedTag| TreeNode {
            tag: Some(attached.tag),
            description: Some(attached.description),
            ..TreeNode::of(attached.digest, Relation::Tag)
        };
        Ok(tags.into_iter().filter(|attached| attached.tag.contains('.')).map(node).collect())
    }
}

/// The children of an index, the attestations under what they attest.
fn children(found: &Found) -> Vec<TreeNode> {
    let (mut nodes, mut attestations) = (Vec::<TreeNode>::new(), Vec::new());
    for (descriptor, said) in found.children() {
        let mut node = TreeNode::of(descriptor.digest, Relation::Child);
        node.platform = said.platform.filter(|platform| !platform.is_unknown());
        match said.attests {
            Some(of) => attestations.push((of, node)),
            None => nodes.push(node),
        }
    }
    for (of, mut node) in attestations {
        match nodes.iter_mut().find(|child| child.digest == of) {
            Some(child) => {
                node.relation = Relation::Attestation;
                child.nodes.push(node);
            }
            None => nodes.push(node),
        }
    }
    nodes
}

impl TreeNode {
    fn of(digest: Digest, relation: Relation) -> Self {
        Self {
            digest,
            relation,
            tag: None,
            present: true,
            kind: None,
            media_type: None,
            artifact_type: None,
            description: None,
            platform: None,
            manifest_size: None,
            content_size: None,
            created: None,
            nodes: Vec::new(),
        }
    }
}
