use std::{collections::BTreeMap, fmt, sync::Arc};

use jiff::Timestamp;
use plura_oci::{Digest, RepositoryName};

use crate::{
    ChannelName,
    document::{
        BaseImages, Blocks, Canary, Channel, DocumentError, FORMAT, GovernanceDocument, Layout,
        Place, Promotion,
        channels::{self, Named},
    },
    facts::ImageFacts,
    gate::{Case, FreezeGate, GateDecision, Outcome, Rule},
    pull::PullRule,
    retention::RetentionRules,
    tags::TagRules,
};

/// A document that was checked, and governs.
#[derive(Debug)]
pub struct Governance {
    /// The document.
    pub document: GovernanceDocument,
    /// The SHA-256 of what it says; decisions name it.
    pub source: Digest,
    /// Where services and their channels are.
    pub layout: Layout,
    /// What may be pushed under which tags.
    pub tags: TagRules,
    /// How long promotions wait.
    pub promotion: Promotion,
    /// What becomes of images that must not be run.
    pub blocks: Blocks,
    /// The channels.
    pub channels: BTreeMap<ChannelName, Channel>,
    /// What is kept and what goes.
    pub retention: RetentionRules,
    pub(crate) pulls: Vec<PullRule>,
}

/// Why it cannot be decided whether something may be in a channel.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChannelError {
    /// There is no such channel.
    #[error("there is no channel {channel}; there are {}", listed(.known))]
    Unknown {
        /// The name.
        channel: ChannelName,
        /// Those that there are.
        known: Vec<ChannelName>,
    },
    /// Images of that repository are not meant for it.
    #[error("{repository} is not among the repositories of the channel {channel}")]
    OtherRepository {
        /// The channel.
        channel: ChannelName,
        /// The repository.
        repository: RepositoryName,
    },
}

fn listed(channels: &[ChannelName]) -> String {
    if channels.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<String> = channels.iter().map(ToString::to_string).collect();
    names.join(", ")
}

/// The most of each kind that a document may have: more than anybody needs, and little enough to be
/// checked and decided by in no time.
const MOST: usize = 500;
/// The most expressions. Parsing one takes about a millisecond.
const MAX_PREDICATES: usize = 100;

impl Governance {
    /// Reads and checks a document in TOML.
    pub fn from_toml(text: &str) -> Result<Self, DocumentError> {
        Self::new(GovernanceDocument::from_toml(text)?)
    }

    /// Reads and checks a document in JSON.
    pub fn from_json(bytes: &[u8]) -> Result<Self, DocumentError> {
        Self::new(GovernanceDocument::from_json(bytes)?)
    }

    /// Checks a document as a whole. The error has everything that is wrong with it.
    pub fn new(document: GovernanceDocument) -> Result<Self, DocumentError> {
        let mut problems = Vec::new();
        let mut place = Place::root(&mut problems);
        let governance = check(document, &mut place);
        match governance {
            Some(governance) if problems.is_empty() => Ok(governance),
            _ => Err(DocumentError { problems }),
        }
    }

    /// Whether an image may be in a channel, with every reason: a pure function of the document, the
    /// facts, the channel and the time.
    pub fn decide(
        &self,
        facts: &ImageFacts,
        channel: &ChannelName,
        now: Timestamp,
    ) -> Result<GateDecision, ChannelError> {
        self.ask(facts, channel, now, |_| true)
    }

    /// Whether an image that is in a channel still satisfies what is asked of images there. What is
    /// asked of moves is not asked again: where it came from, approvals, checks, windows and freezes.
    pub fn verify(
        &self,
        facts: &ImageFacts,
        channel: &ChannelName,
        now: Timestamp,
    ) -> Result<GateDecision, ChannelError> {
        self.ask(facts, channel, now, |rule| !rule.check.is_about_moves())
    }

    fn ask(
        &self,
        facts: &ImageFacts,
        channel: &ChannelName,
        now: Timestamp,
        is_asked: impl Fn(&Rule) -> bool,
    ) -> Result<GateDecision, ChannelError> {
        let Some(found) = self.channels.get(channel) else {
            let known = self.channels.keys().cloned().collect();
            return Err(ChannelError::Unknown { channel: channel.clone(), known });
        };
        if !found.covers(&facts.repository) {
            let (channel, repository) = (channel.clone(), facts.repository.clone());
            return Err(ChannelError::OtherRepository { channel, repository });
        }
        let case = Case { facts, channel: Some(channel), now };
        let asked = found.rules.iter().filter(|rule| is_asked(rule));
        let outcomes = asked.flat_map(|rule| rule.outcomes(&case)).collect();
        Ok(self.decision(&case, outcomes))
    }

    /// What outcomes decide together.
    pub(crate) fn decision(&self, case: &Case<'_>, outcomes: Vec<Outcome>) -> GateDecision {
        let until = outcomes.iter().filter_map(|outcome| outcome.until).min();
        GateDecision {
            repository: case.facts.repository.clone(),
            digest: case.facts.manifest.digest,
            channel: case.channel.cloned(),
            effect: GateDecision::effect_of(&outcomes),
            outcomes,
            until,
            decided_at: case.now,
            policy: self.source,
            facts: case.facts.digest(),
        }
    }
}

