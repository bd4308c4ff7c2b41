//! Whether the sender of a request may do what it asks: the one place where the API decides.
//!
//! A decision is made from names and roles alone, before anything is looked up. Who may not even see a
//! project learns that there is none of that name, like everybody who asks for one that there is not.

use http::StatusCode;
use plura_access::{Event, ExplainAs, Identity, Outcome};
use plura_oci::{ErrorCode, Reference, RepositoryName};
use plura_policy::{AccountName, Asked, Decision, Permission, ProjectName};
use serde_json::json;

use super::call::Call;
use crate::{auth::bad_request, error::ApiError, v2::authorise::denied};

/// What a route needs of who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing; what is shown is not looked at.
    Nothing,
    /// To have shown who one is.
    Login,
    /// A permission on the whole installation.
    Installation(Permission),
    /// To see the project in the path: to have a role in it, or that it is public.
    SeeProject,
    /// A permission on the project in the path.
    Project(Permission),
    /// A permission on each repository that the query names; what it names need not be there.
    Repository(Permission),
    /// A permission on the repository that the body names, or that what the path names is about. The
    /// handler asks when it knows.
    NamedRepository(Permission),
    /// To promote in the repository that the body names, or a rollback key in the body.
    Rollback,
    /// To pull from the repository that the body, or the name of a scan, names; it need not be there.
    Scan,
    /// To manage the robots of the project that the robot's name or the query names. Robots of no
    /// project are the administrators'.
    Robots,
    /// The same for a robot that is to be made: the body names the project.
    NewRobot,
    /// To be the user that the path or the query names; else to administer the installation.
    Oneself,
    /// The same for the question what somebody may do (`as`).
    Explain,
    /// To read the audit of the project in the query; without, of everything.
    Audit,
    /// To operate the installation, unless the figures are everybody's.
    Figures,
    /// To have shown who one is, unless the log is everybody's.
    Log,
    /// To pull from the repository in the query; without, to operate the installation.
    RepositoryFigures,
}

/// Refuses a request that its sender may not make.
pub(super) async fn permit(call: &Call, need: Need) -> Result<(), ApiError> {
    match need {
        // The handlers of the last two ask when they know what it is about.
        Need::Nothing | Need::Rollback | Need::Scan => Ok(()),
        Need::SeeProject => see(call, &call.parameter("project")?).await,
        Need::Repository(permission) => repositories(call, permission).await,
        Need::Figures if call.state.options.anonymous_metrics => Ok(()),
        Need::RepositoryFigures => match call.asked::<RepositoryName>("repo")? {
            Some(name) => repository(call, Permission::Pull, &name).await,
            None if call.caller.principal.is_anonymous() => Err(login_required()),
            None => installation(call, Permission::Operate).await,
        },
        Need::Log if call.state.options.public_log => Ok(()),
        _ if call.caller.principal.is_anonymous() => Err(login_required()),
        // The handler asks `robots`, or `repository`, when it has read the body.
        Need::Login | Need::Log | Need::NewRobot | Need::NamedRepository(_) => Ok(()),
        Need::Installation(permission) => installation(call, permission).await,
        Need::Project(permission) => project(call, permission, &call.parameter("project")?).await,
        Need::Robots => named_robots(call).await,
        Need::Oneself => oneself(call).await,
        Need::Explain => explain(call).await,
        Need::Audit => match call.asked::<ProjectName>("project")? {
            Some(name) => project(call, Permission::ReadAudit, &name).await,
            None => installation(call, Permission::ReadAudit).await,
        },
        Need::Figures => installation(call, Permission::Operate).await,
    }
}

/// The name by which the sender was permitted, where it can be another one than its first.
pub(super) fn deciding_name(call: &Call, need: Need) -> Result<Option<String>, ApiError> {
    let principal = &call.caller.principal;
    let name = |permission, asked| {
        Some(call.access().deciding_name(principal, permission, asked).to_owned())
    };
    Ok(match need {
        Need::Installation(permission) => name(permission, Asked::Installation),
        Need::Project(permission) => {
            let project: ProjectName = call.parameter("project")?;
            name(permission, Asked::Project(&project))
        }
        Need::Robots => match robots_of(call)? {
            Some(project) => name(Permission::ManageRobots, Asked::Project(&project)),
            None => name(Permission::Administer, Asked::Installation),
        },
        _ => None,
    })
}

/// For what is about no project.
pub(super) async fn installation(call: &Call, permission: Permission) -> Result<(), ApiError> {
    let decision = decide(call, permission, Asked::Installation);
    if decision.is_allowed() { Ok(()) } else { Err(refuse(call, None, &decision).await) }
}

/// For the robots of a project, or those of none.
pub(super) async fn robots(call: &Call, name: Option<&ProjectName>) -> Result<(), ApiError> {
    match name {
        Some(name) => project(call, Permission::ManageRobots, name).await,
        None => installation(call, Permission::Administer).await,
    }
}

async fn project(call: &Call, permission: Permission, name: &ProjectName) -> Result<(), ApiError> {
    let decision = decide(call, permission, Asked::Project(name));
    if decision.is_allowed() {
        return Ok(());
    }
    let refusal = refuse(call, Some(name), &decision).await;
    if sees(call, name).await? { Err(refusal) } else { Err(no_project(name)) }
}

/// The parameters of queries that name repositories.
const REPOSITORIES: [&str; 2] = ["repository", "to_repository"];

