//! Where a value came from, and what is wrong with it.

use std::fmt::{self, Display};
use std::path::PathBuf;

use serde::{Serialize, Serializer};

/// Where a value came from. Sorted, places follow the order in which sources are read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// Nothing was said.
    Default,
    /// A place in a file, counted from one.
    File { name: PathBuf, line: usize, column: usize },
    /// An environment variable.
    Environment(String),
    /// A flag of the command.
    Flag(String),
}

impl Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line, column } => write!(f, "{}:{line}:{column}", name.display()),
            Self::Environment(name) | Self::Flag(name) => f.write_str(name),
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// Where to change something.
    pub(crate) origin: Origin,
    /// What is wrong and what would be right.
    pub(crate) message: String,
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// Everything that is wrong; at least one thing.
#[derive(Debug)]
pub(crate) struct Problems(pub(crate) Vec<Problem>);

impl Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings are not valid")?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for Problems {}
