//! Signatures as others make them, and as plura makes them for others: what holds, and what is refused
//! with which reason.

mod attacks;
mod cosign;
mod fixtures;
mod genuine;
mod keyless;
mod notation;
mod openssl;
mod policies;
mod signing;
