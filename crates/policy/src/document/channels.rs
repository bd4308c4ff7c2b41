use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use plura_oci::RepositoryName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    ChannelName, Pattern,
    calendar::Window,
    document::{
        Canary,
        problem::{Place, shortened},
        times::Freeze,
    },
    gate::{BlockedGate, Mode, OriginGate, Rule, WindowGate},
    time_span::TimeSpan,
};

/// A channel as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyChannel)]
pub struct ChannelDocument {
    /// What it is called: `prod:candidate`.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Patterns of the repositories whose images may be in it; all, if there are none.
    #[serde(default)]
    pub repositories: Vec<String>,
    /// The channels that an image comes from, one of which is enough. It comes from a push, if there
    /// are none.
    #[serde(default)]
    pub from: Vec<String>,
    /// How long it must have been there.
    #[serde(default)]
    pub soak: Option<String>,
    /// Whether an image that came into one of `from` is promoted by itself; only when somebody asks, if
    /// nothing is said.
    #[serde(default, skip_serializing_if = "super::is_default")]
    pub automatic: bool,
    /// What is watched while it is there for the `soak`, by the name in `canaries`: its metrics.
    #[serde(default)]
    pub watch: Option<String>,
    /// What must be true, by the names in `gates`.
    #[serde(default)]
    pub gates: Vec<String>,
    /// When it may be moved, by the names in `windows`; at any time, if there are none.
    #[serde(default)]
    pub windows: Vec<String>,
    /// How it gets its traffic, by the name in `canaries`; all at once, if nothing is said.
    #[serde(default)]
    pub canary: Option<String>,
}

/// A channel that was checked.
#[derive(Clone, Debug)]
pub struct Channel {
    /// What it is called.
    pub name: ChannelName,
    /// What it is for.
    pub description: Option<String>,
    /// The channels that an image comes from.
    pub from: Vec<ChannelName>,
    /// How long it must have been there.
    pub soak: Option<TimeSpan>,
    /// Whether an image that came into one of `from` is promoted by itself.
    pub automatic: bool,
    /// What is watched while it soaks in the channel that it comes from.
    pub watch: Option<Arc<Canary>>,
    /// How it gets its traffic.
    pub canary: Option<Arc<Canary>>,
    repositories: Vec<Pattern>,
    pub(crate) rules: Vec<Arc<Rule>>,
}

/// What channels can name.
pub(super) struct Named {
    pub(super) gates: BTreeMap<String, Vec<Arc<Rule>>>,
    pub(super) windows: BTreeMap<String, Window>,
    pub(super) canaries: BTreeMap<String, Arc<Canary>>,
    pub(super) freezes: Vec<(Freeze, Arc<Rule>)>,
}

/// The most names in a list: a channel with each of hundreds of sets of gates would be no channel.
const MOST_NAMES: usize = 32;

impl Channel {
    /// Whether images of that repository may be in it.
    pub fn covers(&self, repository: &RepositoryName) -> bool {
        let mut patterns = self.repositories.iter();
        self.repositories.is_empty() || patterns.any(|pattern| pattern.covers(repository))
    }
}

impl Named {
    fn canary(&self, name: Option<&String>, place: &mut Place<'_>) -> Option<Arc<Canary>> {
        let name = name?;
        let found = self.canaries.get(name);
        unknown(name, "canaries", found.is_some(), place);
        found.cloned()
    }
}

