//! Decisions as pure functions: no I/O, no clock, no async.

mod spiffe;

pub use spiffe::{ParseSpiffeError, SpiffeId, SpiffePattern};
