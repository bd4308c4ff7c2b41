//! HTTP: connections, /v2, the API; requests to actions, outcomes to responses.

pub mod body;
pub mod listen;
