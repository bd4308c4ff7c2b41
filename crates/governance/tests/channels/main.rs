//! Channels: promotion, canaries, rollback, and that none of them ever points at something that is not
//! there.

mod canary;
mod collection;
mod concurrent;
mod model;
mod promotion;
mod rollback;
mod support;
