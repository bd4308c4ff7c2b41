//! Approvals: that somebody stands for a digest being in a channel.

use std::collections::BTreeSet;

use plura_meta::{
    Timestamp, Tx,
    approval::{self, StoredApproval},
    audit::Origin,
    manifest_author,
};
use plura_oci::{Digest, Reference, RepositoryName};
use plura_policy::{ChannelName, document::ChannelError};
use serde::Serialize;

use crate::{
    Error, Governance,
    document::check_reason,
    instant,
    record::{Leaf, record},
};

/// Approvals of a digest that are kept.
const MOST: u32 = 1000;

/// An approval that somebody wants to give.
#[derive(Clone, Debug)]
pub struct NewApproval {
    /// The repository.
    pub repository: RepositoryName,
    /// The manifest: the approval is of what a tag points at now, and of nothing else.
    pub reference: Reference,
    /// For which channel.
    pub channel: ChannelName,
    /// The roles that they have there.
    pub roles: BTreeSet<String>,
    /// Why; empty where nothing is said.
    pub reason: String,
    /// When it ends.
    pub expires: Option<jiff::Timestamp>,
}

/// An approval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = GivenApproval)]
pub struct GivenApproval {
    /// Its name.
    pub id: String,
    /// The repository.
    pub repository: String,
    /// The manifest.
    pub digest: String,
    /// For which channel.
    pub channel: String,
    /// Who approved it.
    pub by: String,
    /// The roles that they had.
    pub roles: Vec<String>,
    /// Why; empty where nothing was said.
    pub reason: String,
    /// When.
    #[schema(value_type = String)]
    pub at: jiff::Timestamp,
    /// When it ends, if it does.
    #[schema(value_type = Option<String>)]
    pub expires: Option<jiff::Timestamp>,
    /// When it was taken back, if it was.
    #[schema(value_type = Option<String>)]
    pub revoked_at: Option<jiff::Timestamp>,
    /// Who took it back.
    pub revoked_by: Option<String>,
    /// Whether they pushed it themselves, so that it does not count by itself.
    pub is_authors: bool,
}

impl Governance {
    /// Approves a digest for a channel.
    pub async fn approve(&self, origin: &Origin, new: NewApproval) -> Result<GivenApproval, Error> {
        if !new.reason.is_empty() {
            check_reason(&new.reason)?;
        }
        let now = Timestamp::now();
        if new.expires.is_some_and(|expires| expires <= instant(now)) {
            return Err(Error::Invalid("expires: expected an instant in the future".to_owned()));
        }
        self.check_channel(&new.channel, &new.repository).await?;
        let (digest, author) = self.authored(&new.repository, &new.reference).await?;
        let stored = StoredApproval {
            id: uuid::Uuid::now_v7().to_string(),
            repository: new.repository.to_string(),
            digest: digest.to_string(),
            channel: new.channel.to_string(),
            approver: origin.actor.clone(),
            roles: serde_json::to_string(&new.roles).unwrap_or_default(),
            reason: new.reason.clone(),
            approved_at: now,
            expires_at: new.expires.map(|expires| Timestamp(expires.as_millisecond())),
            revoked_at: None,
            revoked_by: None,
        };
        let leaf = Leaf::ApprovalGiven {
            approval: stored.id.clone(),
            repository: new.repository.clone(),
            digest,
            channel: new.channel,
            roles: new.roles.into_iter().collect(),
            reason: new.reason,
            expires: new.expires,
        };
        let (origin, kept, name) = (origin.clone(), stored.clone(), new.repository);
        let work = async move |tx: &mut Tx| {
            let count = approval::list(tx, &name, &digest, MOST).await?.len();
            if count >= MOST as usize {
                return Err(Error::Invalid(format!("a digest has at most {MOST} approvals")));
            }
            approval::add(tx, &kept).await?;
            record(tx, &origin, &leaf, now).await
        };
        self.change(move |tx| Box::pin(async move { work(tx).await })).await?;
        Ok(GivenApproval::of(stored, author.as_deref()))
    }

    /// Takes an approval of something in the repository back.
    pub async fn revoke_approval(
        &self,
        origin: &Origin,
        repository: &RepositoryName,
        id: &str,
    ) -> Result<(), Error> {
        let (origin, id, name) = (origin.clone(), id.to_owned(), repository.to_string());
        let work = async move |tx: &mut Tx| {
            let now = Timestamp::now();
            let found = approval::find(tx, &id).await?.filter(|found| found.repository == name);
            let found = found.filter(|found| found.revoked_at.is_none());
            let Some(found) = found else { return Err(Error::ApprovalUnknown(id)) };
            approval::revoke(tx, &id, &origin.actor, now).await?;
            let leaf = Leaf::ApprovalRevoked {
                approval: id,
                repository: found.repository,
                digest: found.digest,
                channel: found.channel,
                approver: found.approver,
            };
            record(tx, &origin, &leaf, now).await
        };
        self.change(move |tx| Box::pin(async move { work(tx).await })).await?;
        Ok(())
    }

    /// The approvals of a manifest, the oldest first, with those that do not count any more.
    pub async fn approvals(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Vec<GivenApproval>, Error> {
        let (digest, author) = self.authored(repository, reference).await?;
        let mut connection = self.db().read().await?;
        let found = approval::list(&mut connection, repository, &digest, MOST).await?;
        let told = |stored| GivenApproval::of(stored, author.as_deref());
        Ok(found.into_iter().map(told).collect())
    }

    /// The digest of a manifest, and who pushed it.
    pub(crate) async fn authored(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<(Digest, Option<String>), Error> {
        let mut connection = self.db().read().await?;
        let found = manifest_author::find(&mut connection, repository, reference).await?;
        let found = found.ok_or_else(|| Error::ManifestUnknown {
            repository: repository.clone(),
            reference: reference.clone(),
        })?;
        Ok((found.digest, found.author))
    }

    /// Refuses a channel that does not exist, or is not for the repository.
    async fn check_channel(
        &self,
        channel: &ChannelName,
        repository: &RepositoryName,
    ) -> Result<(), Error> {
        let in_force = self.in_force().await?;
        let channels = &in_force.governance.channels;
        match channels.get(channel) {
            Some(found) if found.covers(repository) => Ok(()),
            Some(_) => {
                let (channel, repository) = (channel.clone(), repository.clone());
                Err(ChannelError::OtherRepository { channel, repository }.into())
            }
            None => {
                let known = channels.keys().cloned().collect();
                Err(ChannelError::Unknown { channel: channel.clone(), known }.into())
            }
        }
    }
}

impl GivenApproval {
    fn of(stored: StoredApproval, author: Option<&str>) -> Self {
        Self {
            is_authors: author == Some(stored.approver.as_str()),
            id: stored.id,
            repository: stored.repository,
            digest: stored.digest,
            channel: stored.channel,
            by: stored.approver,
            roles: serde_json::from_str(&stored.roles).unwrap_or_default(),
            reason: stored.reason,
            at: instant(stored.approved_at),
            expires: stored.expires_at.map(instant),
            revoked_at: stored.revoked_at.map(instant),
            revoked_by: stored.revoked_by,
        }
    }
}
