use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use plura_oci::{Algorithm, Digest, RepositoryName, Tag};
use serde::{Deserialize, Serialize};

use super::{
    Decisions, Inventory, RetentionRules, Roots, Verdict, decide,
    decisions::{Fate, Why},
    graph::{Graph, Place, Role},
};

/// What goes out of a repository. It can be looked at, agreed to and carried out later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The digest of what is in the plan: the same repository, rules and deletions have the same one,
    /// whenever they were planned.
    pub id: Digest,
    /// Whose plan it is.
    pub repository: RepositoryName,
    /// The digest of the rules.
    pub rules: Digest,
    /// What goes, in an order that can be stopped anywhere: tags first, and nothing before what it
    /// belongs to.
    pub delete: Vec<Deletion>,
    /// What goes, in numbers.
    pub deleted: Totals,
    /// What stays, in numbers.
    pub kept: Kept,
}

/// One thing that goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deletion {
    /// What.
    pub object: Object,
    /// By which rule.
    pub rule: String,
    /// Why the rule is about it.
    pub cause: Cause,
    /// How much that frees; nothing for a tag.
    pub bytes: u64,
    /// It is a tag that may not be pointed elsewhere. That does not keep it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub immutable: bool,
}

/// A tag or a manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Object {
    /// A tag, and what it points at.
    Tag {
        /// Its name.
        tag: Tag,
        /// What it points at.
        digest: Digest,
    },
    /// A manifest.
    Manifest {
        /// Its digest.
        digest: Digest,
    },
}

/// Why a rule lets something go. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", deny_unknown_fields)]
pub enum Cause {
    /// It was pushed or tagged too long ago.
    Old {
        /// When it was.
        since: i64,
        /// What the rule says.
        limit: String,
    },
    /// It was not used for too long.
    Idle {
        /// When it last was.
        since: i64,
        /// What the rule says.
        limit: String,
    },
    /// No rule keeps it, and the rule lets go of all such.
    NotKept,
    /// It belongs to what goes.
    With {
        /// What that is.
        digest: Digest,
    },
}

/// How much it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// How many tags.
    pub tags: u64,
    /// How many of them are immutable.
    pub immutable_tags: u64,
    /// How many manifests.
    pub manifests: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// What stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// How much it is.
    pub total: Totals,
    /// How many tags and manifests each rule, or need, keeps.
    pub because: BTreeMap<String, u64>,
}

/// Something of a plan that would not be deleted any more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Withdrawn {
    /// What.
    pub object: Object,
    /// What has changed.
    pub change: Change,
}

/// What has changed since a plan was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It would be kept now.
    Kept(Verdict),
    /// The tag points elsewhere.
    Moved(Digest),
    /// It is not there any more.
    Gone,
}

/// What goes out of the repository at that time.
pub fn plan(rules: &RetentionRules, inventory: &Inventory, roots: &Roots, now: i64) -> Plan {
    decide(rules, inventory, roots, now).plan()
}

/// Whether everything in the plan would still be deleted; otherwise, what would not. What could be
/// deleted besides is for the next plan.
pub fn still_holds(plan: &Plan, decisions: &Decisions<'_>) -> Result<(), Vec<Withdrawn>> {
    let withdrawn = plan.delete.iter().filter_map(|deletion| {
        let change = decisions.change(&deletion.object)?;
        Some(Withdrawn { object: deletion.object.clone(), change })
    });
    let withdrawn: Vec<_> = withdrawn.collect();
    if withdrawn.is_empty() { Ok(()) } else { Err(withdrawn) }
}

