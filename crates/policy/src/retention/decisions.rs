use std::collections::VecDeque;

use plura_oci::{Digest, Tag};
use serde::Serialize;

use super::{
    Cause, Inventory, RetentionRules, Root, Roots,
    graph::{Graph, Place, Role},
    ranking,
    rules::{Expire, Keep, KeepIf, Selection},
    tagged::{self, Times, times_of_manifest, times_of_tag},
};

/// What was decided about everything in a repository.
pub struct Decisions<'a> {
    pub(super) inventory: &'a Inventory,
    pub(super) rules: &'a RetentionRules,
    pub(super) graph: Graph<'a>,
    pub(super) roots: Vec<Root>,
    /// In the order of the graph.
    pub(super) tags: Vec<Fate>,
    /// In the order of the graph.
    pub(super) manifests: Vec<Fate>,
}

/// What becomes of a tag or a manifest, and why.
#[derive(Clone, Debug)]
pub(super) enum Fate {
    Kept(Why),
    /// By the rule of that number among those that expire.
    Expired(usize, Cause),
}

/// Why something is kept.
#[derive(Clone, Copy, Debug)]
pub(super) enum Why {
    /// The root of that number.
    Root(usize),
    /// The rule of that number among those that keep.
    Rule(usize),
    /// No rule lets it go.
    NoRule,
    /// The tag of that number points at it.
    Tag(usize),
    /// It belongs to a manifest that is kept.
    With(Place),
    /// What refers to it is kept.
    NeededBy(Place),
    /// What it points at is kept, or what that is attached to.
    Attached,
}

/// What was decided about one tag or manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether it goes.
    pub deleted: bool,
    /// The rule, or what it is needed for.
    pub rule: String,
    /// Why, in words.
    pub reason: String,
}

/// Decides about everything in the repository.
pub fn decide<'a>(
    rules: &'a RetentionRules,
    inventory: &'a Inventory,
    roots: &Roots,
    now: i64,
) -> Decisions<'a> {
    let graph = Graph::new(inventory);
    let roots = roots.at(rules, now);
    let decider = Decider::new(rules, inventory, &graph, &roots, now);
    let mut tags = decider.fates_of_tags();
    let manifests = decider.fates_of_manifests(&tags);
    decider.attach(&mut tags, &manifests);
    let manifests = manifests.into_iter().map(|fate| fate.unwrap_or(Fate::Kept(Why::NoRule)));
    Decisions { inventory, rules, tags, manifests: manifests.collect(), graph, roots }
}

