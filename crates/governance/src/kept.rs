//! Decisions that are kept with what they were made from, so that another document can be asked about them.

use std::io::{Read, Write};

use jiff::Timestamp as Instant;
use plura_meta::{
    Timestamp, Tx,
    decision::{self, Filter, NewDecision, StoredDecision},
};
use plura_policy::{
    change::{self, DecisionChange},
    facts::ImageFacts,
    gate::GateDecision,
};
use serde::Serialize;

use crate::{Error, Governance, blocking, instant};

/// The most bytes of facts, uncompressed.
const MOST_BYTES: u64 = 64 << 20;
const LEVEL: i32 = 3;
/// Decisions that are listed at a time, and replayed at a time.
const PAGE: u32 = 200;
/// Decisions that are replayed for one answer.
const MOST_REPLAYED: u64 = 100_000;
/// Decisions that would be others, as far as they are listed.
const MOST_LISTED: usize = 1000;

/// What rules begin with that are none of a document.
const BESIDE: [&str; 2] = ["freeze ", "hold of "];

/// What a decision was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A promotion.
    Promotion,
    /// That something changed on which the last one was based.
    Review,
    /// A rollback.
    Rollback,
}

/// A decision that was kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct KeptDecision {
    /// Its place in the order.
    pub id: i64,
    /// What it was asked for: `promotion`, `review`, `rollback`.
    pub cause: String,
    /// The decision.
    pub decision: GateDecision,
}

/// What another document would have decided.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = PolicySimulation)]
pub struct Simulation {
    /// How many decisions were made again.
    pub decisions: u64,
    /// How many of them could not be, since the document has no such channel, or it is not for the
    /// repository.
    pub not_asked: u64,
    /// How many would have been another.
    pub different: u64,
    /// Those, the newest first, as far as they are listed.
    pub changes: Vec<SimulatedChange>,
    /// Whether there were more decisions than are made again at a time.
    pub more: bool,
}

/// A decision that would have been another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = SimulatedDecision)]
pub struct SimulatedChange {
    /// The decision that was made.
    pub id: i64,
    /// The repository.
    pub repository: String,
    /// The manifest.
    pub digest: String,
    /// The channel.
    pub channel: String,
    /// When it was decided.
    #[schema(value_type = String)]
    pub decided_at: Instant,
    /// What would be different.
    pub change: DecisionChange,
}

impl Cause {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Promotion => "promotion",
            Self::Review => "review",
            Self::Rollback => "rollback",
        }
    }
}

/// A decision that is packed, to be kept in a transaction.
#[derive(Clone, Debug)]
pub struct PackedDecision(NewDecision);

impl PackedDecision {
    /// Packs a decision with what it was made from; nothing if it is about no channel, or its facts are more
    /// than is kept.
    pub fn of(decision: &GateDecision, facts: &ImageFacts, cause: Cause) -> Option<Self> {
        Some(Self(NewDecision {
            repository: decision.repository.clone(),
            digest: decision.digest,
            channel: decision.channel.as_ref()?.to_string(),
            effect: decision.effect.as_str(),
            cause: cause.as_str(),
            policy: decision.policy,
            facts: decision.facts,
            decided_at: Timestamp(decision.decided_at.as_millisecond()),
            document: serde_json::to_string(decision).ok()?,
            packed_facts: pack(facts)?,
        }))
    }

    /// Keeps it; its place in the order.
    pub async fn keep(&self, tx: &mut Tx) -> Result<i64, Error> {
        Ok(decision::keep(tx, &self.0).await?)
    }
}

impl Governance {
    /// Decisions that were kept, the newest first.
    pub async fn decisions(&self, filter: &Filter, limit: u32) -> Result<Vec<KeptDecision>, Error> {
        let limit = limit.min(PAGE);
        let found = decision::list(&mut self.db().read().await?, filter, limit).await?;
        found.iter().map(KeptDecision::read).collect()
    }

