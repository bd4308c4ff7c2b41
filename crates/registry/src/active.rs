//! Which upload sessions this process is writing to.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use plura_oci::UploadId;

use crate::{Error, Registry};

/// What this process knows of sessions.
#[derive(Clone, Debug, Default)]
pub(crate) struct ActiveUploads(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// Those that a request is writing to.
    active: HashSet<UploadId>,
    /// Those of which the store may hold more than metadata knows.
    unsettled: HashSet<UploadId>,
}

/// Gives the session free when dropped.
pub(crate) struct ActiveUpload {
    all: ActiveUploads,
    id: UploadId,
}

impl ActiveUploads {
    pub(crate) fn begin(&self, id: &UploadId) -> Result<ActiveUpload, Error> {
        if !self.lock().active.insert(id.clone()) {
            return Err(Error::UploadBusy);
        }
        Ok(ActiveUpload { all: self.clone(), id: id.clone() })
    }

    /// Whether a request is writing to the session.
    pub(crate) fn contains(&self, id: &UploadId) -> bool {
        self.lock().active.contains(id)
    }

    /// How many requests are writing.
    pub(crate) fn count(&self) -> usize {
        self.lock().active.len()
    }

    /// The store may hold more of the upload than metadata knows.
    pub(crate) fn note_unsettled(&self, id: &UploadId) {
        self.lock().unsettled.insert(id.clone());
    }

    pub(crate) fn is_unsettled(&self, id: &UploadId) -> bool {
        self.lock().unsettled.contains(id)
    }

    /// The store holds nothing of the upload but what metadata knows.
    pub(crate) fn note_settled(&self, id: &UploadId) {
        self.lock().unsettled.remove(id);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ActiveUpload {
    fn drop(&mut self) {
        self.all.lock().active.remove(&self.id);
    }
}

impl Registry {
    /// How many uploads are being received.
    pub fn active_uploads(&self) -> usize {
        self.shared.uploads.count()
    }
}
