use std::collections::HashMap;

use plura_oci::{Algorithm, Digest, Tag};

use super::ManifestFacts;

/// The tags in the name of another manifest: what is attached to it, or the list of its referrers.
pub(super) struct Attachments {
    /// The tag of a list of referrers has not all of a long digest in it.
    long: HashMap<Tag, Digest>,
}

impl Attachments {
    pub(super) fn new<'a>(manifests: impl Iterator<Item = &'a ManifestFacts>) -> Self {
        let digests = manifests.map(|manifest| manifest.digest);
        let long = digests.filter(|digest| digest.algorithm() != Algorithm::Sha256);
        Self { long: long.map(|digest| (Tag::of_referrers(&digest), digest)).collect() }
    }

    /// The manifest in whose name the tag is.
    pub(super) fn subject(&self, tag: &Tag) -> Option<Digest> {
        if let Some(attachment) = tag.attachment() {
            return Some(attachment.subject);
        }
        let (algorithm, hex) = tag.as_str().split_once('-')?;
        let whole = (algorithm == "sha256").then(|| format!("sha256:{hex}").parse().ok());
        whole.flatten().or_else(|| self.long.get(tag).copied())
    }
}