fn check(document: GovernanceDocument, place: &mut Place<'_>) -> Option<Governance> {
    if document.format != FORMAT {
        let observed = format!("format {}", document.format);
        place.at("format").problem(observed, format!("expected {FORMAT}"));
    }
    if !is_small_enough(&document, place) {
        return None;
    }
    let layout = document.layout.compile(&mut place.at("layout"));
    let tags = TagRules::compile(&document.tags, &mut place.at("tags"));
    let bases = bases(&document, place);
    let named = named(&document, &bases, place);
    let channels = channels(&document, &named, place);
    let pulls = pulls(&document, &named.gates, place);
    let promotion = document.promotion.compile(&mut place.at("promotion"));
    let blocks = document.blocks.compile(&mut place.at("blocks"));
    let retention = retention(&document, place);
    let source = document.digest();
    Some(Governance {
        source,
        layout: layout?,
        tags: tags?,
        promotion,
        blocks,
        channels,
        retention: retention?,
        pulls,
        document,
    })
}

fn retention(document: &GovernanceDocument, place: &mut Place<'_>) -> Option<RetentionRules> {
    let problems = match RetentionRules::new(&document.retention) {
        Ok(rules) => return Some(rules),
        Err(problems) => problems,
    };
    let mut at = place.at("retention");
    for problem in problems {
        match problem.path.as_str() {
            "" => at.problem(problem.problem, problem.fix),
            path => at.at(path).problem(problem.problem, problem.fix),
        }
    }
    None
}

fn is_small_enough(document: &GovernanceDocument, place: &mut Place<'_>) -> bool {
    let predicates = document.gates.values().map(|gates| gates.predicates.len()).sum();
    let counts = [
        ("tags", document.tags.len(), MOST),
        ("base_images", document.base_images.len(), MOST),
        ("windows", document.windows.len(), MOST),
        ("freezes", document.freezes.len(), MOST),
        ("gates", document.gates.len(), MOST),
        ("canaries", document.canaries.len(), MOST),
        ("channels", document.channels.len(), MOST),
        ("pulls", document.pulls.len(), MOST),
        ("gates.*.predicates", predicates, MAX_PREDICATES),
    ];
    let mut small = true;
    for (key, count, most) in counts {
        if count > most {
            place.at(key).problem(format!("{count} of them"), format!("expected at most {most}"));
            small = false;
        }
    }
    small
}

fn bases(document: &GovernanceDocument, place: &mut Place<'_>) -> BaseImages {
    let mut at = place.at("base_images");
    let base = document.base_images.iter();
    base.map(|(name, base)| (name.clone(), base.compile(&mut at.at(name)))).collect()
}

fn named(document: &GovernanceDocument, bases: &BaseImages, place: &mut Place<'_>) -> Named {
    let mut at = place.at("windows");
    let windows = document.windows.iter().filter_map(|(name, window)| {
        let window = window.compile(&mut at.at(name))?;
        Some((name.clone(), window))
    });
    let windows = windows.collect();
    let mut at = place.at("freezes");
    let freezes = document.freezes.iter().enumerate();
    let freezes = freezes.filter_map(|(index, freeze)| {
        let freeze = freeze.compile(&mut at.item(index))?;
        let gate = FreezeGate { freeze: freeze.clone() };
        let rule = channels::built_in("freeze", &freeze.path, gate);
        Some((freeze, rule))
    });
    let freezes = freezes.collect();
    let mut at = place.at("gates");
    let gates = document.gates.iter().map(|(name, gates)| {
        let rules = gates.compile(&mut at.at(name), bases);
        (name.clone(), rules.into_iter().map(Arc::new).collect::<Vec<Arc<Rule>>>())
    });
    let gates = gates.collect();
    let mut at = place.at("canaries");
    let canaries = document
        .canaries
        .iter()
        .map(|(name, canary)| (name.clone(), Arc::new(canary.compile(name, &mut at.at(name)))));
    let canaries: BTreeMap<String, Arc<Canary>> = canaries.collect();
    Named { gates, windows, canaries, freezes }
}

fn channels(
    document: &GovernanceDocument,
    named: &Named,
    place: &mut Place<'_>,
) -> BTreeMap<ChannelName, Channel> {
    let mut at = place.at("channels");
    let mut channels = BTreeMap::new();
    for (index, channel) in document.channels.iter().enumerate() {
        let mut at = at.item(index);
        let Some(channel) = channel.compile(named, &mut at) else { continue };
        let name = channel.name.clone();
        if channels.insert(name.clone(), channel).is_some() {
            twice(&name, &mut at.at("name"));
        }
    }
    channels::check_order(&channels, &mut at);
    channels
}

fn pulls(
    document: &GovernanceDocument,
    gates: &BTreeMap<String, Vec<Arc<Rule>>>,
    place: &mut Place<'_>,
) -> Vec<PullRule> {
    let mut at = place.at("pulls");
    let pulls = document.pulls.iter().enumerate();
    pulls.filter_map(|(index, pull)| pull.compile(gates, &mut at.item(index))).collect()
}

/// Notes that a name is there already.
pub(crate) fn twice(name: impl fmt::Display, place: &mut Place<'_>) {
    place.problem(format!("`{name}` is there twice"), "give each a name of its own");
}
