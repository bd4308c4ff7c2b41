//! Work that goes on beside requests.

use std::{fmt::Display, time::Duration};

use crate::progress::{Progress, tell, tell_failure};

/// Things come in numbers; what comes together is worked on together.
const TOGETHER: Duration = Duration::from_millis(250);
/// How often is looked for what other processes asked for, and for what failed.
const PAUSE: Duration = Duration::from_secs(5);

/// Works for ever: again at once as long as `work` says that there may be more, and otherwise soon after
/// `asked` returns, or after a while.
pub async fn work_when_asked<E, Working, Asking>(
    work: impl Fn() -> Working,
    asked: impl Fn() -> Asking,
    failed: impl Fn(E),
) where
    E: Display,
    Working: Future<Output = Result<bool, E>>,
    Asking: Future<Output = ()>,
{
    work_at_least_every(PAUSE, work, asked, failed).await;
}

/// The same, and what others asked for does not wait longer than `pause`.
pub async fn work_at_least_every<E, Working, Asking>(
    pause: Duration,
    work: impl Fn() -> Working,
    asked: impl Fn() -> Asking,
    failed: impl Fn(E),
) where
    E: Display,
    Working: Future<Output = Result<bool, E>>,
    Asking: Future<Output = ()>,
{
    loop {
        tell(Progress::Works);
        match work().await {
            Ok(true) => continue,
            Ok(false) => tell(Progress::Rests),
            Err(error) => {
                tell_failure(&error);
                failed(error);
            }
        }
        let soon = async {
            asked().await;
            tokio::time::sleep(TOGETHER).await;
        };
        let _ = tokio::time::timeout(pause, soon).await;
    }
}
