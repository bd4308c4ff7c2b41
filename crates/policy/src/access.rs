use plura_oci::RepositoryName;
use serde::Serialize;

use crate::{Decision, Pattern, Permission, ProjectName, Role, Scope};

/// Where a role holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Realm {
    /// In every project, and for what belongs to no project.
    Everywhere,
    /// In one project.
    Project(ProjectName),
}

/// A role that somebody has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grant {
    /// What it allows.
    pub role: Role,
    /// Where.
    pub realm: Realm,
    /// In which repositories there; all, if not said. What is no repository, such as a project's
    /// settings, is covered by grants without a pattern only.
    pub repositories: Option<Pattern>,
    /// Through whom or what: `user:alice`, `group:sre`, `everyone`.
    pub origin: String,
}

/// Everything that a decision about somebody is made on.
#[derive(Clone, Debug, Default)]
pub struct Rights {
    /// May do everything: the administrators, and everybody in open mode. The text says which.
    pub unlimited: Option<&'static str>,
    /// The roles.
    pub grants: Vec<Grant>,
    /// What the credential is limited to, whatever the roles say. Limited credentials reach
    /// repositories only.
    pub ceiling: Option<Vec<Scope>>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked<'a> {
    /// Something in a repository, whose project may be readable for everybody.
    Repository {
        /// The repository.
        name: &'a RepositoryName,
        /// Whether everybody may read its project.
        public: bool,
    },
    /// Something about a project.
    Project(&'a ProjectName),
    /// Something about the whole installation.
    Installation,
}

/// The rule by which a credential that is limited does not do what its owner may: another credential
/// of the same owner would.
pub const BEYOND_CEILING: &str = "scope of the token";

/// What a decision stands on: the decision itself, before it is put into words.
enum Ground<'a> {
    Unlimited(&'static str),
    Granted(&'a Grant),
    Public(&'a RepositoryName),
    BeyondCeiling(&'a [Scope]),
    NoGrant,
}

/// Whether somebody may do something: [`decide`] without the words, for requests by the thousand.
pub fn allows(rights: &Rights, permission: Permission, asked: Asked<'_>) -> bool {
    !matches!(ground(rights, permission, asked), Ground::BeyondCeiling(_) | Ground::NoGrant)
}

/// The role by which somebody may do something, where it is by one.
pub fn granted_by<'a>(
    rights: &'a Rights,
    permission: Permission,
    asked: Asked<'a>,
) -> Option<&'a Grant> {
    match ground(rights, permission, asked) {
        Ground::Granted(grant) => Some(grant),
        _ => None,
    }
}

/// The roles that somebody has in a repository, by name.
pub fn roles_in(rights: &Rights, name: &RepositoryName) -> std::collections::BTreeSet<String> {
    let asked = Asked::Repository { name, public: false };
    let reaches = |grant: &&Grant| {
        let alone = Rights { grants: vec![(*grant).clone()], ..Rights::default() };
        allows(&alone, Permission::Pull, asked)
    };
    let granted = rights.grants.iter().filter(reaches).map(|grant| grant.role.to_string());
    let unlimited = rights.unlimited.map(|_| Role::Administrator.to_string());
    granted.chain(unlimited).collect()
}

/// Whether somebody may do something, and by which rule.
pub fn decide(rights: &Rights, permission: Permission, asked: Asked<'_>) -> Decision {
    match ground(rights, permission, asked) {
        Ground::BeyondCeiling(ceiling) => beyond_ceiling(ceiling, permission),
        Ground::Unlimited(why) => Decision::allow(why, format!("{permission} is allowed: {why}")),
        Ground::Granted(grant) => {
            let reason = format!("{permission} is part of the role {}", grant.role);
            Decision::allow(grant.to_string(), reason)
        }
        Ground::Public(name) => Decision::allow(
            format!("project {} is public", ProjectName::text_of(name)),
            "everybody may pull from a public project",
        ),
        Ground::NoGrant => no_grant(permission, asked),
    }
}

/// Whether somebody may give a role, or take it away, and by which rule. What is asked of is where the
/// role holds: a project, or the installation.
pub fn decide_role(rights: &Rights, role: Role, asked: Asked<'_>) -> Decision {
    let needed = role.managed_by();
    let decision = decide(rights, needed, asked);
    if decision.is_allowed() {
        return decision;
    }
    let (ground, fix) = match needed {
        Permission::Administer => ("governance is the administrators'", "ask an administrator"),
        _ => ("nobody gives what they do not have", "ask a maintainer of the project"),
    };
    let reason = format!("you can neither give nor take away the role {role}: {}", decision.reason);
    Decision::deny(ground, reason, fix)
}

fn ground<'a>(rights: &'a Rights, permission: Permission, asked: Asked<'a>) -> Ground<'a> {
    if let Some(ceiling) = rights.ceiling.as_deref()
        && !is_within(ceiling, permission, asked)
    {
        return Ground::BeyondCeiling(ceiling);
    }
    if let Some(why) = rights.unlimited {
        return Ground::Unlimited(why);
    }
    if let Some(grant) = rights.grants.iter().find(|grant| grant.covers(permission, asked)) {
        return Ground::Granted(grant);
    }
    match asked {
        Asked::Repository { name, public: true } if permission == Permission::Pull => {
            Ground::Public(name)
        }
        _ => Ground::NoGrant,
    }
}

fn is_within(ceiling: &[Scope], permission: Permission, asked: Asked<'_>) -> bool {
    match asked {
        Asked::Repository { name, .. } => {
            ceiling.iter().any(|scope| scope.allows(permission, name))
        }
        Asked::Project(_) | Asked::Installation => false,
    }
}

fn beyond_ceiling(ceiling: &[Scope], permission: Permission) -> Decision {
    let scopes: Vec<String> = ceiling.iter().map(ToString::to_string).collect();
    let scopes = if scopes.is_empty() { "nothing".to_owned() } else { scopes.join(" ") };
    Decision::deny(
        BEYOND_CEILING,
        format!("the token is limited to {scopes}, which does not include {permission}"),
        format!("use a credential whose scope includes {permission}"),
    )
}

fn no_grant(permission: Permission, asked: Asked<'_>) -> Decision {
    let role = permission.least_role();
    let (what, whom) = match asked {
        Asked::Repository { name, .. } => {
            (format!("in {name}"), format!("project {}", ProjectName::text_of(name)))
        }
        Asked::Project(project) => (format!("in project {project}"), format!("project {project}")),
        Asked::Installation => ("here".to_owned(), "the whole installation".to_owned()),
    };
    Decision::deny(
        "no role",
        format!("no role of yours allows {permission} {what}"),
        format!("ask for the role {role} in {whom}"),
    )
}

impl Rights {
    /// May do everything.
    pub fn unlimited(why: &'static str) -> Self {
        Self { unlimited: Some(why), ..Self::default() }
    }
}

impl Grant {
    fn covers(&self, permission: Permission, asked: Asked<'_>) -> bool {
        if !self.role.gives(permission) {
            return false;
        }
        match asked {
            Asked::Repository { name, .. } => {
                let here = match &self.realm {
                    Realm::Everywhere => true,
                    Realm::Project(project) => project.as_str() == ProjectName::text_of(name),
                };
                here && self.repositories.as_ref().is_none_or(|pattern| pattern.covers(name))
            }
            Asked::Project(asked) => {
                let here = match &self.realm {
                    Realm::Everywhere => true,
                    Realm::Project(project) => project == asked,
                };
                // Who may read one repository of a project sees that there is the project.
                here && (self.repositories.is_none() || permission == Permission::ViewProject)
            }
            Asked::Installation => self.realm == Realm::Everywhere && self.repositories.is_none(),
        }
    }
}

impl std::fmt::Display for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} has the role {} ", self.origin, self.role)?;
        match &self.realm {
            Realm::Everywhere => f.write_str("everywhere")?,
            Realm::Project(project) => write!(f, "in project {project}")?,
        }
        match &self.repositories {
            Some(pattern) => write!(f, " for {pattern}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(role: Role, project: Option<&str>, repositories: Option<&str>) -> Grant {
        let realm = match project {
            Some(project) => Realm::Project(project.parse().unwrap()),
            None => Realm::Everywhere,
        };
        let repositories = repositories.map(|pattern| pattern.parse().unwrap());
        Grant { role, realm, repositories, origin: "user:alice".into() }
    }

    fn check(rights: &Rights, permission: Permission, repository: &str, public: bool) -> bool {
        let name: RepositoryName = repository.parse().unwrap();
        decide(rights, permission, Asked::Repository { name: &name, public }).is_allowed()
    }

    /// Whom each role lets give, and take away, which others in their project.
    #[test]
    fn governance_is_given_and_taken_by_administrators() {
        const TABLE: [(Role, &str); 5] = [
            (Role::Reader, ""),
            (Role::Developer, ""),
            (Role::Promoter, ""),
            (Role::Maintainer, "reader developer maintainer"),
            (Role::Administrator, "reader developer promoter maintainer administrator"),
        ];
        let (apps, other) = ("apps".parse().unwrap(), "other".parse().unwrap());
        for (own, expected) in TABLE {
            let managed = |rights: &Rights, asked| {
                let all = Role::ALL.into_iter();
                let managed = all.filter(|role| decide_role(rights, *role, asked).is_allowed());
                managed.map(Role::as_str).collect::<Vec<_>>().join(" ")
            };
            let here = grant(own, Some("apps"), None);
            let rights = Rights { grants: vec![here], ..Rights::default() };
            assert_eq!(managed(&rights, Asked::Project(&apps)), expected, "{own}");
            assert_eq!(managed(&rights, Asked::Project(&other)), "", "{own}, elsewhere");
            assert_eq!(managed(&rights, Asked::Installation), "", "{own}, everywhere");
            // Nor does it help to promote, too.
            let promoter = grant(Role::Promoter, Some("apps"), None);
            let both = Rights { grants: [rights.grants, vec![promoter]].concat(), ..rights };
            assert_eq!(managed(&both, Asked::Project(&apps)), expected, "{own} and promoter");
            let part = vec![grant(own, Some("apps"), Some("apps/web-*"))];
            let part = Rights { grants: part, ..Rights::default() };
            assert_eq!(managed(&part, Asked::Project(&apps)), "", "{own} of some repositories");
        }
        let ceiling = Some(vec!["repository:apps/*:*".parse().unwrap()]);
        let limited = Rights { ceiling, ..Rights::unlimited("administrator") };
        let refused = decide_role(&limited, Role::Reader, Asked::Project(&apps));
        assert!(!refused.is_allowed(), "{refused:?}");
    }

    #[test]
    fn a_role_holds_where_it_was_granted() {
        let rights = Rights {
            grants: vec![
                grant(Role::Developer, Some("apps"), None),
                grant(Role::Maintainer, Some("charts"), Some("charts/web-*")),
            ],
            ..Rights::default()
        };
        for (permission, repository, allowed) in [
            (Permission::Push, "apps/x", true),
            (Permission::Push, "apps", true),
            (Permission::Delete, "apps/x", false),
            (Permission::Push, "apps2/x", false),
            (Permission::Delete, "charts/web-1", true),
            (Permission::Pull, "charts/db", false),
        ] {
            assert_eq!(check(&rights, permission, repository, false), allowed, "{repository}");
        }
        let charts = "charts".parse().unwrap();
        let asked = Asked::Project(&charts);
        assert!(decide(&rights, Permission::ViewProject, asked).is_allowed());
        assert!(!decide(&rights, Permission::ManageProject, asked).is_allowed());
    }

    #[test]
    fn a_public_project_is_for_reading() {
        let nobody = Rights::default();
        assert!(check(&nobody, Permission::Pull, "apps/x", true));
        assert!(!check(&nobody, Permission::Push, "apps/x", true));
        assert!(!check(&nobody, Permission::Pull, "apps/x", false));
    }

    #[test]
    fn a_ceiling_holds_for_everybody() {
        let ceiling = Some(vec!["repository:apps/x:pull".parse().unwrap()]);
        let rights = Rights { ceiling, ..Rights::unlimited("administrator") };
        assert!(check(&rights, Permission::Pull, "apps/x", false));
        assert!(!check(&rights, Permission::Push, "apps/x", false));
        assert!(!check(&rights, Permission::Pull, "apps/y", true), "not even what is public");
        assert!(!decide(&rights, Permission::Administer, Asked::Installation).is_allowed());
    }

    #[test]
    fn a_decision_names_its_rule_and_the_way_out() {
        let rights =
            Rights { grants: vec![grant(Role::Reader, Some("apps"), None)], ..Rights::default() };
        let name = "apps/x".parse().unwrap();
        let asked = Asked::Repository { name: &name, public: false };
        let allowed = decide(&rights, Permission::Pull, asked);
        assert_eq!(allowed.rule, "user:alice has the role reader in project apps");
        let denied = decide(&rights, Permission::Push, asked);
        assert_eq!(denied.reason, "no role of yours allows push in apps/x");
        assert_eq!(denied.fix.as_deref(), Some("ask for the role developer in project apps"));
    }
}
