use std::{fmt, str::FromStr};

use plura_oci::RepositoryName;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The name of a project: the first path segment of the repositories that it owns.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProjectName(Box<str>);

/// The text is not a project name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected the first segment of a repository name: lower case letters and digits, separated by \
     `.`, `_`, `__` or `-`, at most 128 characters"
)]
pub struct ParseProjectNameError;

impl ProjectName {
    /// The most characters of a name.
    pub const MAX_LENGTH: usize = 128;

    /// The project that owns the repository.
    pub fn of(repository: &RepositoryName) -> Self {
        Self(Self::text_of(repository).into())
    }

    /// The same without a copy.
    pub fn text_of(repository: &RepositoryName) -> &str {
        let name = repository.as_str();
        name.split_once('/').map_or(name, |(first, _)| first)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProjectName {
    type Err = ParseProjectNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // The grammar is that of a repository name of one segment.
        let repository: RepositoryName = text.parse().map_err(|_| ParseProjectNameError)?;
        if text.len() > Self::MAX_LENGTH || repository.as_str().contains('/') {
            return Err(ParseProjectNameError);
        }
        Ok(Self(text.into()))
    }
}

/// The name that a user or a robot goes by.
///
/// Users: lower case letters and digits with `.`, `_`, `-` and `@` between them. Robots:
/// `robot+NAME`, or `robot+PROJECT+NAME` within a project. `$` is not used, since shells eat it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountName(Box<str>);

/// The text is not a name of a user or robot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected lower case letters and digits with single `.`, `_`, `-` or `@` between them, at most \
     128 characters; robots are called `robot+NAME` or `robot+PROJECT+NAME`"
)]
pub struct ParseAccountNameError;

/// What the names of robots begin with.
const ROBOT: &str = "robot+";

impl AccountName {
    /// The most characters of a name.
    pub const MAX_LENGTH: usize = 128;

    /// The name of a robot.
    pub fn robot(project: Option<&ProjectName>, name: &str) -> Result<Self, ParseAccountNameError> {
        match project {
            Some(project) => format!("{ROBOT}{}+{name}", project.as_str()).parse(),
            None => format!("{ROBOT}{name}").parse(),
        }
    }

    /// Whether it is the name of a robot.
    pub fn is_robot(&self) -> bool {
        self.0.starts_with(ROBOT)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountName {
    type Err = ParseAccountNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let well_formed = match text.strip_prefix(ROBOT) {
            Some(robot) => match robot.split_once('+') {
                Some((project, name)) => project.parse::<ProjectName>().is_ok() && is_word(name),
                None => is_word(robot),
            },
            None => is_word(text),
        };
        if well_formed && text.len() <= Self::MAX_LENGTH {
            Ok(Self(text.into()))
        } else {
            Err(ParseAccountNameError)
        }
    }
}

/// Letters and digits at both ends and on both sides of each separator.
fn is_word(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let parts = text.split(['.', '_', '-', '@']);
    let mut parts = parts.map(|part| !part.is_empty() && part.bytes().all(plain));
    parts.all(|well_formed| well_formed)
}

macro_rules! as_text {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

as_text!(ProjectName);
as_text!(AccountName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_the_first_segment() {
        for (repository, project) in [("apps/search/web", "apps"), ("hello", "hello")] {
            let repository: RepositoryName = repository.parse().unwrap();
            assert_eq!(ProjectName::of(&repository).as_str(), project);
        }
    }

    #[test]
    fn names_are_of_the_grammar() {
        for (text, good) in [
            ("alice", true),
            ("a.b-c_d", true),
            ("alice@example.com", true),
            ("robot+ci", true),
            ("robot+apps+ci-main", true),
            ("", false),
            ("Alice", false),
            ("a..b", false),
            ("-a", false),
            ("a b", false),
            ("robot+", false),
            ("robot+apps+", false),
            ("robot+a+b+c", false),
            ("a+b", false),
            ("a/b", false),
        ] {
            assert_eq!(text.parse::<AccountName>().is_ok(), good, "{text}");
        }
        for (text, good) in [("apps", true), ("a/b", false), ("A", false), ("", false)] {
            assert_eq!(text.parse::<ProjectName>().is_ok(), good, "{text}");
        }
    }
}