impl ChannelDocument {
    pub(super) fn compile(&self, named: &Named, place: &mut Place<'_>) -> Option<Channel> {
        let name: ChannelName = place.at("name").parse(&self.name)?;
        for (key, list) in
            [("from", &self.from), ("gates", &self.gates), ("windows", &self.windows)]
        {
            few(list, &mut place.at(key))?;
        }
        let repositories = place.at("repositories").parse_all(&self.repositories);
        let from: Vec<ChannelName> = place.at("from").parse_all(&self.from);
        let soak = place.span("soak", self.soak.as_ref());
        if soak.is_some() && from.is_empty() {
            let fix = "say in `from` where it must have been; for the time since the push there is \
                       the gate `age`";
            place.at("soak").problem("there is no channel before it", fix);
        }
        if self.automatic && from.is_empty() {
            let fix = "say in `from` after which channels it follows";
            place.at("automatic").problem("there is no channel before it", fix);
        }
        let canary = named.canary(self.canary.as_ref(), &mut place.at("canary"));
        let watch = named.canary(self.watch.as_ref(), &mut place.at("watch"));
        if watch.as_ref().is_some_and(|watch| watch.metrics.is_empty()) {
            place.at("watch").problem("it has no metrics", "name a canary with metrics");
        }
        if self.watch.is_some() && soak.is_none() {
            let fix = "say in `soak` for how long it is watched";
            place.at("watch").problem("it is watched for no time", fix);
        }
        let mut rules = vec![built_in("blocked", place.path(), BlockedGate)];
        if !from.is_empty() {
            let gate = OriginGate { from: from.clone(), soak };
            rules.push(built_in("origin", &format!("{}.from", place.path()), gate));
        }
        rules.extend(self.window_rule(named, place));
        let freezes = named.freezes.iter().filter(|(freeze, _)| freeze.covers(&name.to_string()));
        rules.extend(freezes.map(|(_, rule)| Arc::clone(rule)));
        for (index, set) in self.gates.iter().enumerate() {
            let found = named.gates.get(set);
            unknown(set, "gates", found.is_some(), &mut place.at("gates").item(index));
            rules.extend(found.into_iter().flatten().cloned());
        }
        let description = self.description.clone();
        let automatic = self.automatic;
        Some(Channel {
            name,
            description,
            from,
            soak,
            automatic,
            watch,
            canary,
            repositories,
            rules,
        })
    }

    fn window_rule(&self, named: &Named, place: &mut Place<'_>) -> Option<Arc<Rule>> {
        let mut at = place.at("windows");
        let mut windows = Vec::new();
        for (index, name) in self.windows.iter().enumerate() {
            let found = named.windows.get(name);
            unknown(name, "windows", found.is_some(), &mut at.item(index));
            windows.extend(found.map(|window| (name.clone(), window.clone())));
        }
        // With nothing but unknown names there is a problem already.
        (!windows.is_empty()).then(|| built_in("window", at.path(), WindowGate { windows }))
    }
}

/// Notes that a list of names is too long.
pub(crate) fn few(names: &[String], place: &mut Place<'_>) -> Option<()> {
    if names.len() <= MOST_NAMES {
        return Some(());
    }
    place.problem(format!("{} names", names.len()), format!("expected at most {MOST_NAMES}"));
    None
}

pub(super) fn built_in(
    gate: &'static str,
    path: &str,
    check: impl crate::gate::Gate + 'static,
) -> Arc<Rule> {
    let check = Box::new(check);
    Arc::new(Rule { gate, path: path.to_owned(), mode: Mode::Enforce, check })
}

/// Notes that a name stands for nothing, unless it is known.
pub(super) fn unknown(name: &str, section: &str, is_known: bool, place: &mut Place<'_>) {
    if !is_known {
        let observed = format!("`{}` is not in `{section}`", shortened(name));
        place.problem(observed, "define it there, or correct the name");
    }
}

/// Notes what no image can ever reach: channels that come from ones that are not there, or from one
/// another in a circle.
pub(super) fn check_order(channels: &BTreeMap<ChannelName, Channel>, place: &mut Place<'_>) {
    let mut reachable: BTreeSet<&ChannelName> = BTreeSet::new();
    loop {
        let next = channels.values().filter(|channel| !reachable.contains(&channel.name));
        let next: Vec<&ChannelName> = next
            .filter(|one| one.from.is_empty() || one.from.iter().any(|f| reachable.contains(f)))
            .map(|channel| &channel.name)
            .collect();
        if next.is_empty() {
            break;
        }
        reachable.extend(next);
    }
    for channel in channels.values() {
        for from in channel.from.iter().filter(|from| !channels.contains_key(*from)) {
            let observed = format!("{} comes from {from}, which is no channel", channel.name);
            place.problem(observed, "define it, or correct the name");
        }
        let known = channel.from.iter().all(|from| channels.contains_key(from));
        if known && !reachable.contains(&channel.name) {
            let observed = format!("no image can ever come to {}", channel.name);
            place.problem(observed, "have one of the channels before it come from a push");
        }
    }
}
