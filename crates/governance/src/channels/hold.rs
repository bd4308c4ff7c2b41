//! A channel that went back is held: what was promoted into it must not come again by itself.

use jiff::Timestamp as Instant;
use plura_meta::{
    Timestamp, Tx,
    audit::{self, Event, Origin},
    channel::{self, Pointer},
    promotion,
};
use plura_oci::RepositoryName;
use plura_policy::{ChannelName, gate};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ChannelHead, Destination, name_of, subject_of};
use crate::{
    Error, Governance, InForce,
    leaf::{self, Leaf},
    promotion::{State, read},
    refusal::Refusal,
};

/// Why nothing is promoted into a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ChannelHold)]
pub struct Hold {
    /// Who made it so.
    pub by: String,
    /// Since when.
    #[schema(value_type = String)]
    pub at: Instant,
    /// Why.
    pub reason: String,
}

/// A channel into which may be promoted again.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ReleasedChannel)]
pub struct Released {
    /// The channel.
    pub channel: ChannelHead,
    /// The position of the entry in the log.
    pub log_position: i64,
}

impl Hold {
    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        read("channel.held", text)
    }

    /// What the hold says as a gate, so that whoever asks why sees it as one.
    fn outcome(&self, channel: &ChannelName, service: &str) -> gate::Outcome {
        gate::Outcome {
            gate: "hold".to_owned(),
            rule: format!("hold of {channel}"),
            effect: gate::Effect::Wait,
            mode: gate::Mode::Enforce,
            platform: None,
            observed: format!("held by {} since {}: {}", self.by, self.at, self.reason),
            required: "not held".to_owned(),
            fix: Some(format!("plura reg release {channel} {service}")),
            until: None,
        }
    }
}

impl Governance {
    /// What a hold of the channel says, if there is one.
    pub(crate) async fn held(
        &self,
        in_force: &InForce,
        repository: &RepositoryName,
        channel: &ChannelName,
    ) -> Result<Option<gate::Outcome>, Error> {
        let Some(service) = in_force.governance.layout.service_of(repository) else {
            return Ok(None);
        };
        let mut connection = self.db().read().await?;
        let pointer = channel::find(&mut connection, &name_of(channel, service)).await?;
        let Some(held) = pointer.and_then(|pointer| pointer.held) else { return Ok(None) };
        Ok(Some(Hold::read(&held)?.outcome(channel, service)))
    }

    /// Lets images be promoted into a channel again after it went back.
    pub async fn release(
        &self,
        origin: &Origin,
        repository: &RepositoryName,
        channel: &ChannelName,
    ) -> Result<Released, Error> {
        let in_force = self.in_force().await?;
        let destination = Destination::find(&in_force.governance, repository, channel)?;
        let (origin, repository) = (origin.clone(), repository.clone());
        let work = async move |tx: &mut Tx| {
            let now = Timestamp::now();
            let pointer = channel::find(tx, &destination.name).await?;
            destination.check_bound(pointer.as_ref(), &repository)?;
            let pointer = pointer.ok_or_else(|| Refusal::nothing_there(&destination))?;
            if !channel::hold(tx, pointer.id, None).await? {
                return Err(Refusal::NotHeld(destination.channel).into());
            }
            let position = noted(tx, &origin, &pointer, now).await?;
            promotion::wake(tx, State::Waiting.as_str(), now).await?;
            Ok::<_, Error>((Pointer { held: None, ..pointer }, position))
        };
        let (pointer, log_position) =
            self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        self.ask();
        Ok(Released { channel: ChannelHead::of(&pointer)?, log_position })
    }
}

async fn noted(
    tx: &mut Tx,
    origin: &Origin,
    pointer: &Pointer,
    now: Timestamp,
) -> Result<i64, Error> {
    let subject = subject_of(&pointer.name);
    let target = format!("channel:{subject}");
    let event = Event::done("channel.release", target).of_project(project_of(pointer));
    audit::record(tx, origin, &event, now).await?;
    let leaf = Leaf::new("channel.released", origin, now)
        .about(&pointer.name, &pointer.digest)
        .from(&pointer.repository);
    leaf::append(tx, &subject, &leaf, now).await
}

fn project_of(pointer: &Pointer) -> &str {
    pointer.repository.as_str().split('/').next().unwrap_or_default()
}
