//! Which process writes to an upload session, where several share the database.
//!
//! A request claims the session in its row, for half a minute at a time, and keeps the claim while it
//! works. A process that dies gives the session free by not renewing it. Whoever lost the claim
//! meanwhile, as after a long pause, changes nothing: the row is moved and ended by its holder only,
//! and every attempt to write to the bucket has keys of its own.

use std::time::Duration;

use plura_meta::{
    Timestamp, Tx,
    upload::{self, Claimed},
};
use plura_oci::UploadId;
use tokio::task::JoinHandle;
use tracing::warn;

use crate::{Error, Registry};

/// How long a claim holds without being renewed.
const LIFE: Duration = Duration::from_secs(30);
/// How often it is renewed.
const RENEWAL: Duration = Duration::from_secs(8);

/// A session that this request holds among all processes; nothing where there is only one.
#[derive(Debug, Default)]
pub(crate) struct RowClaim(Option<Renewed>);

#[derive(Debug)]
struct Renewed {
    value: String,
    renewing: JoinHandle<()>,
}

impl Drop for Renewed {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

impl RowClaim {
    /// What stands in the row.
    pub(crate) fn value(&self) -> Option<String> {
        self.0.as_ref().map(|claim| claim.value.clone())
    }
}

impl Registry {
    /// Claims a session that has a row.
    pub(crate) async fn claim(&self, id: &UploadId) -> Result<RowClaim, Error> {
        if !self.settings().shares_uploads() {
            return Ok(RowClaim::default());
        }
        let value = uuid::Uuid::new_v4().simple().to_string();
        match self.renew(id, &value).await? {
            Claimed::Yes => {}
            Claimed::TakenOver => self.shared.uploads.note_unsettled(id),
            Claimed::Busy => return Err(Error::UploadBusy),
            Claimed::Unknown => return Err(Error::UploadUnknown),
        }
        let (registry, subject, renewed) = (self.clone(), id.clone(), value.clone());
        let renewing = tokio::spawn(async move {
            loop {
                tokio::time::sleep(RENEWAL).await;
                match registry.renew(&subject, &renewed).await {
                    Ok(Claimed::Yes) => {}
                    Ok(_) => return,
                    Err(error) => warn!(%error, upload = %subject, "cannot renew a claim"),
                }
            }
        });
        Ok(RowClaim(Some(Renewed { value, renewing })))
    }

    /// Gives a claim back, so that the next request of the client finds the session free. If the store
    /// may hold more than metadata knows, whoever takes it next learns that, too.
    pub(crate) async fn release(&self, id: &UploadId, claim: RowClaim) {
        let Some(value) = claim.value() else { return };
        drop(claim);
        let (subject, unsettled) = (id.clone(), self.shared.uploads.is_unsettled(id));
        let work = async move |tx: &mut Tx| {
            if unsettled {
                return Ok::<_, Error>(upload::abandon(tx, &subject, &value).await?);
            }
            Ok(upload::release(tx, &subject, &value).await?)
        };
        let released = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await;
        if let Err(error) = released {
            warn!(%error, upload = %id, "cannot give an upload free; it becomes free by itself");
        }
    }

    async fn renew(&self, id: &UploadId, value: &str) -> Result<Claimed, Error> {
        let (id, value, now) = (id.clone(), value.to_owned(), Timestamp::now());
        let until = now.after(LIFE);
        let work = async move |tx: &mut Tx| {
            Ok::<_, Error>(upload::claim(tx, &id, &value, now, until).await?)
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await
    }
}

/// Refuses to change a session that somebody else claimed meanwhile.
pub(crate) async fn check_claim(
    tx: &mut Tx,
    id: &UploadId,
    claim: Option<&str>,
) -> Result<(), Error> {
    if claim.is_some() && !upload::is_claimed(tx, id, claim).await? {
        return Err(Error::UploadBusy);
    }
    Ok(())
}
