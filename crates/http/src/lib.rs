//! HTTP: connections, /v2, the API; requests to actions, outcomes to responses.
//!
//! [`listen`] moves bytes, [`body`] is what is sent, [`App`] answers: `/v2` by [`plura_oci::Action`],
//! everything else by a router.

mod api;
mod app;
mod auth;
pub mod body;
mod error;
mod forwarded;
mod health;
mod identify;
pub mod listen;
mod metrics;
mod network;
mod request;
mod respond;
mod v2;

pub use api::{Need, RouteFacts, Verb, routes};
pub use app::{App, AppOptions, Knowledge, Redirect};
pub use health::Health;
pub use metrics::Metrics;
pub use network::{Network, NoNetwork};
