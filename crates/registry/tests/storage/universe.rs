//! The contents that random tests push: few enough that they meet again and again.

use std::collections::{BTreeMap, BTreeSet};

use plura_oci::Digest;

use crate::support::{Image, content, index};

/// All blobs and manifests there are.
pub(crate) struct Universe {
    pub(crate) blobs: Vec<Vec<u8>>,
    pub(crate) manifests: Vec<Entry>,
}

/// A manifest, and what it points at.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: Digest,
    /// The digests of the blobs that it needs.
    pub(crate) blobs: Vec<Digest>,
    /// The blobs themselves.
    pub(crate) payload: Vec<Vec<u8>>,
    pub(crate) children: Vec<Digest>,
    pub(crate) subject: Option<Digest>,
}

impl Universe {
    pub(crate) fn new() -> Self {
        let layers: Vec<Vec<u8>> =
            (0..7).map(|seed| content(seed, 1 + 37 * usize::try_from(seed).unwrap())).collect();
        let mut manifests: Vec<Entry> = Vec::new();
        for (one, other) in [(0, 1), (1, 2), (3, 3), (4, 0), (5, 6)] {
            manifests.push(Entry::image(&Image::new(&[&layers[one], &layers[other]]), None));
        }
        // About an image, about that referrer, and about an index that comes later.
        let signature = Entry::about(&manifests[0], &layers[6]);
        let countersignature = Entry::about(&signature, &layers[5]);
        let both = Entry::index(&[&manifests[0], &manifests[1]]);
        let more = Entry::index(&[&manifests[1], &manifests[2], &signature]);
        let nested = Entry::index(&[&both, &manifests[4]]);
        let of_index = Entry::about(&both, &layers[3]);
        manifests.extend([signature, countersignature, both, more, nested, of_index]);
        let mut blobs = layers;
        blobs.extend(manifests.iter().flat_map(|manifest| manifest.payload.clone()));
        blobs.sort();
        blobs.dedup();
        Self { blobs, manifests }
    }

    pub(crate) fn manifest(&self, digest: &Digest) -> &Entry {
        self.manifests.iter().find(|entry| entry.digest == *digest).expect("a known manifest")
    }

    /// Those of `held` that tags, indexes and subjects need.
    pub(crate) fn reachable<'t>(
        &self,
        held: &BTreeMap<Digest, i64>,
        tagged: impl Iterator<Item = &'t Digest>,
    ) -> BTreeSet<Digest> {
        let mut found: BTreeSet<Digest> = tagged.copied().collect();
        loop {
            let more: Vec<Digest> = held
                .keys()
                .filter(|digest| !found.contains(*digest))
                .filter(|digest| {
                    let subject = self.manifest(digest).subject;
                    subject.is_some_and(|subject| found.contains(&subject))
                        || found.iter().any(|m| self.manifest(m).children.contains(digest))
                })
                .copied()
                .collect();
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }
}

impl Entry {
    fn image(image: &Image, subject: Option<Digest>) -> Self {
        Self {
            bytes: image.manifest.clone(),
            digest: image.digest(),
            blobs: image.blobs.iter().map(|blob| Digest::sha256(blob)).collect(),
            payload: image.blobs.clone(),
            children: Vec::new(),
            subject,
        }
    }

    fn about(subject: &Self, layer: &[u8]) -> Self {
        Self::image(&Image::about(Some(&subject.bytes), &[layer]), Some(subject.digest))
    }

    fn index(children: &[&Self]) -> Self {
        let bytes: Vec<&[u8]> = children.iter().map(|child| &child.bytes[..]).collect();
        let bytes = index(&bytes);
        Self {
            digest: Digest::sha256(&bytes),
            bytes,
            blobs: Vec::new(),
            payload: Vec::new(),
            children: children.iter().map(|child| child.digest).collect(),
            subject: None,
        }
    }
}