async fn repositories(call: &Call, permission: Permission) -> Result<(), ApiError> {
    let mut named = false;
    for parameter in REPOSITORIES {
        if let Some(name) = call.asked::<RepositoryName>(parameter)? {
            repository(call, permission, &name).await?;
            named = true;
        }
    }
    if named { Ok(()) } else { Err(bad_request("repository: expected the name of a repository")) }
}

/// As `/v2` decides: whether there is such a repository makes no difference.
pub(super) async fn repository(
    call: &Call,
    permission: Permission,
    name: &RepositoryName,
) -> Result<(), ApiError> {
    // The project is looked at only where the answer can depend on it.
    if decide(call, permission, Asked::Repository { name, public: false }).is_allowed() {
        return Ok(());
    }
    let public = permission == Permission::Pull && call.access().is_public(name).await?;
    let decision = decide(call, permission, Asked::Repository { name, public });
    if decision.is_allowed() {
        return Ok(());
    }
    if call.caller.principal.is_anonymous() {
        return Err(login_required());
    }
    let reference = call.asked::<Reference>("reference").ok().flatten();
    let reference = reference.map(|reference| reference.to_string()).unwrap_or_default();
    let event = Event::in_repository(call.action, name.as_str(), &reference);
    call.access().record(&call.caller.origin, refused(event, &decision)).await?;
    Err(denied(&decision))
}

async fn see(call: &Call, name: &ProjectName) -> Result<(), ApiError> {
    if sees(call, name).await? {
        return Ok(());
    }
    if call.caller.principal.is_anonymous() {
        return Err(login_required());
    }
    let decision = decide(call, Permission::ViewProject, Asked::Project(name));
    // It is in the audit; the answer does not tell that there is something.
    refuse(call, Some(name), &decision).await;
    Err(no_project(name))
}

async fn sees(call: &Call, name: &ProjectName) -> Result<bool, ApiError> {
    if decide(call, Permission::ViewProject, Asked::Project(name)).is_allowed() {
        return Ok(true);
    }
    // Every name of a project is one of a repository.
    let Ok(repository) = name.as_str().parse() else { return Ok(false) };
    Ok(call.access().is_public(&repository).await?)
}

async fn named_robots(call: &Call) -> Result<(), ApiError> {
    robots(call, robots_of(call)?.as_ref()).await
}

fn robots_of(call: &Call) -> Result<Option<ProjectName>, ApiError> {
    match call.named::<AccountName>("robot")? {
        Some(robot) => Ok(plura_access::robot_project(&robot)),
        None => call.asked("project"),
    }
}

async fn oneself(call: &Call) -> Result<(), ApiError> {
    let named = match call.named::<AccountName>("user")? {
        Some(name) => Some(name),
        None => call.asked("user")?,
    };
    let is_oneself = match (&call.caller.principal.identity, &named) {
        (Identity::User(_, own), Some(name)) => own == name,
        (_, named) => named.is_none(),
    };
    if !is_oneself {
        return installation(call, Permission::Administer).await;
    }
    if call.caller.principal.rights.ceiling.is_none() {
        return Ok(());
    }
    // What is limited to repositories is no way to more.
    let decision = Decision::deny(
        "scope of the token",
        "the token is limited to repositories",
        "use a credential that is not limited",
    );
    Err(refuse(call, None, &decision).await)
}

async fn explain(call: &Call) -> Result<(), ApiError> {
    let subject: Option<ExplainAs> =
        call.asked::<String>("as")?.map(|subject| subject.parse()).transpose()?;
    let is_oneself = match (subject, &call.caller.principal.identity) {
        (Some(ExplainAs::Account(name)), Identity::User(_, own) | Identity::Robot(_, own)) => {
            name == *own
        }
        (Some(ExplainAs::Trust(name)), Identity::Workload { trust, .. }) => name == *trust,
        (Some(ExplainAs::Spiffe(id)), Identity::Certificate(own)) => id.as_str() == own,
        _ => false,
    };
    if is_oneself { Ok(()) } else { installation(call, Permission::Administer).await }
}

fn decide(call: &Call, permission: Permission, asked: Asked<'_>) -> Decision {
    call.access().decide(&call.caller.principal, permission, asked)
}

/// 403, and an entry in the audit; or, where that cannot be written, the error.
async fn refuse(call: &Call, project: Option<&ProjectName>, decision: &Decision) -> ApiError {
    match record(call, project, decision).await {
        Ok(()) => denied(decision),
        Err(error) => error,
    }
}

/// Notes in the audit that something was refused.
pub(super) async fn record(
    call: &Call,
    project: Option<&ProjectName>,
    decision: &Decision,
) -> Result<(), ApiError> {
    let event = Event::done(call.action, call.target())
        .of_project(project.map(ProjectName::as_str).unwrap_or_default());
    Ok(call.access().record(&call.caller.origin, refused(event, decision)).await?)
}

fn refused(event: Event, decision: &Decision) -> Event {
    Event {
        outcome: Outcome::Denied,
        rule: decision.rule.clone(),
        detail: json!({ "reason": decision.reason }).to_string(),
        ..event
    }
}

fn login_required() -> ApiError {
    plura_access::Error::LoginRequired.into()
}

fn no_project(name: &ProjectName) -> ApiError {
    let message = format!("there is no project `{name}`");
    ApiError::new(StatusCode::NOT_FOUND, ErrorCode::NotFound, message)
}
