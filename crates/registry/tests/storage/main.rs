//! What the registry promises about storage, asked through its public API, with crashes, damage, full
//! disks and concurrency. Seeds are printed; `PLURA_MODEL_SEEDS=N` runs more of them.
#![expect(clippy::print_stderr, reason = "seeds and progress are for whoever reads a failure")]

#[macro_use]
mod support;
mod basics;
mod collection;
mod commits;
mod concurrent;
mod model;
mod universe;
