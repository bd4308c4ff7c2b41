use std::time::Duration;

use plura_meta::{
    Connection, ProjectId, Timestamp, Tx,
    account::{self, Account, Kind},
    audit::Event,
    credential::{self, Credential},
    membership::{self, Membership},
    project,
};
use plura_policy::{AccountName, Pattern, ProjectName, Realm, Role};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Access, Caller, Error,
    members::{self, Subject},
    rights, schema,
    secret::{Secret, SecretKind},
    time, users, whole,
};

/// A robot: an account for a machine, whose secret ends.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Robot {
    /// What it goes by: `robot+NAME` or `robot+PROJECT+NAME`.
    #[schema(value_type = schema::RobotName)]
    pub name: String,
    /// The project that it belongs to.
    #[schema(value_type = Option<schema::ProjectName>)]
    pub project: Option<String>,
    /// What it is for.
    pub description: String,
    /// May do nothing.
    pub disabled: bool,
    /// Since when.
    #[schema(value_type = schema::Instant)]
    pub created_at: String,
    /// Until when its newest secret is good.
    #[schema(value_type = Option<schema::Instant>)]
    pub expires_at: Option<String>,
    /// Whether that is soon, or was.
    pub expires_soon: bool,
    /// When it was last used, to the minute.
    #[schema(value_type = Option<schema::Instant>)]
    pub last_used_at: Option<String>,
    /// What it may do.
    pub grants: Vec<RobotGrant>,
}

/// What a robot or a trust entry may do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Grant)]
#[serde(deny_unknown_fields)]
pub struct RobotGrant {
    /// The role.
    #[schema(value_type = schema::Role)]
    pub role: Role,
    /// In which project; everywhere without. A project's robot has roles in its project only.
    #[schema(value_type = Option<schema::ProjectName>)]
    pub project: Option<ProjectName>,
    /// In which repositories; all without.
    #[schema(value_type = Option<schema::RepositoryPattern>)]
    pub repositories: Option<Pattern>,
}

/// A robot to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRobot {
    /// The last part of its name.
    #[schema(value_type = schema::RobotWord)]
    pub name: String,
    /// The project that it belongs to; without, it is one of the whole installation.
    #[schema(value_type = Option<schema::ProjectName>)]
    pub project: Option<ProjectName>,
    /// What it is for.
    #[schema(value_type = Option<schema::Text>)]
    pub description: Option<String>,
    /// What it may do.
    #[serde(default)]
    pub grants: Vec<RobotGrant>,
    /// For how many days its secret is good: 90 if not given; 0 for ever, which an administrator may
    /// say.
    #[serde(default, deserialize_with = "whole::optional")]
    #[schema(minimum = 0, maximum = 3650)]
    pub expires_in_days: Option<u32>,
}

/// What is to be different; what is not given stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeRobot {
    /// What it is for.
    #[schema(value_type = Option<schema::Text>)]
    pub description: Option<String>,
    /// May do nothing.
    pub disabled: Option<bool>,
    /// For how many days from now on its secret is good; 0 for ever, which an administrator may
    /// say.
    #[serde(default, deserialize_with = "whole::optional")]
    #[schema(minimum = 0, maximum = 3650)]
    pub expires_in_days: Option<u32>,
}

const DAY: Duration = Duration::from_hours(24);
const LONGEST_LIFE: u32 = 3650;
/// A rotated secret may work this much longer.
const LONGEST_OVERLAP: u64 = 7 * 24 * 60 * 60;

