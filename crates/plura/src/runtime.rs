//! The runtime of the commands that wait for many things at once. The others start without one.

use std::thread::available_parallelism;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

/// Threads that may block on the disk at once: beyond this the disk is the limit, and the runtime's
/// own default of 512 only adds stacks.
const BLOCKING_THREADS: usize = 128;

/// A runtime with a worker for each processor.
pub(crate) fn runtime() -> anyhow::Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(available_parallelism().map_or(1, usize::from))
        .max_blocking_threads(BLOCKING_THREADS)
        .enable_all()
        .build()
        .context("cannot start the runtime")
}