    /// What a document would have decided otherwise since then, of what was decided about promotions.
    pub async fn simulate(&self, text: String, since: Instant) -> Result<Simulation, Error> {
        let document = blocking(move || plura_policy::Governance::from_toml(&text)).await?;
        let document = std::sync::Arc::new(document);
        let since = Some(Timestamp(since.as_millisecond()));
        let mut simulation = Simulation::default();
        let mut filter = Filter { since, ..Filter::default() };
        loop {
            let mut connection = self.db().read().await?;
            let page = decision::list(&mut connection, &filter, PAGE).await?;
            let Some(last) = page.last() else { break };
            filter.before = Some(last.id);
            let mut replayed = Vec::with_capacity(page.len());
            for stored in page {
                let facts = decision::facts(&mut connection, &stored.facts).await?;
                replayed.push((stored, facts.unwrap_or_default()));
            }
            drop(connection);
            let document = std::sync::Arc::clone(&document);
            let work = move || {
                let replay =
                    |(stored, facts): &(StoredDecision, Vec<u8>)| replay(&document, stored, facts);
                replayed.iter().map(replay).collect::<Result<Vec<_>, Error>>()
            };
            for one in blocking(work).await? {
                simulation.add(one);
            }
            if simulation.decisions >= MOST_REPLAYED {
                simulation.more = true;
                break;
            }
        }
        Ok(simulation)
    }
}

/// What became of a decision that was made again.
enum Replayed {
    NotAsked,
    Same,
    Different(Box<SimulatedChange>),
}

fn replay(
    document: &plura_policy::Governance,
    stored: &StoredDecision,
    packed: &[u8],
) -> Result<Replayed, Error> {
    let kept = KeptDecision::read(stored)?;
    let facts: ImageFacts =
        unpack(packed).ok_or_else(|| corrupt("decision_facts.document", stored.id))?;
    let mut before = kept.decision;
    let Some(channel) = before.channel.clone() else { return Ok(Replayed::NotAsked) };
    let Ok(after) = document.decide(&facts, &channel, before.decided_at) else {
        return Ok(Replayed::NotAsked);
    };
    // What was added beside the document, another document does not change.
    before.outcomes.retain(|outcome| !BESIDE.iter().any(|beside| outcome.rule.starts_with(beside)));
    before.effect = GateDecision::effect_of(&before.outcomes);
    let change = change::between(&before, &after);
    if !change.is_decisive() {
        return Ok(Replayed::Same);
    }
    Ok(Replayed::Different(Box::new(SimulatedChange {
        id: stored.id,
        repository: before.repository.to_string(),
        digest: before.digest.to_string(),
        channel: channel.to_string(),
        decided_at: instant(stored.decided_at),
        change,
    })))
}

impl Simulation {
    fn add(&mut self, replayed: Replayed) {
        self.decisions += 1;
        match replayed {
            Replayed::NotAsked => self.not_asked += 1,
            Replayed::Same => {}
            Replayed::Different(change) => {
                self.different += 1;
                if self.changes.len() < MOST_LISTED {
                    self.changes.push(*change);
                }
            }
        }
    }
}

impl KeptDecision {
    fn read(stored: &StoredDecision) -> Result<Self, Error> {
        let decision = serde_json::from_str(&stored.document);
        let decision = decision.map_err(|_| corrupt("decision.document", stored.id))?;
        Ok(Self { id: stored.id, cause: stored.cause.clone(), decision })
    }
}

fn corrupt(column: &str, id: i64) -> Error {
    plura_meta::Error::Corrupt(format!("{column} of {id} cannot be read")).into()
}

fn pack(facts: &ImageFacts) -> Option<Vec<u8>> {
    let bytes = serde_json::to_vec(facts).ok()?;
    if bytes.len() as u64 > MOST_BYTES {
        return None;
    }
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), LEVEL).ok()?;
    encoder.write_all(&bytes).ok()?;
    encoder.finish().ok()
}

fn unpack(packed: &[u8]) -> Option<ImageFacts> {
    let decoder = zstd::stream::read::Decoder::new(packed).ok()?;
    let mut bytes = Vec::new();
    decoder.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}
