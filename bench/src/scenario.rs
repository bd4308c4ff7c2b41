//! The scenarios, and what they all need.

mod access;
mod blob_get;
mod blob_push;
mod collect;
mod contents;
mod database;
mod evidence;
mod governance;
mod listing;
mod machine;
mod manifest_get;
mod memory;
mod object_store;
mod small_push;

use std::rc::Rc;

use anyhow::Result;
use clap::ValueEnum;

use crate::content::{Noise, mib};
use crate::peer::{Kind, Launcher, Peer};
use crate::report::Report;
use crate::seed::Seeded;

/// What can be measured, in the order in which it is.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// What the machine itself can do
    Machine,
    /// Manifests read by tag and by digest
    #[value(alias = "1")]
    ManifestGet,
    /// Manifests read with a login, against the same without
    Access,
    /// Large blobs read from the page cache
    #[value(alias = "2")]
    BlobGet,
    /// Large blobs pushed in one PUT and in chunks
    #[value(alias = "3")]
    BlobPush,
    /// Many small images pushed
    #[value(alias = "4")]
    SmallPush,
    /// Memory under load, and time to start with much stored
    #[value(alias = "5")]
    Memory,
    /// One page of a long list
    #[value(alias = "6")]
    Listing,
    /// Dead blobs collected among many live ones
    #[value(alias = "7")]
    Collect,
    /// Blobs in an object store
    ObjectStore,
    /// Manifests read with the metadata in PostgreSQL
    Database,
    /// What is known of images, verified and asked
    Evidence,
    /// What is in images, read and matched with advisories
    Contents,
    /// Promotions, rollbacks, and why; channels pulled from and decided about again
    Governance,
}

/// How much is moved and stored.
pub(crate) struct Scale {
    /// Bytes of a large blob.
    pub(crate) blob: u64,
    /// Memory touched before a push.
    pub(crate) settle: u64,
    /// Seconds of one run of wrk.
    pub(crate) wrk_seconds: u32,
    pub(crate) small_pushes: usize,
    pub(crate) concurrent_pulls: usize,
    pub(crate) concurrent_pushes: usize,
    /// Tags, manifests and repositories in the large store.
    pub(crate) stored: usize,
    /// The same in the small store that shows how cost grows.
    pub(crate) few_stored: usize,
    /// The same for peers that would take hours to fill or answer.
    pub(crate) peer_stored: usize,
    /// Live blobs in the two stores that are collected.
    pub(crate) live: [usize; 2],
    pub(crate) dead: usize,
    /// Bytes of the layers of the image that is read.
    pub(crate) image: u64,
    /// Images whose packages are matched, and advisories that they are matched with.
    pub(crate) images: usize,
    pub(crate) advisories: usize,
}

/// What is shared by the scenarios of one run.
pub(crate) struct Bench {
    pub(crate) launcher: Launcher,
    pub(crate) scale: Scale,
    pub(crate) rounds: usize,
    pub(crate) noise: Noise,
    /// The large store takes minutes to fill; two scenarios use it.
    large_store: Option<Rc<Seeded>>,
}

impl Scale {
    /// The sizes that the targets are about.
    pub(crate) fn full() -> Self {
        Self {
            blob: mib(1024),
            settle: 2_000_000_000,
            wrk_seconds: 4,
            small_pushes: 1_000,
            concurrent_pulls: 64,
            concurrent_pushes: 16,
            stored: 100_000,
            few_stored: 1_000,
            peer_stored: 2_000,
            live: [10_000, 100_000],
            dead: 1_000,
            image: mib(1024),
            images: 10_000,
            advisories: 200_000,
        }
    }

    /// Sizes to try the scenarios with.
    pub(crate) fn quick() -> Self {
        Self {
            blob: mib(64),
            settle: 200_000_000,
            wrk_seconds: 1,
            small_pushes: 100,
            stored: 2_000,
            few_stored: 300,
            peer_stored: 300,
            live: [500, 2_000],
            dead: 100,
            image: mib(128),
            images: 200,
            advisories: 20_000,
            ..Self::full()
        }
    }
}

