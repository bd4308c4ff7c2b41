use std::fmt;

use serde::Serialize;

/// Something in a document that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RetentionProblem {
    /// Where: `keep[2].tags[0]`.
    pub path: String,
    /// What is there.
    pub problem: String,
    /// What can be there.
    pub fix: String,
}

impl fmt::Display for RetentionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.path, self.problem, self.fix)
    }
}

/// Collects all that is wrong, so that nobody has to try again for each.
#[derive(Default)]
pub(super) struct Problems(pub(super) Vec<RetentionProblem>);

impl Problems {
    pub(super) fn push(&mut self, path: impl Into<String>, problem: impl Into<String>, fix: &str) {
        let (path, problem) = (path.into(), problem.into());
        self.0.push(RetentionProblem { path, problem, fix: fix.to_owned() });
    }

    /// The value that the text says; a problem if it says none.
    pub(super) fn read<T: std::str::FromStr>(
        &mut self,
        path: String,
        text: &str,
        fix: &str,
    ) -> Option<T> {
        let value = text.parse().ok();
        if value.is_none() {
            let shown: String = text.chars().take(80).collect();
            self.push(path, format!("`{shown}` cannot be read"), fix);
        }
        value
    }
}