struct Decider<'a> {
    graph: &'a Graph<'a>,
    now: i64,
    /// By digest.
    roots: &'a [Root],
    /// Which manifests have neither a name nor anything that they belong to.
    standalone: Vec<bool>,
    /// The rules that are about this repository, with what the newest are to them.
    keep: Vec<(usize, &'a Keep, Vec<bool>)>,
    expire: Vec<(usize, &'a Expire)>,
}

impl<'a> Decider<'a> {
    fn new(
        rules: &'a RetentionRules,
        inventory: &Inventory,
        graph: &'a Graph<'a>,
        roots: &'a [Root],
        now: i64,
    ) -> Self {
        let standalone = standalone(graph);
        let about = inventory.repository();
        let keep = rules.keep.iter().enumerate().filter(|(_, rule)| rule.selection.is_about(about));
        let keep = keep.map(|(number, rule)| {
            let newest = match rule.condition {
                KeepIf::Newest(count, order) => {
                    ranking::newest(graph, &standalone, &rule.selection, count, order)
                }
                _ => Vec::new(),
            };
            (number, rule, newest)
        });
        let keep = keep.collect();
        let expire = rules.expire.iter().enumerate();
        let expire = expire.filter(|(_, rule)| rule.selection.is_about(about)).collect();
        Self { graph, now, roots, standalone, keep, expire }
    }

    /// The first root that the digest is. It is one even where its manifest is not.
    fn root_of(&self, digest: &Digest) -> Option<usize> {
        let first = self.roots.partition_point(|root| root.digest < *digest);
        (self.roots.get(first)?.digest == *digest).then_some(first)
    }

    fn fates_of_tags(&self) -> Vec<Fate> {
        let fates = self.graph.tags.iter().map(|tag| {
            if let Some(root) = self.root_of(&tag.facts.digest) {
                return Fate::Kept(Why::Root(root));
            }
            if tag.role != Role::Name {
                return Fate::Kept(Why::Attached);
            }
            let name = tag.facts.tag.as_str();
            let times = times_of_tag(self.graph, tag);
            self.fate(times, tag.manifest, |selection| selection.covers(name))
        });
        fates.collect()
    }

    /// By the first rule that keeps it, or else by the first that lets it go.
    fn fate(
        &self,
        times: Times,
        place: Option<Place>,
        covers: impl Fn(&Selection) -> bool,
    ) -> Fate {
        for (number, rule, newest) in &self.keep {
            let newest = place.is_some_and(|place| newest.get(place as usize) == Some(&true));
            if covers(&rule.selection) && tagged::keeps(&rule.condition, times, newest, self.now) {
                return Fate::Kept(Why::Rule(*number));
            }
        }
        for (number, rule) in &self.expire {
            if covers(&rule.selection)
                && let Some(cause) = tagged::expires(rule, times, self.now)
            {
                return Fate::Expired(*number, cause);
            }
        }
        Fate::Kept(Why::NoRule)
    }

    /// Nothing stands for what no rule has reached.
    fn fates_of_manifests(&self, tags: &[Fate]) -> Vec<Option<Fate>> {
        let mut seeds = self.seeds(tags);
        let mut fates = vec![None; seeds.len()];
        let mut queue = VecDeque::new();
        for (place, seed) in (0..).zip(&mut seeds) {
            if let Some(Fate::Kept(_)) = seed {
                fates[place as usize] = seed.take();
                queue.push_back(place);
            }
        }
        self.keep_with(&mut fates, queue);
        let doomed = self.reach(&fates, seeds);
        // What belongs only to itself was named by no rule, and what it needs stays with it.
        let mut queue = VecDeque::new();
        for (place, doomed) in (0..).zip(&doomed) {
            if doomed.is_none() && fates[place as usize].is_none() {
                fates[place as usize] = Some(Fate::Kept(Why::NoRule));
                queue.push_back(place);
            }
        }
        self.keep_with(&mut fates, queue);
        fates.into_iter().zip(doomed).map(|(kept, doomed)| kept.or(doomed)).collect()
    }

    /// What is decided about the manifests that belong to nothing, or have names.
    fn seeds(&self, tags: &[Fate]) -> Vec<Option<Fate>> {
        let mut seeds: Vec<Option<Fate>> = vec![None; self.graph.manifests.len()];
        for (number, (tag, fate)) in self.graph.tags.iter().zip(tags).enumerate() {
            let Some(place) = tag.manifest.filter(|_| tag.role == Role::Name) else { continue };
            let seed = &mut seeds[place as usize];
            match (fate, &seed) {
                (Fate::Kept(_), Some(Fate::Kept(_))) | (Fate::Expired(..), Some(_)) => {}
                (Fate::Kept(_), _) => *seed = Some(Fate::Kept(Why::Tag(number))),
                (Fate::Expired(..), None) => *seed = Some(fate.clone()),
            }
        }
        for (place, seed) in seeds.iter_mut().enumerate() {
            if let Some(root) = self.root_of(&self.graph.manifests[place].digest) {
                *seed = Some(Fate::Kept(Why::Root(root)));
            } else if self.standalone[place] {
                let times = times_of_manifest(self.graph.manifests[place]);
                let place = Place::try_from(place).ok();
                *seed = Some(self.fate(times, place, |selection| selection.untagged));
            }
        }
        seeds
    }

    /// What is kept keeps what belongs to it, and what it refers to.
    fn keep_with(&self, fates: &mut [Option<Fate>], mut queue: VecDeque<Place>) {
        while let Some(here) = queue.pop_front() {
            let dependents = &self.graph.dependents[here as usize];
            let belonging = dependents.iter().map(|place| (*place, Why::With(here)));
            let subject = self.graph.subjects[here as usize];
            let needed = subject.map(|place| (place, Why::NeededBy(here)));
            for (place, why) in belonging.chain(needed) {
                let fate = &mut fates[place as usize];
                if fate.is_none() {
                    *fate = Some(Fate::Kept(why));
                    queue.push_back(place);
                }
            }
        }
    }

    /// What goes by a rule, and what goes with it.
    fn reach(&self, kept: &[Option<Fate>], seeds: Vec<Option<Fate>>) -> Vec<Option<Fate>> {
        let is_kept = |place: Place| kept[place as usize].is_some();
        let mut doomed = seeds;
        let mut queue: VecDeque<Place> = (0..)
            .zip(&doomed)
            .filter(|(place, seed)| seed.is_some() && !is_kept(*place))
            .map(|(place, _)| place)
            .collect();
        while let Some(here) = queue.pop_front() {
            let Some(Fate::Expired(rule, cause)) = doomed[here as usize].clone() else { continue };
            let first = match cause {
                Cause::With { digest } => digest,
                _ => self.graph.digest(here),
            };
            for place in &self.graph.dependents[here as usize] {
                let fate = &mut doomed[*place as usize];
                if fate.is_none() && !is_kept(*place) {
                    *fate = Some(Fate::Expired(rule, Cause::With { digest: first }));
                    queue.push_back(*place);
                }
            }
        }
        doomed
    }

    /// A tag in the name of another manifest goes with that one; where there is none, with what it
    /// points at.
    fn attach(&self, tags: &mut [Fate], manifests: &[Option<Fate>]) {
        for (tag, fate) in self.graph.tags.iter().zip(tags) {
            let owner = match tag.role {
                Role::Name => continue,
                Role::Attachment(subject) => Some(subject),
                Role::Dangling => tag.manifest,
            };
            let owner = owner.and_then(|place| Some((place, manifests[place as usize].as_ref()?)));
            if let (Fate::Kept(Why::Attached), Some((place, Fate::Expired(rule, _)))) =
                (&fate, owner)
            {
                let digest = self.graph.digest(place);
                *fate = Fate::Expired(*rule, Cause::With { digest });
            }
        }
    }
}

fn standalone(graph: &Graph<'_>) -> Vec<bool> {
    let mut standalone: Vec<bool> = graph.dependent().iter().map(|belongs| !belongs).collect();
    for tag in graph.tags.iter().filter(|tag| tag.role == Role::Name) {
        if let Some(place) = tag.manifest {
            standalone[place as usize] = false;
        }
    }
    standalone
}

impl Decisions<'_> {
    /// What was decided about a tag; nothing if there is none.
    pub fn tag(&self, tag: &Tag) -> Option<Verdict> {
        let number = self.graph.tags.binary_search_by(|known| known.facts.tag.cmp(tag)).ok()?;
        Some(self.verdict(&self.tags[number]))
    }

    /// What was decided about a manifest; nothing if there is none.
    pub fn manifest(&self, digest: &Digest) -> Option<Verdict> {
        let place = self.graph.place(digest)?;
        Some(self.verdict(&self.manifests[place as usize]))
    }

    fn verdict(&self, fate: &Fate) -> Verdict {
        match fate {
            Fate::Kept(why) => {
                Verdict { deleted: false, rule: self.keeper(*why), reason: self.words(*why) }
            }
            Fate::Expired(rule, cause) => Verdict {
                deleted: true,
                rule: self.rules.expire[*rule].name.clone(),
                reason: cause.to_string(),
            },
        }
    }

    /// What keeps it, in few words, for counting.
    pub(super) fn keeper(&self, why: Why) -> String {
        match why {
            Why::Root(root) => self.roots[root].kind.to_string(),
            Why::Rule(rule) => self.rules.keep[rule].name.clone(),
            Why::NoRule => "no rule".to_owned(),
            Why::Tag(_) => "tagged".to_owned(),
            Why::With(_) => "belongs to what is kept".to_owned(),
            Why::NeededBy(_) => "needed by what is kept".to_owned(),
            Why::Attached => "attached to what is kept".to_owned(),
        }
    }

    fn words(&self, why: Why) -> String {
        match why {
            Why::Root(root) => {
                let root = &self.roots[root];
                format!("it is {}: {}", root.kind, root.detail)
            }
            Why::Rule(rule) => format!("the rule `{}` keeps it", self.rules.keep[rule].name),
            Why::NoRule => "no rule lets it go".to_owned(),
            Why::Tag(tag) => format!("the tag `{}` keeps it", self.graph.tags[tag].facts.tag),
            Why::With(place) => {
                format!("it belongs to {}, which is kept", self.graph.digest(place))
            }
            Why::NeededBy(place) => {
                format!("{} refers to it, and is kept", self.graph.digest(place))
            }
            Why::Attached => "what it is attached to is kept".to_owned(),
        }
    }
}
