use std::{fmt, str::FromStr};

use serde::Serialize;
use utoipa::ToSchema;

use crate::time_span::TimeSpan;

/// Something in a document that cannot be as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = PolicyProblem)]
pub struct Problem {
    /// Where: `channels[2].soak`.
    pub path: String,
    /// What is there.
    pub observed: String,
    /// What would be right.
    pub fix: String,
}

/// More are not told: nobody reads on, and a document may be made of nothing else.
const MOST: usize = 100;

/// A place in a document that is being checked, with all that was found wrong so far.
#[derive(Debug)]
pub(crate) struct Place<'p> {
    problems: &'p mut Vec<Problem>,
    path: String,
}

impl<'p> Place<'p> {
    /// The whole document.
    pub(crate) fn root(problems: &'p mut Vec<Problem>) -> Self {
        Self { problems, path: String::new() }
    }

    /// What stands behind a key.
    pub(crate) fn at(&mut self, key: impl fmt::Display) -> Place<'_> {
        let separator = if self.path.is_empty() { "" } else { "." };
        let path = format!("{}{separator}{key}", self.path);
        Place { problems: self.problems, path }
    }

    /// One of a list.
    pub(crate) fn item(&mut self, index: usize) -> Place<'_> {
        let path = format!("{}[{index}]", self.path);
        Place { problems: self.problems, path }
    }

    /// Where it is, for rules that name themselves.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Notes that it cannot be as it is.
    pub(crate) fn problem(&mut self, observed: impl fmt::Display, fix: impl fmt::Display) {
        if self.problems.len() < MOST {
            let (observed, fix) = (observed.to_string(), fix.to_string());
            self.problems.push(Problem { path: self.path.clone(), observed, fix });
        }
    }

    /// Reads a text, whose grammar the error states.
    pub(crate) fn parse<T: FromStr<Err: fmt::Display>>(&mut self, text: &str) -> Option<T> {
        match text.parse() {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.problem(format!("`{}`", shortened(text)), error);
                None
            }
        }
    }

    /// Reads all texts of a list.
    pub(crate) fn parse_all<T: FromStr<Err: fmt::Display>>(&mut self, texts: &[String]) -> Vec<T> {
        let parse = |(index, text): (usize, &String)| self.item(index).parse(text);
        texts.iter().enumerate().filter_map(parse).collect()
    }

    /// Reads a time span that must be longer than nothing.
    pub(crate) fn span(&mut self, key: &str, text: Option<&String>) -> Option<TimeSpan> {
        let mut place = self.at(key);
        let span: TimeSpan = place.parse(text?)?;
        if span.seconds() == 0 {
            place.problem("no time at all", "leave the key out, or say how long");
            return None;
        }
        Some(span)
    }
}

/// What somebody wrote, as long as an error may quote it.
pub(crate) fn shortened(text: &str) -> String {
    cut(text, 80)
}

/// A text on one line, of at most so many characters: what images say may be of any length.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let printable = |c: char| if c.is_control() { ' ' } else { c };
    let start: String = text.chars().take(most).map(printable).collect();
    if text.chars().nth(most).is_some() { format!("{start}...") } else { start }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, observed, fix } = self;
        let path = if path.is_empty() { "the document" } else { path };
        write!(f, "{path}: {observed}; {fix}")
    }
}
