//! The connection layer and the bodies, through real sockets.

mod drain;
mod files;
mod protocol;
mod support;
mod timeouts;
mod tls;
