use plura_oci::Digest;

use super::{Inventory, ManifestFacts, TagFacts, attachment::Attachments};

/// The place of a manifest in [`Graph::manifests`].
pub(super) type Place = u32;

/// Who belongs to whom in a repository.
pub(super) struct Graph<'a> {
    /// By digest.
    pub(super) manifests: Vec<&'a ManifestFacts>,
    /// By name.
    pub(super) tags: Vec<GraphTag<'a>>,
    /// What goes with each manifest: its children, its referrers, what is attached to it.
    pub(super) dependents: Vec<Vec<Place>>,
    /// What each manifest refers to, if it is here.
    pub(super) subjects: Vec<Option<Place>>,
}

pub(super) struct GraphTag<'a> {
    pub(super) facts: &'a TagFacts,
    /// What it points at, if it is here.
    pub(super) manifest: Option<Place>,
    pub(super) role: Role,
}

/// What a tag is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A name that somebody chose.
    Name,
    /// It attaches what it points at to another manifest.
    Attachment(Place),
    /// It attaches something to what is not here.
    Dangling,
}

impl<'a> Graph<'a> {
    pub(super) fn new(inventory: &'a Inventory) -> Self {
        let manifests: Vec<_> = inventory.manifests().collect();
        let attachments = Attachments::new(inventory.manifests());
        let tags = inventory.tags().map(|facts| GraphTag {
            facts,
            manifest: place(&manifests, &facts.digest),
            role: match attachments.subject(&facts.tag) {
                None => Role::Name,
                Some(subject) => {
                    place(&manifests, &subject).map_or(Role::Dangling, Role::Attachment)
                }
            },
        });
        let tags = tags.collect();
        let subjects: Vec<_> = manifests
            .iter()
            .map(|manifest| manifest.subject.and_then(|subject| place(&manifests, &subject)))
            .collect();
        let mut graph =
            Self { dependents: vec![Vec::new(); manifests.len()], manifests, tags, subjects };
        graph.connect();
        graph
    }

    fn connect(&mut self) {
        for (here, manifest) in (0..).zip(&self.manifests) {
            for child in &manifest.children {
                self.dependents[here as usize].extend(place(&self.manifests, child));
            }
            if let Some(subject) = self.subjects[here as usize] {
                self.dependents[subject as usize].push(here);
            }
        }
        for tag in &self.tags {
            if let (Role::Attachment(subject), Some(manifest)) = (tag.role, tag.manifest) {
                self.dependents[subject as usize].push(manifest);
            }
        }
    }

    pub(super) fn place(&self, digest: &Digest) -> Option<Place> {
        place(&self.manifests, digest)
    }

    pub(super) fn digest(&self, place: Place) -> Digest {
        self.manifests[place as usize].digest
    }

    /// Which manifests something else here keeps or takes along.
    pub(super) fn dependent(&self) -> Vec<bool> {
        let mut dependent = vec![false; self.manifests.len()];
        for (here, all) in (0..).zip(&self.dependents) {
            for place in all.iter().filter(|place| **place != here) {
                dependent[*place as usize] = true;
            }
        }
        dependent
    }
}

fn place(manifests: &[&ManifestFacts], digest: &Digest) -> Option<Place> {
    let place = manifests.binary_search_by(|manifest| manifest.digest.cmp(digest)).ok()?;
    Place::try_from(place).ok()
}