impl Access {
    /// Robots behind `after`, by name, of a project or of all; at most `limit`.
    pub async fn robots(
        &self,
        project: Option<&ProjectName>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Robot>, Error> {
        let mut connection = self.read_db().await?;
        let id = project_id(&mut connection, project).await?;
        let found = account::list(&mut connection, Kind::Robot, id, after, limit).await?;
        let mut robots = Vec::new();
        for account in &found {
            robots.push(self.robot_of(&mut connection, account).await?);
        }
        Ok(robots)
    }

    /// One robot.
    pub async fn robot(&self, name: &AccountName) -> Result<Robot, Error> {
        let mut connection = self.read_db().await?;
        let account = find(&mut connection, name).await?;
        self.robot_of(&mut connection, &account).await
    }

    /// Makes a robot; the secret is told now and never again.
    pub async fn create_robot(
        &self,
        caller: &Caller,
        new: NewRobot,
    ) -> Result<(Robot, Secret), Error> {
        if new.name.contains('+') {
            let reason = "the project is a field of its own; expected the last part of the name";
            return Err(Error::invalid("name", reason));
        }
        let name = AccountName::robot(new.project.as_ref(), &new.name);
        let name = name.map_err(|error| Error::invalid("name", error))?;
        users::check_text("description", new.description.as_deref())?;
        let grants = grants_within(new.grants, new.project.as_ref())?;
        let now = Timestamp::now();
        let expires_at = self.expiry(caller, new.expires_in_days, now)?;
        let secret = Secret::generate(SecretKind::Robot)?;
        let hash = secret.hash().as_str().to_owned();
        let (caller, description) = (caller.clone(), new.description.unwrap_or_default());
        let account = self
            .change(move |tx| {
                Box::pin(async move {
                    let mut account = Account::new(Kind::Robot, name.as_str(), now);
                    account.display_name = description;
                    account.project_id = project_id(tx, new.project.as_ref()).await?;
                    if !account::insert(tx, &account).await? {
                        return Err(Error::Conflict(format!("there is a robot `{name}`")));
                    }
                    add_secret(tx, &account, &hash, expires_at, now).await?;
                    for grant in &grants {
                        let subject = Subject::Robot(name.clone());
                        members::give(tx, &caller, &subject, grant, now).await?;
                    }
                    let event = event("robot.create", &account, new.project.as_ref());
                    plura_meta::audit::record(tx, &caller.origin, &event, now).await?;
                    Ok(account)
                })
            })
            .await?;
        let robot = self.robot_of(&mut self.read_db().await?, &account).await?;
        Ok((robot, secret))
    }

    /// Changes a robot.
    pub async fn change_robot(
        &self,
        caller: &Caller,
        name: &AccountName,
        change: ChangeRobot,
    ) -> Result<Robot, Error> {
        users::check_text("description", change.description.as_deref())?;
        let now = Timestamp::now();
        let expiry = match change.expires_in_days {
            Some(_) => Some(self.expiry(caller, change.expires_in_days, now)?),
            None => None,
        };
        let (robot, caller) = (name.clone(), caller.clone());
        self.change(move |tx| {
            Box::pin(async move {
                let mut account = find(tx, &robot).await?;
                check_reach(tx, &caller, &account).await?;
                account.display_name = change.description.unwrap_or(account.display_name);
                account.disabled = change.disabled.unwrap_or(account.disabled);
                account::update(tx, &account).await?;
                if let Some(expires_at) = expiry {
                    credential::set_newest_expiry(tx, &account.id, expires_at).await?;
                }
                let mut event = event("robot.update", &account, robot_project(&robot).as_ref());
                event.detail = serde_json::json!({ "disabled": account.disabled }).to_string();
                Ok(plura_meta::audit::record(tx, &caller.origin, &event, now).await?)
            })
        })
        .await?;
        self.robot(name).await
    }

    /// Gives a robot a new secret; the one before works for `overlap` longer, so that what uses it can
    /// be changed without a gap.
    pub async fn rotate_robot(
        &self,
        caller: &Caller,
        name: &AccountName,
        overlap: Duration,
    ) -> Result<(Robot, Secret), Error> {
        if overlap.as_secs() > LONGEST_OVERLAP {
            let reason = format!("at most {LONGEST_OVERLAP}");
            return Err(Error::invalid("overlap_seconds", reason));
        }
        let secret = Secret::generate(SecretKind::Robot)?;
        let hash = secret.hash().as_str().to_owned();
        let (robot, caller, now) = (name.clone(), caller.clone(), Timestamp::now());
        let life = self.shared.settings.robot_life;
        self.change(move |tx| {
            Box::pin(async move {
                let account = find(tx, &robot).await?;
                check_reach(tx, &caller, &account).await?;
                let newest = newest(tx, &account).await?;
                // It is good for as long as the one before was made for.
                let expires_at = match newest {
                    Some(before) => before.expires_at.map(|until| {
                        let life = until.0.saturating_sub(before.created_at.0).max(0);
                        Timestamp(now.0.saturating_add(life))
                    }),
                    None => Some(now.after(life)),
                };
                credential::end_robot_secrets(tx, &account.id, now.after(overlap)).await?;
                add_secret(tx, &account, &hash, expires_at, now).await?;
                let event = event("robot.rotate", &account, robot_project(&robot).as_ref());
                Ok(plura_meta::audit::record(tx, &caller.origin, &event, now).await?)
            })
        })
        .await?;
        Ok((self.robot(name).await?, secret))
    }

    /// Removes a robot with its secrets and roles.
    pub async fn delete_robot(&self, caller: &Caller, name: &AccountName) -> Result<(), Error> {
        let (robot, caller, now) = (name.clone(), caller.clone(), Timestamp::now());
        self.change(move |tx| {
            Box::pin(async move {
                let account = find(tx, &robot).await?;
                check_reach(tx, &caller, &account).await?;
                account::delete(tx, &account.id).await?;
                let event = event("robot.delete", &account, robot_project(&robot).as_ref());
                Ok(plura_meta::audit::record(tx, &caller.origin, &event, now).await?)
            })
        })
        .await
    }

    fn expiry(
        &self,
        caller: &Caller,
        days: Option<u32>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        match days {
            None => Ok(Some(now.after(self.shared.settings.robot_life))),
            Some(0) if caller.principal.rights.unlimited.is_some() => Ok(None),
            Some(0) => {
                let reason = "only an administrator makes a robot whose secret never ends";
                Err(Error::invalid("expires_in_days", reason))
            }
            Some(days) if days <= LONGEST_LIFE => Ok(Some(now.after(DAY * days))),
            Some(_) => Err(Error::invalid("expires_in_days", format!("at most {LONGEST_LIFE}"))),
        }
    }

    async fn robot_of(
        &self,
        connection: &mut Connection,
        account: &Account,
    ) -> Result<Robot, Error> {
        let name: AccountName = account.name.parse().map_err(|_| {
            Error::Metadata(plura_meta::Error::Corrupt(format!("account.name {}", account.name)))
        })?;
        let newest = newest(connection, account).await?;
        let ends = newest.as_ref().and_then(|newest| newest.expires_at);
        let warned = Timestamp::now().after(self.shared.settings.robot_warning);
        let grants = membership::of_subject(connection, "robot", account.id.as_str()).await?;
        Ok(Robot {
            project: robot_project(&name).map(|project| project.to_string()),
            name: account.name.clone(),
            description: account.display_name.clone(),
            disabled: account.disabled,
            created_at: time::rfc3339(account.created_at),
            expires_soon: ends.is_some_and(|ends| ends < warned),
            expires_at: ends.map(time::rfc3339),
            last_used_at: account.last_used_at.map(time::rfc3339),
            grants: grants.iter().map(RobotGrant::of).collect::<Result<_, _>>()?,
        })
    }
}

/// The project in the name of a robot.
pub fn robot_project(name: &AccountName) -> Option<ProjectName> {
    let (project, _) = name.as_str().strip_prefix("robot+")?.split_once('+')?;
    project.parse().ok()
}

/// A project's robot has roles in its project only.
fn grants_within(
    grants: Vec<RobotGrant>,
    project: Option<&ProjectName>,
) -> Result<Vec<RobotGrant>, Error> {
    let Some(project) = project else { return Ok(grants) };
    let within = |grant: RobotGrant| match &grant.project {
        Some(other) if other != project => {
            let reason = format!("a robot of project {project} has no roles in {other}");
            Err(Error::invalid("grants", reason))
        }
        _ => Ok(RobotGrant { project: Some(project.clone()), ..grant }),
    };
    grants.into_iter().map(within).collect()
}

/// Who has a robot's secret may do what the robot may, and who removes or stops a robot takes its roles
/// away: only who may give and take each of them does so.
async fn check_reach(tx: &mut Tx, caller: &Caller, robot: &Account) -> Result<(), Error> {
    for membership in membership::of_subject(tx, "robot", robot.id.as_str()).await? {
        let grant = RobotGrant::of(&membership)?;
        members::may_manage(&caller.principal.rights, grant.role, grant.project.as_ref())?;
    }
    Ok(())
}

async fn add_secret(
    tx: &mut Tx,
    account: &Account,
    hash: &str,
    expires_at: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Error> {
    let new = Credential::new(account.id.clone(), credential::Kind::Robot, "", now);
    Ok(credential::insert(tx, &Credential { expires_at, ..new }, hash).await?)
}

async fn newest(
    connection: &mut Connection,
    account: &Account,
) -> Result<Option<Credential>, Error> {
    Ok(credential::list(connection, &account.id, credential::Kind::Robot).await?.pop())
}

async fn find(connection: &mut Connection, name: &AccountName) -> Result<Account, Error> {
    let found = account::find_named(connection, name.as_str()).await?;
    let found = found.filter(|account| account.kind() == Kind::Robot);
    found.ok_or_else(|| Error::unknown("robot", name))
}

async fn project_id(
    connection: &mut Connection,
    project: Option<&ProjectName>,
) -> Result<Option<ProjectId>, Error> {
    let Some(name) = project else { return Ok(None) };
    let found = project::find(connection, name.as_str()).await?;
    Ok(Some(found.ok_or_else(|| Error::unknown("project", name))?.id))
}

fn event(action: &'static str, account: &Account, project: Option<&ProjectName>) -> Event {
    Event::done(action, format!("robot:{}", account.name))
        .of_project(project.map(ProjectName::as_str).unwrap_or_default())
}

impl RobotGrant {
    pub(crate) fn of(membership: &Membership) -> Result<Self, Error> {
        let grant = rights::grant(membership)?;
        let project = match grant.realm {
            Realm::Everywhere => None,
            Realm::Project(name) => Some(name),
        };
        Ok(Self { role: grant.role, project, repositories: grant.repositories })
    }
}
