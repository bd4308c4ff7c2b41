use std::{fmt, str::FromStr};

use plura_oci::RepositoryName;

use crate::{Pattern, Permission};

/// What a token is asked for, or limited to: the scope of the Docker token protocol,
/// `repository:NAME:pull,push`, and `registry:catalog:*`; and `registry:api:*` of our own.
///
/// The name may be a [`Pattern`] where a person limits a token; a client asks for single names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Repositories and what may be done to them.
    Repositories(Pattern, Vec<ScopeAction>),
    /// The list of repositories.
    Catalog,
    /// Everything that the owner may: what the API needs, whose requests are about more than
    /// repositories. Only a credential that is not limited can be exchanged for it.
    Api,
}

/// What may be done to a repository through a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScopeAction {
    /// Read.
    Pull,
    /// Write.
    Push,
    /// Delete.
    Delete,
    /// All of them (`*`).
    All,
}

/// The text is not a scope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a scope; expected `repository:NAME:pull,push,delete` or `registry:catalog:*`"
)]
pub struct ParseScopeError(String);

impl Scope {
    /// The scope that covers exactly one repository.
    pub fn repository(name: &RepositoryName, actions: Vec<ScopeAction>) -> Option<Self> {
        // Every repository name is a pattern without stars.
        Some(Self::Repositories(name.as_str().parse().ok()?, actions))
    }

    /// Whether the scope allows the permission on the repository.
    pub fn allows(&self, permission: Permission, repository: &RepositoryName) -> bool {
        match self {
            Self::Repositories(pattern, actions) => {
                actions.iter().any(|action| action.allows(permission)) && pattern.covers(repository)
            }
            Self::Catalog | Self::Api => false,
        }
    }
}

impl ScopeAction {
    fn allows(self, permission: Permission) -> bool {
        match self {
            Self::Pull => permission == Permission::Pull,
            Self::Push => permission == Permission::Push,
            Self::Delete => permission == Permission::Delete,
            Self::All => {
                matches!(permission, Permission::Pull | Permission::Push | Permission::Delete)
            }
        }
    }

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::All => "*",
        }
    }

    /// The permissions that it stands for.
    pub const fn permissions(self) -> &'static [Permission] {
        match self {
            Self::Pull => &[Permission::Pull],
            Self::Push => &[Permission::Push],
            Self::Delete => &[Permission::Delete],
            Self::All => &[Permission::Pull, Permission::Push, Permission::Delete],
        }
    }
}

impl FromStr for ScopeAction {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Pull, Self::Push, Self::Delete, Self::All]
            .into_iter()
            .find(|action| action.as_str() == text)
            .ok_or(())
    }
}

impl FromStr for Scope {
    type Err = ParseScopeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let malformed = || ParseScopeError(text.chars().take(300).collect());
        let (kind, rest) = text.split_once(':').ok_or_else(malformed)?;
        let (name, actions) = rest.rsplit_once(':').ok_or_else(malformed)?;
        // A class in parentheses, as in `repository(plugin):`, says nothing that matters here.
        match kind.split_once('(').map_or(kind, |(kind, _)| kind) {
            "registry" if name == "catalog" => Ok(Self::Catalog),
            "registry" if name == "api" => Ok(Self::Api),
            "repository" => {
                let pattern = name.parse().map_err(|_| malformed())?;
                // Actions of later versions are not known here, and so not granted.
                let mut actions: Vec<ScopeAction> =
                    actions.split(',').filter_map(|action| action.parse().ok()).collect();
                actions.sort_unstable();
                actions.dedup();
                Ok(Self::Repositories(pattern, actions))
            }
            _ => Err(malformed()),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repositories(pattern, actions) => {
                let actions: Vec<&str> = actions.iter().map(|action| action.as_str()).collect();
                write!(f, "repository:{pattern}:{}", actions.join(","))
            }
            Self::Catalog => f.write_str("registry:catalog:*"),
            Self::Api => f.write_str("registry:api:*"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_and_written() {
        for (text, written) in [
            ("repository:apps/x:pull", Some("repository:apps/x:pull")),
            ("repository:apps/x:push,pull,pull", Some("repository:apps/x:pull,push")),
            ("repository(plugin):apps/x:pull", Some("repository:apps/x:pull")),
            ("repository:apps/**:*", Some("repository:apps/**:*")),
            ("repository:apps/x:frobnicate", Some("repository:apps/x:")),
            ("registry:catalog:*", Some("registry:catalog:*")),
            ("registry:api:*", Some("registry:api:*")),
            ("repository:apps/x", None),
            ("repository:Apps/x:pull", None),
            ("repository::pull", None),
            ("cluster:all:*", None),
            ("", None),
        ] {
            let scope = text.parse::<Scope>().ok().map(|scope| scope.to_string());
            assert_eq!(scope.as_deref(), written, "{text}");
        }
    }

    #[test]
    fn a_scope_allows_what_it_names() {
        let scope: Scope = "repository:apps/*:pull,push".parse().unwrap();
        let (inside, outside) = ("apps/x".parse().unwrap(), "other/x".parse().unwrap());
        assert!(scope.allows(Permission::Push, &inside));
        assert!(!scope.allows(Permission::Delete, &inside));
        assert!(!scope.allows(Permission::Pull, &outside));
        assert!(!"registry:catalog:*".parse::<Scope>().unwrap().allows(Permission::Pull, &inside));
    }
}
