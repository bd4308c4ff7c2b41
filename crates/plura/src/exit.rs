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
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Done => Self::SUCCESS,
            ExitStatus::No => Self::from(1),
            ExitStatus::CouldNotAsk => Self::from(2),
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
}
