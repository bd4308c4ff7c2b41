//! The log as its users see it.

mod growth;
mod large;
mod logs;
mod notes;
mod proofs;
mod tampering;
mod vectors;
