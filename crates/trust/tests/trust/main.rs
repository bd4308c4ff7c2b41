//! Signatures as others make them, and as plura makes them for others: what holds, and what is refused
//! with which reason.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod attacks;
mod cosign;
mod fixtures;
mod genuine;
mod keyless;
mod log;
mod logs;
mod notation;
mod openssl;
mod policies;
mod signing;
