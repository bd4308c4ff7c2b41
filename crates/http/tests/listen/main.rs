//! The connection layer and the bodies, through real sockets.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client_certificates;
mod drain;
mod files;
mod protocol;
mod support;
mod timeouts;
mod tls;
