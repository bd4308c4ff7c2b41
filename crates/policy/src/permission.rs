use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Something that one may or may not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Read a repository: manifests, blobs, tags, referrers.
    Pull,
    /// Write to a repository: uploads, manifests, tags, referrers.
    Push,
    /// Delete from a repository.
    Delete,
    /// Move channels.
    Promote,
    /// See a project's settings, members and use.
    ViewProject,
    /// Change a project's settings and members.
    ManageProject,
    /// Make, rotate and delete a project's robots.
    ManageRobots,
    /// Read what was done and refused in a project, or everywhere.
    ReadAudit,
    /// Make and delete projects; users, trust entries, members of everything.
    Administer,
    /// Collect, and read the server's figures.
    Operate,
}

/// What a member may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Pull.
    Reader,
    /// Pull and push.
    Developer,
    /// Pull and promote: governance alone.
    Promoter,
    /// Everything that a project's own people do: push, delete, settings, members, robots.
    Maintainer,
    /// Everything.
    Administrator,
}

/// The text is not the name of a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role; expected reader, developer, promoter, maintainer or administrator")]
pub struct ParseRoleError(String);

/// The text is not the name of a permission.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an action; expected one of {}", Permission::names())]
pub struct ParsePermissionError {
    text: String,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 10] = [
        Self::Pull,
        Self::Push,
        Self::Delete,
        Self::Promote,
        Self::ViewProject,
        Self::ManageProject,
        Self::ManageRobots,
        Self::ReadAudit,
        Self::Administer,
        Self::Operate,
    ];

    /// The name, as scopes and `plura access explain` write it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::Promote => "promote",
            Self::ViewProject => "view-project",
            Self::ManageProject => "manage-project",
            Self::ManageRobots => "manage-robots",
            Self::ReadAudit => "read-audit",
            Self::Administer => "administer",
            Self::Operate => "operate",
        }
    }

    /// The least role that gives it.
    pub const fn least_role(self) -> Role {
        match self {
            Self::Pull | Self::ViewProject => Role::Reader,
            Self::Push => Role::Developer,
            Self::Promote => Role::Promoter,
            Self::Delete | Self::ManageProject | Self::ManageRobots | Self::ReadAudit => {
                Role::Maintainer
            }
            Self::Administer | Self::Operate => Role::Administrator,
        }
    }

    fn names() -> String {
        Self::ALL.map(Self::as_str).join(", ")
    }
}

impl Role {
    /// What it takes to give the role, or to take it away: a project's own people look after those who
    /// read, push and maintain; governance is the administrators', lest those whom it binds undo it.
    pub const fn managed_by(self) -> Permission {
        match self {
            Self::Reader | Self::Developer | Self::Maintainer => Permission::ManageProject,
            Self::Promoter | Self::Administrator => Permission::Administer,
        }
    }

    /// Every role, the least first.
    pub const ALL: [Self; 5] =
        [Self::Reader, Self::Developer, Self::Promoter, Self::Maintainer, Self::Administrator];

    /// Whether the role gives the permission, where it is granted.
    pub const fn gives(self, permission: Permission) -> bool {
        use Permission as P;
        match self {
            Self::Reader => matches!(permission, P::Pull | P::ViewProject),
            Self::Developer => matches!(permission, P::Pull | P::ViewProject | P::Push),
            Self::Promoter => matches!(permission, P::Pull | P::ViewProject | P::Promote),
            Self::Maintainer => !matches!(permission, P::Administer | P::Operate | P::Promote),
            Self::Administrator => true,
        }
    }

    /// The name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Developer => "developer",
            Self::Promoter => "promoter",
            Self::Maintainer => "maintainer",
            Self::Administrator => "administrator",
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|role| role.as_str() == text);
        found.ok_or_else(|| ParseRoleError(text.to_owned()))
    }
}

impl FromStr for Permission {
    type Err = ParsePermissionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|permission| permission.as_str() == text);
        found.ok_or_else(|| ParsePermissionError { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_role_gives_the_permission() {
        for permission in Permission::ALL {
            assert!(permission.least_role().gives(permission), "{permission}");
            assert!(Role::Administrator.gives(permission), "{permission}");
            assert_eq!(permission.as_str().parse(), Ok(permission));
        }
    }

    #[test]
    fn who_manages_a_role_has_all_that_it_gives() {
        for role in Role::ALL {
            let managers = Role::ALL.into_iter().filter(|other| other.gives(role.managed_by()));
            for manager in managers {
                let given = Permission::ALL.into_iter().filter(|given| role.gives(*given));
                let beyond: Vec<_> = given.filter(|given| !manager.gives(*given)).collect();
                assert_eq!(beyond, [], "a {manager} gives the role {role}");
            }
        }
    }

    #[test]
    fn roles_are_what_the_documentation_says() {
        let given = |role: Role| {
            let given = Permission::ALL.into_iter().filter(|permission| role.gives(*permission));
            given.map(Permission::as_str).collect::<Vec<_>>().join(" ")
        };
        for (role, expected) in [
            (Role::Reader, "pull view-project"),
            (Role::Developer, "pull push view-project"),
            (Role::Promoter, "pull promote view-project"),
            (
                Role::Maintainer,
                "pull push delete view-project manage-project manage-robots read-audit",
            ),
        ] {
            assert_eq!(given(role), expected, "{role}");
        }
    }
}
