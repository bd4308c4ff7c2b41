//! What people and robots said about an image here.

use std::collections::BTreeSet;

use plura_meta::{
    approval::{self, StoredApproval},
    posted_check::{self, PostedCheck},
};
use plura_oci::{Digest, RepositoryName};
use plura_policy::facts::{Approval, Block, ChannelStay, CheckResult, CheckState, ManifestFacts};

use crate::{Error, Governance, instant};

/// Approvals of one digest that are looked at, and results of checks.
const MOST: u32 = 1000;

/// What was said.
pub(super) struct Said {
    pub(super) approvals: Vec<Approval>,
    pub(super) checks: Vec<CheckResult>,
    pub(super) channels: Vec<ChannelStay>,
    pub(super) blocked: Option<Block>,
}

impl Governance {
    pub(super) async fn said(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        platforms: &[ManifestFacts],
    ) -> Result<Said, Error> {
        let in_force = self.in_force().await?;
        // An index brings what is blocked with it.
        let mut digests = std::iter::once(digest).chain(platforms.iter().map(|one| &one.digest));
        let blocked = digests.find_map(|digest| in_force.block(repository, digest));
        let mut connection = self.db().read().await?;
        let approvals = approval::list(&mut connection, repository, digest, MOST).await?;
        let checks = posted_check::list(&mut connection, repository, digest, MOST).await?;
        Ok(Said {
            approvals: approvals.iter().filter_map(counted).collect(),
            checks: checks.into_iter().filter_map(result).collect(),
            channels: Vec::new(),
            blocked,
        })
    }
}

/// An approval, unless it was taken back. One of a channel that no name can be of counts for nothing.
fn counted(stored: &StoredApproval) -> Option<Approval> {
    if stored.revoked_at.is_some() {
        return None;
    }
    let roles: BTreeSet<String> = serde_json::from_str(&stored.roles).unwrap_or_default();
    Some(Approval {
        by: stored.approver.clone(),
        roles,
        channel: stored.channel.parse().ok()?,
        at: instant(stored.approved_at),
        expires: stored.expires_at.map(instant),
    })
}

fn result(stored: PostedCheck) -> Option<CheckResult> {
    let state = match stored.state.as_str() {
        "success" => CheckState::Success,
        "failure" => CheckState::Failure,
        "pending" => CheckState::Pending,
        _ => return None,
    };
    Some(CheckResult { name: stored.name, state, at: instant(stored.posted_at), by: stored.poster })
}