impl Decisions<'_> {
    /// What goes.
    pub fn plan(&self) -> Plan {
        let delete = self.deletions();
        let (deleted, kept) = (totals(&delete), self.kept());
        let repository = self.inventory.repository().clone();
        let rules = self.rules.digest();
        let id = identity(&repository, &rules, &delete);
        Plan { id, repository, rules, delete, deleted, kept }
    }

    fn change(&self, object: &Object) -> Option<Change> {
        let verdict = match object {
            Object::Tag { tag, digest } => match self.inventory.tag(tag) {
                Some(facts) if facts.digest != *digest => return Some(Change::Moved(facts.digest)),
                _ => self.tag(tag),
            },
            Object::Manifest { digest } => self.manifest(digest),
        };
        match verdict {
            None => Some(Change::Gone),
            Some(verdict) if !verdict.deleted => Some(Change::Kept(verdict)),
            Some(_) => None,
        }
    }

    /// Names first. Then what they named, and before each what attaches it: whoever stops in between
    /// leaves nothing whose signatures are gone.
    fn deletions(&self) -> Vec<Deletion> {
        let mut attached: BTreeMap<Option<Place>, Vec<usize>> = BTreeMap::new();
        let mut deletions = Vec::new();
        for (number, tag) in self.graph.tags.iter().enumerate() {
            if tag.role == Role::Name {
                deletions.extend(self.deletion_of_tag(number));
            } else {
                attached.entry(tag.manifest).or_default().push(number);
            }
        }
        let is_deleted = |place: Place| matches!(self.manifests[place as usize], Fate::Expired(..));
        for place in order(&self.graph, is_deleted) {
            let tags = attached.remove(&Some(place)).unwrap_or_default();
            deletions.extend(tags.into_iter().filter_map(|tag| self.deletion_of_tag(tag)));
            deletions.extend(self.deletion_of_manifest(place));
        }
        let rest = attached.into_values().flatten();
        deletions.extend(rest.filter_map(|tag| self.deletion_of_tag(tag)));
        deletions
    }

    fn deletion_of_tag(&self, number: usize) -> Option<Deletion> {
        let Fate::Expired(rule, cause) = &self.tags[number] else { return None };
        let facts = self.graph.tags[number].facts;
        Some(Deletion {
            object: Object::Tag { tag: facts.tag.clone(), digest: facts.digest },
            rule: self.rules.expire[*rule].name.clone(),
            cause: cause.clone(),
            bytes: 0,
            immutable: facts.immutable,
        })
    }

    fn deletion_of_manifest(&self, place: Place) -> Option<Deletion> {
        let Fate::Expired(rule, cause) = &self.manifests[place as usize] else { return None };
        let facts = self.graph.manifests[place as usize];
        Some(Deletion {
            object: Object::Manifest { digest: facts.digest },
            rule: self.rules.expire[*rule].name.clone(),
            cause: cause.clone(),
            bytes: facts.bytes,
            immutable: false,
        })
    }

    fn kept(&self) -> Kept {
        let mut kept = Kept::default();
        for (tag, fate) in self.graph.tags.iter().zip(&self.tags) {
            if let Fate::Kept(why) = fate {
                kept.total.tags += 1;
                kept.total.immutable_tags += u64::from(tag.facts.immutable);
                self.count(*why, &mut kept);
            }
        }
        for (manifest, fate) in self.graph.manifests.iter().zip(&self.manifests) {
            if let Fate::Kept(why) = fate {
                kept.total.manifests += 1;
                kept.total.bytes = kept.total.bytes.saturating_add(manifest.bytes);
                self.count(*why, &mut kept);
            }
        }
        kept
    }

    fn count(&self, why: Why, kept: &mut Kept) {
        *kept.because.entry(self.keeper(why)).or_default() += 1;
    }
}

fn totals(delete: &[Deletion]) -> Totals {
    let mut totals = Totals::default();
    for deletion in delete {
        match deletion.object {
            Object::Tag { .. } => totals.tags += 1,
            Object::Manifest { .. } => totals.manifests += 1,
        }
        totals.immutable_tags += u64::from(deletion.immutable);
        totals.bytes = totals.bytes.saturating_add(deletion.bytes);
    }
    totals
}

/// Everything that goes, nothing before what it belongs to; by digest where that leaves a choice.
fn order(graph: &Graph<'_>, is_deleted: impl Fn(Place) -> bool) -> Vec<Place> {
    let places = || (0..).take(graph.manifests.len()).filter(|place| is_deleted(*place));
    let mut waiting_for = vec![0_u32; graph.manifests.len()];
    for place in places() {
        for dependent in graph.dependents[place as usize].iter().filter(|other| **other != place) {
            waiting_for[*dependent as usize] += 1;
        }
    }
    let is_free = |place: &Place, waiting_for: &[u32]| waiting_for[*place as usize] == 0;
    let mut free: BTreeSet<Place> = places().filter(|place| is_free(place, &waiting_for)).collect();
    let mut left: BTreeSet<Place> = places().collect();
    let mut ordered = Vec::new();
    // Tags can make a circle, which begins anywhere.
    while let Some(place) = free.pop_first().or_else(|| left.first().copied()) {
        if !left.remove(&place) {
            continue;
        }
        ordered.push(place);
        for dependent in graph.dependents[place as usize].iter().filter(|other| **other != place) {
            let waiting = &mut waiting_for[*dependent as usize];
            *waiting = waiting.saturating_sub(1);
            if *waiting == 0 && left.contains(dependent) {
                free.insert(*dependent);
            }
        }
    }
    ordered
}

fn identity(repository: &RepositoryName, rules: &Digest, delete: &[Deletion]) -> Digest {
    let mut hasher = Algorithm::Sha256.hasher();
    // No part of a line has a space or a line feed in it.
    let mut line = |text: String| hasher.update(text.as_bytes());
    line(format!("plura retention plan 1\n{repository}\n{rules}\n"));
    for Deletion { object, rule, .. } in delete {
        line(match object {
            Object::Tag { tag, digest } => format!("tag {tag} {digest} {rule}\n"),
            Object::Manifest { digest } => format!("manifest {digest} {rule}\n"),
        });
    }
    hasher.finish()
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag { tag, digest } => write!(f, "tag `{tag}` of {digest}"),
            Self::Manifest { digest } => write!(f, "{digest}"),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Old { limit, .. } => write!(f, "it was pushed more than {limit} ago"),
            Self::Idle { limit, .. } => write!(f, "it was not used for more than {limit}"),
            Self::NotKept => f.write_str("no rule keeps it"),
            Self::With { digest } => write!(f, "it belongs to {digest}, which goes"),
        }
    }
}
