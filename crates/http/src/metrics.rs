mod background;
mod governance;

use std::{
    sync::atomic::{AtomicI64, AtomicU64},
    time::Duration,
};

use plura_contents::Contents as Inside;
use plura_registry::{CollectReport, Registry as Images, Timestamp};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use self::{background::Background, governance::Governance};
use crate::{Knowledge, listen};

/// What is counted about requests and background work.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    durations: Family<ActionLabels, Histogram>,
    collections: Family<OutcomeLabels, Counter>,
    collected_at: Gauge<i64, AtomicI64>,
    connections: Connections,
    storage: Storage,
    evidence_waiting: Gauge,
    contents: Contents,
    vulnerabilities_waiting: Gauge,
    advisories_age: Gauge,
    log_entries: Gauge,
    log_waiting: Gauge,
    governance: Governance,
    background: Background,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    action: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActionLabels {
    action: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// Copies of what the connection layer counts.
#[derive(Debug, Default)]
struct Connections {
    open: Gauge,
    accepted: Gauge<u64, AtomicU64>,
    cut: Gauge<u64, AtomicU64>,
    bytes_in: Gauge<u64, AtomicU64>,
    bytes_out: Gauge<u64, AtomicU64>,
}

/// Copies of what the registry keeps count of.
#[derive(Debug, Default)]
struct Storage {
    blobs: Gauge,
    bytes: Gauge,
    collected_blobs: Gauge,
    collected_bytes: Gauge,
    uploads: Gauge,
    ready: Gauge,
}

/// Copies of what is counted about the reading of images.
#[derive(Debug, Default)]
struct Contents {
    waiting: Gauge,
    layers: Gauge<u64, AtomicU64>,
    bytes: Gauge<u64, AtomicU64>,
    problems: Gauge<u64, AtomicU64>,
}

/// From a cached manifest to a layer that waits for a slow disk; bodies are not timed.
const BUCKETS: [f64; 11] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0];

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("plura"),
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            collections: Family::default(),
            collected_at: Gauge::default(),
            connections: Connections::default(),
            storage: Storage::default(),
            evidence_waiting: Gauge::default(),
            contents: Contents::default(),
            vulnerabilities_waiting: Gauge::default(),
            advisories_age: Gauge::default(),
            log_entries: Gauge::default(),
            log_waiting: Gauge::default(),
            governance: Governance::default(),
            background: Background::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// Counts a request by what it was and how it was answered; `took` is until the response's head.
    pub(crate) fn request(&self, action: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&RequestLabels { action, status }).inc();
        self.durations.get_or_create(&ActionLabels { action }).observe(took.as_secs_f64());
    }

    /// Counts a run of the collector.
    pub fn collection(&self, report: Option<&CollectReport>, now: Timestamp) {
        let outcome = if report.is_some() { "done" } else { "failed" };
        self.collections.get_or_create(&OutcomeLabels { outcome }).inc();
        if report.is_some() {
            self.collected_at.set(now.0 / 1000);
        }
    }

    /// Everything in the text format of Prometheus.
    pub(crate) async fn render(
        &self,
        (images, knowledge): (&Images, &Knowledge),
        ready: bool,
        connections: &listen::Metrics,
    ) -> String {
        use listen::Metrics as Read;

        let seen = &self.connections;
        seen.open.set(i64::try_from(Read::get(&connections.open)).unwrap_or(i64::MAX));
        seen.accepted.set(Read::get(&connections.accepted));
        seen.cut.set(Read::get(&connections.cut));
        seen.bytes_in.set(Read::get(&connections.bytes_in));
        seen.bytes_out.set(Read::get(&connections.bytes_out));
        let storage = &self.storage;
        storage.ready.set(i64::from(ready));
        storage.uploads.set(i64::try_from(images.active_uploads()).unwrap_or(i64::MAX));
        // A scrape says what is known; that the database cannot be read is said by `ready`.
        if let Ok(totals) = images.totals().await {
            storage.blobs.set(totals.blobs);
            storage.bytes.set(totals.blob_bytes);
            storage.collected_blobs.set(totals.collected_blobs);
            storage.collected_bytes.set(totals.collected_bytes);
        }
        if let Ok(waiting) = knowledge.evidence.waiting().await {
            self.evidence_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        }
        self.contents.copy(&knowledge.contents).await;
        if let Ok(status) = knowledge.vulnerabilities.status().await {
            let waiting = i64::try_from(status.waiting).unwrap_or(i64::MAX);
            self.vulnerabilities_waiting.set(waiting);
            // That there are none must not look as if they were new.
            self.advisories_age.set(status.age_seconds.unwrap_or(-1));
        }
        let log = &knowledge.transparency;
        if let (Ok(head), Ok(size)) = (log.head().await, log.size().await) {
            let waiting = size.saturating_sub(head.map_or(0, |head| head.size));
            self.log_entries.set(i64::try_from(size).unwrap_or(i64::MAX));
            self.log_waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        }
        self.governance.refresh(&knowledge.governance).await;
        self.background.copy(knowledge).await;
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    fn register(&mut self) {
        let Self { registry, connections, storage, .. } = self;
        let help = "Manifests whose evidence is to be gathered";
        registry.register("evidence_waiting", help, self.evidence_waiting.clone());
        let help = "Packages that are to be matched with the advisories in force";
        registry.register("vulnerabilities_waiting", help, self.vulnerabilities_waiting.clone());
        let help = "Seconds since the newest advisory was changed; -1 if there are none";
        registry.register("advisories_age_seconds", help, self.advisories_age.clone());
        registry.register("log_entries", "Entries of the log", self.log_entries.clone());
        let help = "Entries of the log that are not part of its tree yet";
        registry.register("log_waiting", help, self.log_waiting.clone());
        registry.register("requests", "Requests by action and status", self.requests.clone());
        let help = "Seconds until the head of the response, by action";
        registry.register("request_duration_seconds", help, self.durations.clone());
        let help = "Runs of the collector by outcome";
        registry.register("collections", help, self.collections.clone());
        let help = "When the last collection was done, in seconds since 1970";
        registry.register("collection_last_done_seconds", help, self.collected_at.clone());
        registry.register("connections_open", "Connections open now", connections.open.clone());
        let help = "Connections accepted since the start";
        registry.register("connections_accepted", help, connections.accepted.clone());
        let help = "Connections cut for lack of progress since the start";
        registry.register("connections_cut", help, connections.cut.clone());
        let help = "Bytes read from connections since the start";
        registry.register("received_bytes", help, connections.bytes_in.clone());
        let help = "Bytes written to connections since the start";
        registry.register("sent_bytes", help, connections.bytes_out.clone());
        registry.register("storage_blobs", "Blobs in the store", storage.blobs.clone());
        registry.register("registry_storage_bytes", "Bytes of blobs stored", storage.bytes.clone());
        let help = "Blobs that collection removed, ever";
        registry.register("gc_reclaim_blobs", help, storage.collected_blobs.clone());
        let help = "Bytes that collection gave back, ever";
        registry.register("gc_reclaim_bytes", help, storage.collected_bytes.clone());
        let help = "Uploads that are being received now";
        registry.register("uploads_in_flight", help, storage.uploads.clone());
        let help = "1 if the storage can be used, 0 if not";
        registry.register("ready", help, storage.ready.clone());
        self.contents.register(registry);
        self.governance.register(registry);
        self.background.register(registry);
    }
}

impl Contents {
    async fn copy(&self, inside: &Inside) {
        let counts = inside.counts();
        self.layers.set(counts.layers);
        self.bytes.set(counts.bytes);
        self.problems.set(counts.problems);
        if let Ok(waiting) = inside.waiting().await {
            self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        }
    }

    fn register(&self, registry: &mut Registry) {
        registry.register("contents_waiting", "Images that are to be read", self.waiting.clone());
        let help = "Layers read since the start";
        registry.register("contents_layers_read", help, self.layers.clone());
        let help = "Bytes of layers read since the start, as they are stored";
        registry.register("contents_read_bytes", help, self.bytes.clone());
        let help = "Layers that could not be read since the start";
        registry.register("contents_unreadable_layers", help, self.problems.clone());
    }
}
