use std::{fmt, str::FromStr};

use plura_meta::{
    Connection, ProjectId, Timestamp, Tx,
    account::{self, Kind},
    audit::Event,
    membership::{self, Membership, NewMembership},
    project,
};
use plura_policy::{
    AccountName, Asked, Pattern, ProjectName, Rights, Role, SpiffePattern, decide_role,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

use crate::{Access, Caller, Error, RobotGrant, rights, schema, time};

/// Whom a role is given to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A person.
    User(AccountName),
    /// A robot.
    Robot(AccountName),
    /// A group that the issuer of a login names.
    Group(String),
    /// Holders of certificates with such a SPIFFE ID.
    Spiffe(SpiffePattern),
    /// Holders of certificates with this host name.
    Dns(String),
    /// What a trust entry leads to.
    Trust(String),
    /// Every person who can log in.
    Everyone,
}

/// The text is not a subject.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a subject; expected user:NAME, robot:NAME, group:NAME, spiffe:spiffe://DOMAIN/PATH, \
     dns:NAME, trust:NAME or everyone"
)]
pub struct ParseSubjectError(String);

/// A role that somebody has.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Member {
    /// Its key.
    #[schema(value_type = schema::Key)]
    pub id: String,
    /// Who.
    #[schema(value_type = schema::Subject)]
    pub subject: String,
    /// What.
    #[schema(value_type = schema::Role)]
    pub role: Role,
    /// In which project; everywhere without.
    #[schema(value_type = Option<schema::ProjectName>)]
    pub project: Option<String>,
    /// In which repositories there; all without.
    #[schema(value_type = Option<schema::RepositoryPattern>)]
    pub repositories: Option<String>,
    /// Since when.
    #[schema(value_type = schema::Instant)]
    pub created_at: String,
    /// By whom.
    pub created_by: String,
}

/// A role to be given.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// To whom.
    #[schema(value_type = schema::Subject)]
    pub subject: Subject,
    /// What.
    #[schema(value_type = schema::Role)]
    pub role: Role,
    /// In which repositories; all without.
    #[schema(value_type = Option<schema::RepositoryPattern>)]
    pub repositories: Option<Pattern>,
}

impl Access {
    /// The roles in a project, or those everywhere.
    pub async fn members(&self, project: Option<&ProjectName>) -> Result<Vec<Member>, Error> {
        let mut connection = self.read_db().await?;
        let id = find_project(&mut connection, project).await?;
        let found = membership::list(&mut connection, id).await?;
        found.into_iter().map(Member::of).collect()
    }

    /// Gives a role, to those who may: see [`decide_role`].
    pub async fn add_member(
        &self,
        caller: &Caller,
        project: Option<&ProjectName>,
        new: NewMember,
    ) -> Result<Member, Error> {
        let NewMember { subject, role, repositories } = new;
        let grant = RobotGrant { role, project: project.cloned(), repositories };
        let (caller, now) = (caller.clone(), Timestamp::now());
        self.change(move |tx| {
            Box::pin(async move {
                let id = give(tx, &caller, &subject, &grant, now).await?;
                let found = membership::find(tx, &id).await?;
                let found = found.ok_or_else(|| Error::unknown("membership", &id))?;
                let event = changed("member.add", &found);
                plura_meta::audit::record(tx, &caller.origin, &event, now).await?;
                Member::of(found)
            })
        })
        .await
    }

    /// Takes a role away, for those who may give it.
    pub async fn remove_member(
        &self,
        caller: &Caller,
        project: Option<&ProjectName>,
        id: &str,
    ) -> Result<(), Error> {
        let (project, id) = (project.cloned(), id.to_owned());
        let (caller, now) = (caller.clone(), Timestamp::now());
        self.change(move |tx| {
            Box::pin(async move {
                let found = membership::find(tx, &id).await?;
                // A key of another project's membership is as good as none.
                let wanted = project.as_ref().map(ProjectName::as_str);
                let found = found.filter(|found| found.project.as_deref() == wanted);
                let found = found.ok_or_else(|| Error::unknown("membership", &id))?;
                let role = rights::grant(&found)?.role;
                may_manage(&caller.principal.rights, role, project.as_ref())?;
                membership::delete(tx, &id).await?;
                let event = changed("member.remove", &found);
                Ok(plura_meta::audit::record(tx, &caller.origin, &event, now).await?)
            })
        })
        .await
    }
}

/// Gives a role in a transaction; the key of the membership.
pub(crate) async fn give(
    tx: &mut Tx,
    caller: &Caller,
    subject: &Subject,
    grant: &RobotGrant,
    now: Timestamp,
) -> Result<String, Error> {
    may_manage(&caller.principal.rights, grant.role, grant.project.as_ref())?;
    if let (Some(pattern), Some(project)) = (&grant.repositories, &grant.project) {
        check_pattern(pattern, project)?;
    }
    let project_id = find_project(tx, grant.project.as_ref()).await?;
    let new = NewMembership {
        subject_kind: subject.kind(),
        subject: subject.stored(tx).await?,
        role: grant.role.as_str(),
        project: project_id,
        repositories: grant.repositories.as_ref().map(ToString::to_string),
        created_by: caller.origin.actor.clone(),
    };
    Ok(membership::insert(tx, &new, now).await?)
}

