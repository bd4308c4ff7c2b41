//! Adoption: what another registry stored becomes readable here, without a byte being copied. Only rows
//! are written; a blob's row points at the file in the other registry's tree.
//!
//! A run may be repeated and interrupted: what is known already stays as it is, and a tag follows the
//! tree where that is newer. Nothing in the tree is changed or deleted until it is handed over, by a run
//! that finds it complete and at rest.

mod alias;
mod batch;
mod report;
mod roots;

use std::time::{Duration, SystemTime};

use plura_adopt::{Format, FoundBlob, Item, Options, Place, Scan, Tree};
use plura_meta::{
    Timestamp, Tx,
    adopted_root::{self, AdoptedRoot, State},
    audit,
};

pub use self::report::{AdoptReport, Counts};
pub(crate) use self::roots::{absent_root, register_roots};
use self::{batch::Batch, roots::register};
use crate::{Error, Registry};

/// What to adopt, and how.
#[derive(Clone, Debug)]
pub struct AdoptRequest {
    /// The tree.
    pub tree: Tree,
    /// Where it is, in the words that it is found by again: the path of a directory, or
    /// `s3://BUCKET/PREFIX`.
    pub location: String,
    /// Where it was when it was adopted before, if it was elsewhere.
    pub moved_from: Option<String>,
    /// How its files are arranged.
    pub format: Format,
    /// Read every blob and compare it with its digest.
    pub verify: bool,
    /// Link blobs that a repository needs and that are there, but not linked.
    pub relink: bool,
    /// Copy nothing, not even what cannot be served from where it is: for a run whose rows are thrown
    /// away.
    pub rehearse: bool,
    /// Whether to hand the tree over at the end.
    pub hand_over: HandOver,
}

/// Whether a tree is handed over: from then on, what nothing needs any more is deleted from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HandOver {
    /// It stays the other registry's.
    #[default]
    No,
    /// If nothing is lost, and nothing was written to it just now.
    AtRest,
    /// In any case.
    Anyway,
}

/// Why a tree was not adopted, or not to its end.
#[derive(Debug, thiserror::Error)]
pub enum AdoptError {
    /// The tree cannot be read.
    #[error(transparent)]
    Tree(#[from] plura_adopt::Error),
    /// The registry failed.
    #[error(transparent)]
    Registry(#[from] Error),
    /// The tree is in a directory and blobs are in a bucket, or the other way round; or the buckets are
    /// two.
    #[error("{0} is not in the store that this installation keeps its blobs in")]
    OtherStore(String),
    /// It was not adopted from where it is said to have been.
    #[error("nothing was adopted from {0}, or its new place has another tree")]
    NotAdopted(String),
    /// It was handed over: what is in it is what plura knows of it.
    #[error("{0} was handed over to plura; there is nothing left to adopt")]
    HandedOver(String),
}

/// How long nothing may have been written to a tree that is handed over: longer than clients wait
/// between two requests of a push.
const REST: Duration = Duration::from_mins(10);

impl Registry {
    /// Adopts a tree, telling how far it is after every batch.
    pub async fn adopt(
        &self,
        request: AdoptRequest,
        progress: &mut (dyn FnMut(&AdoptReport) + Send),
    ) -> Result<AdoptReport, AdoptError> {
        if self.blobs().check_location(&request.location).is_err() {
            return Err(AdoptError::OtherStore(request.location));
        }
        let options = Options {
            verify: request.verify,
            relink: request.relink,
            manifest_limit: self.settings().manifest_limit,
        };
        // What is no tree leaves no row.
        let scan = Scan::start(request.tree.clone(), request.format, options).await?;
        if let Some(from) = &request.moved_from {
            self.move_root(from, &request.location).await?;
        }
        let root = self.adopted_root(&request.location).await?;
        if root.state == State::Owned {
            return Err(AdoptError::HandedOver(request.location));
        }
        let report = AdoptReport::new(&request.location);
        let mut adoption = Adoption { registry: self, request: &request, root, report };
        adoption.run(scan, progress).await?;
        if request.hand_over != HandOver::No && !request.rehearse {
            adoption.hand_over().await?;
        }
        Ok(adoption.report)
    }

    /// Lets blobs be found in a tree that is somewhere else now. Done before, it is done.
    async fn move_root(&self, from: &str, to: &str) -> Result<(), AdoptError> {
        let (old, new) = (from.to_owned(), to.to_owned());
        let work = async move |tx: &mut Tx| {
            let known = adopted_root::find(tx, &new).await?;
            match (adopted_root::find(tx, &old).await?, known) {
                (Some(root), None) => {
                    adopted_root::set_location(tx, root.id, &new).await?;
                    Ok::<_, Error>(true)
                }
                (None, Some(_)) => Ok(true),
                _ => Ok(false),
            }
        };
        let moved = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        if moved { Ok(()) } else { Err(AdoptError::NotAdopted(from.to_owned())) }
    }

    /// The row of the tree, made if it is new.
    async fn adopted_root(&self, location: &str) -> Result<AdoptedRoot, Error> {
        let (location, now) = (location.to_owned(), Timestamp::now());
        let work = async move |tx: &mut Tx| {
            Ok::<_, Error>(adopted_root::find_or_create(tx, &location, now).await?)
        };
        let root = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        register(self.blobs(), &root)?;
        Ok(root)
    }
}

/// A run.
struct Adoption<'a> {
    registry: &'a Registry,
    request: &'a AdoptRequest,
    root: AdoptedRoot,
    report: AdoptReport,
}

impl Adoption<'_> {
    async fn run(
        &mut self,
        mut scan: Scan,
        progress: &mut (dyn FnMut(&AdoptReport) + Send),
    ) -> Result<(), AdoptError> {
        let mut batch = self.batch();
        while let Some(item) = scan.next().await {
            match item? {
                Item::Finding(finding) => self.report.find(finding),
                Item::Activity(at) => self.report.active(at),
                Item::Verified(bytes) => self.report.verified_bytes += bytes,
                Item::Blob(blob) if matches!(blob.place, Place::Alias { .. }) => {
                    // It may be in the batch by its other name.
                    let full = std::mem::replace(&mut batch, self.batch());
                    self.commit(full).await?;
                    self.adopt_alias(blob).await?;
                }
                item => batch.add(item, &mut self.report),
            }
            if batch.is_full() {
                let full = std::mem::replace(&mut batch, self.batch());
                self.commit(full).await?;
            }
            progress(&self.report);
        }
        self.commit(batch).await?;
        progress(&self.report);
        Ok(())
    }