impl Bench {
    pub(crate) fn new(launcher: Launcher, scale: Scale, rounds: usize) -> Self {
        Self { launcher, scale, rounds, noise: Noise::default(), large_store: None }
    }

    /// Starts several servers, each on an empty directory.
    fn start_all(&self, kinds: &[Kind]) -> Result<Vec<Peer>> {
        kinds.iter().map(|kind| self.launcher.start(*kind)).collect()
    }

    /// A plura directory with the large number of tags and repositories in it.
    fn large_store(&mut self) -> Result<Rc<Seeded>> {
        if let Some(store) = &self.large_store {
            return Ok(Rc::clone(store));
        }
        let store = Rc::new(Seeded::fill(&self.launcher, Kind::Plura, self.scale.stored)?);
        self.large_store = Some(Rc::clone(&store));
        Ok(store)
    }
}

impl Scenario {
    /// The name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::ManifestGet => "manifest-get",
            Self::Access => "access",
            Self::BlobGet => "blob-get",
            Self::BlobPush => "blob-push",
            Self::SmallPush => "small-push",
            Self::Memory => "memory",
            Self::Listing => "listing",
            Self::Collect => "collect",
            Self::ObjectStore => "object-store",
            Self::Database => "database",
            Self::Evidence => "evidence",
            Self::Contents => "contents",
            Self::Governance => "governance",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Machine => "The machine itself",
            Self::ManifestGet => "Manifest GET, 32 connections",
            Self::Access => "What a login costs: manifest GET by tag, 32 connections",
            Self::BlobGet => "Blob GET, page cache warm",
            Self::BlobPush => "Blob push",
            Self::SmallPush => "Pushes of small images",
            Self::Memory => "Memory and start",
            Self::Listing => "One page of 100 from a list",
            Self::Collect => "Collection of dead blobs",
            Self::ObjectStore => "Blobs in an object store (Garage)",
            Self::Database => "Manifest GET with the metadata in PostgreSQL, 32 connections",
            Self::Evidence => "What is known of images",
            Self::Contents => "What is in images",
            Self::Governance => "What may be where",
        }
    }

    /// Measures; a scenario that fails keeps what it has measured so far.
    pub(crate) fn run(self, bench: &mut Bench) -> Report {
        let mut report = Report::new(self.name(), self.title());
        let result = match self {
            Self::Machine => machine::run(bench, &mut report),
            Self::ManifestGet => manifest_get::run(bench, &mut report),
            Self::Access => access::run(bench, &mut report),
            Self::BlobGet => blob_get::run(bench, &mut report),
            Self::BlobPush => blob_push::run(bench, &mut report),
            Self::SmallPush => small_push::run(bench, &mut report),
            Self::Memory => memory::run(bench, &mut report),
            Self::Listing => listing::run(bench, &mut report),
            Self::Collect => collect::run(bench, &mut report),
            Self::ObjectStore => object_store::run(bench, &mut report),
            Self::Database => database::run(bench, &mut report),
            Self::Evidence => evidence::run(bench, &mut report),
            Self::Contents => contents::run(bench, &mut report),
            Self::Governance => governance::run(bench, &mut report),
        };
        report.failure = result.err().map(|error| format!("{error:#}"));
        report
    }
}

/// The peers of a round, each round beginning with another one.
fn rotated<T>(peers: &[T], round: usize) -> impl Iterator<Item = &T> {
    peers.iter().cycle().skip(round % peers.len().max(1)).take(peers.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_peer_takes_its_turn_in_every_round() {
        let order = |round| rotated(&["a", "b", "c"], round).copied().collect::<String>();
        assert_eq!([order(0), order(1), order(2), order(3)], ["abc", "bca", "cab", "abc"]);
    }

    #[test]
    fn names_are_those_of_the_command_line() {
        for scenario in Scenario::value_variants() {
            let value = scenario.to_possible_value().unwrap();
            assert_eq!(value.get_name(), scenario.name());
        }
    }
}
