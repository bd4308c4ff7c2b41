//! How an image gets more and more of the traffic: figures are asked of a server that speaks as
//! Prometheus does, and traffic is moved by whoever answers a web hook.
//!
//! Nothing is decided here: [`Rollout::measure`] gives what `plura_policy::analysis` judges, and
//! [`Rollout::shift`] says whether traffic was moved. Neither remembers anything, so that any process can
//! go on with a promotion.

mod answer;
mod fetch;
mod hook;
mod measure;
mod query;
mod shift;
mod signature;

use std::{path::PathBuf, sync::Arc, time::Duration};

use plura_oci::Digest;
use plura_policy::ChannelName;
use reqwest::Url;

pub use plura_policy::analysis::{Measured, Measurement, Samples};
pub use shift::{Shift, ShiftError};

use fetch::Web;

/// What is asked and told, and how.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where figures are.
    pub prometheus: Option<Prometheus>,
    /// Who moves traffic.
    pub traffic: Option<Traffic>,
    /// How long each answer may take.
    pub timeout: Duration,
}

/// A server that answers queries as Prometheus does.
#[derive(Clone, Debug)]
pub struct Prometheus {
    /// The address before `/api/v1/query`.
    pub url: Url,
    /// A file with the token to present. It is read for each query, since such tokens are renewed.
    pub token_file: Option<PathBuf>,
}

/// A web hook that moves traffic.
#[derive(Clone, Debug)]
pub struct Traffic {
    /// Its address.
    pub url: Url,
    /// A file with what messages are signed with. It is read for each message.
    pub secret_file: PathBuf,
}

impl Default for Settings {
    /// Nobody is asked and nobody is told.
    fn default() -> Self {
        Self { prometheus: None, traffic: None, timeout: Duration::from_secs(10) }
    }
}

/// What queries are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The service.
    pub service: String,
    /// The channel, of which queries name the environment.
    pub channel: ChannelName,
    /// The image that gets traffic.
    pub digest: Digest,
    /// The image that had it before.
    pub previous: Option<Digest>,
}

/// Asks for figures and has traffic moved. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Rollout {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: Settings,
    web: Web,
}

impl Rollout {
    /// Asks and tells as the settings say. Nothing is connected to before it is needed.
    pub fn new(settings: Settings) -> Self {
        let web = Web::new(settings.timeout);
        Self { shared: Arc::new(Shared { settings, web }) }
    }

    /// Whether somebody is there who moves traffic.
    pub fn moves_traffic(&self) -> bool {
        self.shared.settings.traffic.is_some()
    }
}