    fn batch(&self) -> Batch {
        Batch::new(self.root.id, self.registry.settings(), &self.registry.origin)
    }

    async fn commit(&mut self, batch: Batch) -> Result<(), AdoptError> {
        if batch.is_empty() {
            return Ok(());
        }
        let committed = self
            .registry
            .change_manifests(move |tx| Box::pin(async move { batch.run(tx).await }))
            .await?;
        self.registry.shared.caches.forget_all();
        self.report.add(committed);
        Ok(())
    }

    /// Why the tree should not be handed over yet.
    fn refusal(&self) -> Option<String> {
        if self.report.lost > 0 {
            return Some("something is lost, which is worth a look while both have it".to_owned());
        }
        let ago = SystemTime::now().duration_since(self.report.last_write?).ok()?;
        (ago < REST).then(|| {
            let (ago, rest) = (ago.as_secs(), REST.as_secs() / 60);
            format!(
                "it was written to {ago} s ago; stop the other registry, and wait {rest} minutes"
            )
        })
    }

    /// Hands the tree over to collection.
    async fn hand_over(&mut self) -> Result<(), AdoptError> {
        let insist = self.request.hand_over == HandOver::Anyway;
        if let Some(refusal) = self.refusal().filter(|_| !insist) {
            self.report.refused = Some(refusal);
            return Ok(());
        }
        let (id, location, now) = (self.root.id, self.root.location.clone(), Timestamp::now());
        let origin = self.registry.origin.clone();
        let work = async move |tx: &mut Tx| {
            adopted_root::set_state(tx, id, State::Owned).await?;
            let event = audit::Event::done("registry.finalise_adoption", location);
            audit::record(tx, &origin, &event, now).await?;
            Ok::<_, Error>(())
        };
        self.registry.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        self.root.state = State::Owned;
        register(self.registry.blobs(), &self.root).map_err(Error::from)?;
        self.report.finalised = true;
        Ok(())
    }
}

/// The instant as rows have it; what lies in the future was written by a wrong clock.
fn timestamp(at: Option<SystemTime>, now: Timestamp) -> Timestamp {
    let since = at.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
    since.map_or(now, |since| Timestamp(0).after(since).min(now))
}

/// The same blob, known to be elsewhere already.
fn elsewhere(blob: FoundBlob) -> FoundBlob {
    let path = match blob.place {
        Place::Here { path, .. } | Place::Alias { path, .. } | Place::Elsewhere { path } => path,
    };
    FoundBlob { place: Place::Elsewhere { path }, ..blob }
}