/// Refuses who may neither give the role nor take it away.
pub(crate) fn may_manage(
    rights: &Rights,
    role: Role,
    project: Option<&ProjectName>,
) -> Result<(), Error> {
    let asked = project.map_or(Asked::Installation, Asked::Project);
    let decision = decide_role(rights, role, asked);
    if decision.is_allowed() { Ok(()) } else { Err(Error::Denied(Box::new(decision))) }
}

/// A pattern that covers nothing in its project is a mistake.
fn check_pattern(pattern: &Pattern, project: &ProjectName) -> Result<(), Error> {
    let text = pattern.as_str();
    let (name, below) = (project.as_str(), format!("{}/", project.as_str()));
    if text == name || text.starts_with(&below) || text.starts_with('*') {
        return Ok(());
    }
    let reason = format!("`{text}` covers nothing in project {name}; begin it with `{below}`");
    Err(Error::invalid("repositories", reason))
}

async fn find_project(
    connection: &mut Connection,
    name: Option<&ProjectName>,
) -> Result<Option<ProjectId>, Error> {
    let Some(name) = name else { return Ok(None) };
    let found = project::find(connection, name.as_str()).await?;
    Ok(Some(found.ok_or_else(|| Error::unknown("project", name))?.id))
}

fn changed(action: &'static str, membership: &Membership) -> Event {
    let event = Event::done(action, rights::subject(membership))
        .of_project(membership.project.as_deref().unwrap_or_default());
    let detail = serde_json::json!({
        "role": membership.role,
        "project": membership.project,
        "repositories": membership.repositories,
    });
    Event { detail: detail.to_string(), ..event }
}

impl Member {
    fn of(membership: Membership) -> Result<Self, Error> {
        let grant = rights::grant(&membership)?;
        Ok(Self {
            id: membership.id,
            subject: grant.origin,
            role: grant.role,
            project: membership.project,
            repositories: membership.repositories,
            created_at: time::rfc3339(membership.created_at),
            created_by: membership.created_by,
        })
    }
}

impl Subject {
    const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Robot(_) => "robot",
            Self::Group(_) => "group",
            Self::Spiffe(_) => "spiffe",
            Self::Dns(_) => "dns",
            Self::Trust(_) => "trust",
            Self::Everyone => "everyone",
        }
    }

    /// What the membership has: the key of an account, so that a later one of that name gets nothing.
    async fn stored(&self, tx: &mut Tx) -> Result<String, Error> {
        let (name, kind) = match self {
            Self::User(name) => (name, Kind::User),
            Self::Robot(name) => (name, Kind::Robot),
            Self::Group(text) | Self::Dns(text) => return Ok(text.clone()),
            Self::Trust(name) => {
                let found = plura_meta::trust::find(tx, name).await?;
                return Ok(found.ok_or_else(|| Error::unknown("trust entry", name))?.name);
            }
            Self::Spiffe(pattern) => return Ok(pattern.to_string()),
            Self::Everyone => return Ok(String::new()),
        };
        let found = account::find_named(tx, name.as_str()).await?;
        let found = found.filter(|account| account.kind() == kind);
        let found = found.ok_or_else(|| Error::unknown(kind.as_str(), name))?;
        Ok(found.id.as_str().to_owned())
    }
}

impl FromStr for Subject {
    type Err = ParseSubjectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const LONGEST: usize = 256;
        let malformed = || ParseSubjectError(text.chars().take(LONGEST).collect());
        if text == "everyone" {
            return Ok(Self::Everyone);
        }
        let (kind, name) = text.split_once(':').ok_or_else(malformed)?;
        let plain = !name.is_empty()
            && name.len() <= LONGEST
            && !name.chars().any(|c| c.is_control() || c.is_whitespace());
        match kind {
            "user" => {
                let name: AccountName = name.parse().map_err(|_| malformed())?;
                if name.is_robot() { Err(malformed()) } else { Ok(Self::User(name)) }
            }
            "robot" => {
                let name: AccountName = name.parse().map_err(|_| malformed())?;
                if name.is_robot() { Ok(Self::Robot(name)) } else { Err(malformed()) }
            }
            "group" if plain => Ok(Self::Group(name.to_owned())),
            "dns" if plain => Ok(Self::Dns(name.to_ascii_lowercase())),
            "trust" if plain => Ok(Self::Trust(name.to_owned())),
            "spiffe" => Ok(Self::Spiffe(name.parse().map_err(|_| malformed())?)),
            _ => Err(malformed()),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) | Self::Robot(name) => write!(f, "{}:{name}", self.kind()),
            Self::Group(name) | Self::Dns(name) | Self::Trust(name) => {
                write!(f, "{}:{name}", self.kind())
            }
            Self::Spiffe(pattern) => write!(f, "spiffe:{pattern}"),
            Self::Everyone => f.write_str("everyone"),
        }
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Subject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
