//! Channels: where images of services are, how they came there, and what keeps others from coming.

mod heads;
mod history;
mod hold;

use jiff::Timestamp as Instant;
use plura_meta::{
    Timestamp,
    channel::{self, Name},
};
use plura_oci::{Digest, RepositoryName, Tag};
use plura_policy::{ChannelName, Governance as Document};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Error, refusal::Refusal};

pub use heads::{ChannelFilter, ChannelHead, Standing};
pub use history::{HistoryPage, Moved};
pub use hold::{Hold, Released};

/// A channel of a service, and where it is pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) channel: ChannelName,
    pub(crate) name: Name,
    pub(crate) place: RepositoryName,
    pub(crate) tag: Tag,
}

impl Destination {
    /// Where images of a repository go when they are promoted into a channel.
    pub(crate) fn find(
        document: &Document,
        repository: &RepositoryName,
        channel: &ChannelName,
    ) -> Result<Self, Error> {
        let Some(service) = document.layout.service_of(repository) else {
            return Err(Refusal::NoService(repository.clone()).into());
        };
        let place = document.layout.repository_of(channel, service);
        let tag = channel.tag().parse().ok();
        let (Some(place), Some(tag)) = (place, tag) else {
            return Err(Refusal::NoService(repository.clone()).into());
        };
        Ok(Self { channel: channel.clone(), name: name_of(channel, service), place, tag })
    }

    /// Refuses images of another repository than the one that the channel has them from.
    pub(crate) fn check_bound(
        &self,
        pointer: Option<&channel::Pointer>,
        repository: &RepositoryName,
    ) -> Result<(), Refusal> {
        match pointer {
            Some(pointer) if pointer.repository != *repository => Err(Refusal::OtherRepository {
                channel: self.channel.clone(),
                service: self.name.service.clone(),
                bound: pointer.repository.clone(),
                asked: repository.clone(),
            }),
            _ => Ok(()),
        }
    }
}

/// A channel of a service, as rows name it.
pub(crate) fn name_of(channel: &ChannelName, service: &str) -> Name {
    Name {
        environment: channel.environment().to_owned(),
        tag: channel.tag().to_owned(),
        service: service.to_owned(),
    }
}

/// What a row names, as it is written: `prod:stable`.
pub(crate) fn channel_of(name: &Name) -> Result<ChannelName, Error> {
    let text = format!("{}:{}", name.environment, name.tag);
    let parsed = text.parse();
    Ok(parsed.map_err(|error| {
        plura_meta::Error::Corrupt(format!("a channel is called `{text}`: {error}"))
    })?)
}

/// What the log and the audit call a channel of a service.
pub(crate) fn subject_of(name: &Name) -> String {
    format!("{}:{}/{}", name.environment, name.tag, name.service)
}

/// An instant as it is stored.
pub(crate) fn timestamp(instant: Instant) -> Timestamp {
    Timestamp(instant.as_millisecond())
}

/// A channel of a service, and what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Where {
    /// The channel: `prod:stable`.
    #[schema(value_type = String)]
    pub channel: ChannelName,
    /// The service.
    pub service: String,
    /// The repository that its images come from.
    #[schema(value_type = String)]
    pub repository: RepositoryName,
    /// The reference under which it is pulled: `channels/prod/search:stable`.
    pub pull: String,
    /// The manifest.
    #[schema(value_type = String)]
    pub digest: Digest,
}

impl Where {
    pub(crate) fn of(pointer: &channel::Pointer) -> Result<Self, Error> {
        Ok(Self {
            channel: channel_of(&pointer.name)?,
            service: pointer.name.service.clone(),
            repository: pointer.repository.clone(),
            pull: format!("{}:{}", pointer.place, pointer.name.tag),
            digest: pointer.digest,
        })
    }
}
