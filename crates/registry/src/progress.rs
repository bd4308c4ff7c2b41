//! What goes on in the background tells how it goes, to whoever started it.

use std::{fmt::Display, sync::Arc};

/// How it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It works.
    Works,
    /// There is nothing to do.
    Rests,
    /// It failed, and tries again.
    Failed(String),
}

/// Whoever wants to know.
pub type Told = Arc<dyn Fn(Progress) + Send + Sync>;

tokio::task_local! {
    static TOLD: Told;
}

/// Runs work that tells `told` how it goes.
pub async fn telling<F: Future>(told: Told, work: F) -> F::Output {
    TOLD.scope(told, work).await
}

/// Tells how it goes, if somebody wants to know.
pub fn tell(progress: Progress) {
    // Where nobody is told, there is nobody to tell that.
    let _ = TOLD.try_with(|told| told(progress));
}

/// Tells that it failed.
pub(crate) fn tell_failure(error: &impl Display) {
    tell(Progress::Failed(error.to_string()));
}
