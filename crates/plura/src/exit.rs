//! How a command ends: its exit status, and errors that know what to do next.

use std::error::Error;
use std::fmt::{self, Display};
use std::process::ExitCode;

/// What the exit status of the process says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// Done.
    Done,
    /// The question was asked and the answer is no: blocked, not there, a check that failed.
    No,
    /// The question could not be asked: usage, settings, network, a defect of ours.
    CouldNotAsk,
    /// The answer is no as long as something is awaited: time to pass, or what is not known yet.
    NotYet,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Done => Self::SUCCESS,
            ExitStatus::No => Self::from(1),
            ExitStatus::CouldNotAsk => Self::from(2),
            ExitStatus::NotYet => Self::from(3),
        }
    }
}

/// An error with the next thing to try.
#[derive(Debug)]
struct Hinted {
    error: anyhow::Error,
    hint: String,
}

impl Display for Hinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for Hinted {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// Gives errors a hint: what to run or change next.
pub(crate) trait Hint<T> {
    /// Adds the hint, which completes the line `hint: ...`.
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> Hint<T> for Result<T, E> {
    fn hint(self, hint: impl Into<String>) -> anyhow::Result<T> {
        self.map_err(|error| Hinted { error: error.into(), hint: hint.into() }.into())
    }
}

/// An error that is an answer: the question was asked, and this is why the answer is no.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct SaidNo(pub(crate) String);

/// How a command ends that failed with the error.
pub(crate) fn status_of(error: &anyhow::Error) -> ExitStatus {
    if is_no(error) { ExitStatus::No } else { ExitStatus::CouldNotAsk }
}

/// What has a hint hides behind it, so that the text is not said twice.
fn is_no(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let behind = cause.downcast_ref().is_some_and(|hinted: &Hinted| is_no(&hinted.error));
        behind || cause.is::<SaidNo>()
    })
}

/// The hint of the error: the outermost, which knows most about what the user was doing.
pub(crate) fn hint_of(error: &anyhow::Error) -> Option<&str> {
    error.chain().find_map(|cause| cause.downcast_ref()).map(|hinted: &Hinted| hinted.hint.as_str())
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn a_hint_is_found_under_context_and_says_nothing_twice() {
        let inner: anyhow::Result<()> = Err(anyhow!("connection refused").context("cannot ask"));
        let error = inner.hint("start it").context("no list").expect_err("it failed");
        assert_eq!(hint_of(&error), Some("start it"));
        let chain: Vec<String> = error.chain().map(ToString::to_string).collect();
        assert_eq!(chain, ["no list", "cannot ask", "connection refused"]);
    }

    #[test]
    fn the_outermost_hint_is_given() {
        let inner: anyhow::Result<()> = Err(anyhow!("inner")).hint("inner hint");
        assert_eq!(hint_of(&inner.hint("outer hint").expect_err("it failed")), Some("outer hint"));
    }

    #[test]
    fn a_no_stays_one_whatever_is_added_to_it() {
        let no = || Err::<(), _>(SaidNo("denied".to_owned()));
        for error in [
            no().map_err(anyhow::Error::from),
            no().hint("ask a maintainer"),
            no().context("cannot push"),
            no().hint("inner").context("cannot push").hint("outer").context("no"),
        ] {
            assert_eq!(status_of(&error.expect_err("it failed")), ExitStatus::No);
        }
        let other: anyhow::Result<()> = Err(anyhow!("connection refused")).hint("start it");
        assert_eq!(status_of(&other.expect_err("it failed")), ExitStatus::CouldNotAsk);
    }
}
