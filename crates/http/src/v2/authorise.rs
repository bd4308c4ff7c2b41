//! Whether the sender of a request may do what it asks: the one place where `/v2` decides.
//!
//! A decision is made from names and roles alone, before anything is looked up: what is unknown and
//! what is forbidden answer alike.

use std::sync::Arc;

use http::{StatusCode, header, request::Parts};
use plura_access::{Access, Event, Principal};
use plura_oci::{Action, ErrorCode, RepositoryName, StartUpload};
use plura_policy::{Asked, BEYOND_CEILING, Decision, Permission, ProjectName, Rights, Scope};
use plura_registry::{MountFrom, Readable};
use serde_json::json;

use super::{Refusal, audited};
use crate::{app::State, error::ApiError, identify::Sender, request::RequestId, respond::With};

/// What the sender may see of what the action is about.
pub(super) enum Allowed {
    /// Just what it names.
    Plain,
    /// What a mount may take its blob from.
    Mount(MountFrom),
    /// The repositories to list.
    List(Readable),
}

/// What somebody may read; `all` leaves out what its credential is limited to.
pub(crate) async fn readable(
    access: &Access,
    principal: &Principal,
    all: bool,
) -> Result<Readable, plura_access::Error> {
    let projects = access.readable_projects(principal).await?;
    let ceiling = if all { None } else { principal.rights.ceiling.clone() };
    if projects.is_none() && ceiling.is_none() {
        return Ok(Readable::Everything);
    }
    let rights = Rights { ceiling, ..principal.rights.clone() };
    let public = projects.unwrap_or_default();
    let projects = public.keys().cloned().collect();
    let covers = move |name: &RepositoryName| {
        let public = public.get(ProjectName::text_of(name)).copied().unwrap_or_default();
        let asked = Asked::Repository { name, public };
        plura_policy::allows(&rights, Permission::Pull, asked)
    };
    Ok(Readable::Within { projects, covers: Box::new(covers) })
}

impl Allowed {
    /// Where a mount may take its blob from; nowhere, if that was not what was asked.
    pub(super) fn mount_from(self) -> MountFrom {
        if let Self::Mount(from) = self { from } else { MountFrom::Nowhere }
    }

    /// The repositories to list; none, if that was not what was asked.
    pub(super) fn readable(self) -> Readable {
        let nothing = || Readable::Within { projects: Vec::new(), covers: Box::new(|_| false) };
        if let Self::List(readable) = self { readable } else { nothing() }
    }
}

/// What an action needs of the repository that it is about.
pub(crate) fn permission(action: &Action) -> Option<Permission> {
    match action {
        Action::Ping | Action::ListRepositories(_) => None,
        Action::ListTags(..)
        | Action::TagHistory(..)
        | Action::GetManifest(..)
        | Action::ListReferrers { .. }
        | Action::GetBlob(..) => Some(Permission::Pull),
        Action::PutManifest { .. }
        | Action::StartUpload(..)
        | Action::UploadStatus(..)
        | Action::AppendUpload(..)
        | Action::FinishUpload(..)
        | Action::CancelUpload(..) => Some(Permission::Push),
        Action::DeleteManifest(..) | Action::DeleteBlob(..) => Some(Permission::Delete),
    }
}

/// A request that is decided about.
pub(super) struct Question<'a> {
    pub(super) state: &'a State,
    pub(super) sender: &'a Sender,
    pub(super) request: &'a RequestId,
    pub(super) head: &'a Parts,
    pub(super) action: &'a Action,
}

impl Question<'_> {
    pub(super) async fn decide(&self) -> Result<Allowed, Refusal> {
        match self.action {
            Action::Ping if self.sender.principal.is_anonymous() && !self.sender.showed => {
                Err(self.challenge(None, "login, or get a token"))
            }
            Action::Ping => Ok(Allowed::Plain),
            Action::ListRepositories(_) => self.list().await,
            action => match (action.repository(), permission(action)) {
                (Some(repository), Some(permission)) => {
                    self.repository(repository, permission).await
                }
                // Every action that is about a repository needs a permission of it.
                _ => Err(self.challenge(None, "login")),
            },
        }
    }

    async fn repository(
        &self,
        repository: &RepositoryName,
        permission: Permission,
    ) -> Result<Allowed, Refusal> {
        if let Some(refusal) = self.ask(repository, permission).await? {
            return Err(self.refuse(repository, permission, refusal).await?);
        }
        if permission == Permission::Push {
            self.check_project(repository).await?;
        }
        match self.action {
            Action::StartUpload(_, StartUpload::Mount { from, .. }) => {
                Ok(Allowed::Mount(self.mount_from(from.as_ref()).await?))
            }
            _ => Ok(Allowed::Plain),
        }
    }

    /// The refusal, if it is one.
    async fn ask(
        &self,
        name: &RepositoryName,
        permission: Permission,
    ) -> Result<Option<Decision>, Refusal> {
        let (access, principal) = (&self.state.access, &self.sender.principal);
        // The project is looked at only where the answer can depend on it.
        if access.allows(principal, permission, Asked::Repository { name, public: false }) {
            return Ok(None);
        }
        let public = match permission {
            Permission::Pull => access.is_public(name).await.map_err(super::refuse)?,
            _ => false,
        };
        let decision = access.decide(principal, permission, Asked::Repository { name, public });
        Ok(Some(decision).filter(|decision| !decision.is_allowed()))
    }

    /// A push may make its project where that is allowed; elsewhere somebody has to.
    async fn check_project(&self, name: &RepositoryName) -> Result<(), Refusal> {
        let access = &self.state.access;
        if access.project_facts(name).await.map_err(super::refuse)?.exists {
            return Ok(());
        }
        let open = access.is_open().await.map_err(super::refuse)?;
        if access.settings().create_projects.unwrap_or(open) {
            return Ok(());
        }
        let project = ProjectName::text_of(name);
        let decision = Decision::deny(
            "access.create_projects",
            format!("there is no project {project}, and pushing does not make one"),
            format!("run `plura project create {project}`, or ask an administrator to"),
        );
        Err(self.refuse(name, Permission::Push, decision).await?)
    }

    /// A blob of a repository that the sender may not read is answered as one that is not there.
    async fn mount_from(&self, from: Option<&RepositoryName>) -> Result<MountFrom, Refusal> {
        let Some(from) = from else {
            return Ok(MountFrom::Any(Arc::new(self.readable(false).await?)));
        };
        let Some(refusal) = self.ask(from, Permission::Pull).await? else {
            return Ok(MountFrom::Repository(from.clone()));
        };
        self.record(audited::mount_from(self.action, from), &refusal).await?;
        Ok(MountFrom::Nowhere)
    }

    async fn list(&self) -> Result<Allowed, Refusal> {
        const CATALOG: &str = "registry:catalog:*";
        let principal = &self.sender.principal;
        let limited = principal.rights.ceiling.as_ref();
        let within = limited.is_none_or(|ceiling| ceiling.contains(&Scope::Catalog));
        let unknown = principal.is_anonymous() && !self.sender.showed;
        if unknown || !within {
            return Err(self.challenge(Some(CATALOG), "login to list repositories"));
        }
        Ok(Allowed::List(self.readable(true).await?))
    }

    /// What the sender may read; `all` leaves out what its credential is limited to, which for the
    /// list of repositories was a scope of its own.
    async fn readable(&self, all: bool) -> Result<Readable, Refusal> {
        let found = readable(&self.state.access, &self.sender.principal, all).await;
        found.map_err(super::refuse)
    }

    async fn refuse(
        &self,
        repository: &RepositoryName,
        permission: Permission,
        decision: Decision,
    ) -> Result<Refusal, Refusal> {
        let principal = &self.sender.principal;
        let scope = format!("repository:{repository}:{}", scope_actions(permission));
        if principal.is_anonymous() && !self.sender.showed {
            return Ok(self.challenge(Some(&scope), &decision.reason));
        }
        self.record(audited::event(self.action), &decision).await?;
        // A token that is too narrow can be had wider: clients ask for one and come again. Who could
        // not get one either is told so. Who is nobody in particular can log in.
        let narrow = decision.rule == BEYOND_CEILING && self.could(repository, permission).await?;
        if principal.is_anonymous() || narrow {
            return Ok(self.challenge(Some(&scope), &decision.reason));
        }
        Ok(Box::new(denied(&decision).into_response()))
    }

    /// Whether the sender could, with a credential that is not limited.
    async fn could(&self, name: &RepositoryName, permission: Permission) -> Result<bool, Refusal> {
        let public = self.state.access.is_public(name).await.map_err(super::refuse)?;
        let rights = Rights { ceiling: None, ..self.sender.principal.rights.clone() };
        let asked = Asked::Repository { name, public };
        Ok(plura_policy::allows(&rights, permission, asked))
    }

    /// 401, and where to get what is missing (RFC 6750, "The WWW-Authenticate Response Header Field").
    fn challenge(&self, scope: Option<&str>, reason: &str) -> Refusal {
        let error = ApiError::new(StatusCode::UNAUTHORIZED, ErrorCode::Unauthorized, reason);
        let narrow = self.sender.showed.then_some("insufficient_scope");
        let challenge = challenge(&self.state.realm(self.head), scope, narrow);
        Box::new(error.into_response().with(header::WWW_AUTHENTICATE, challenge))
    }

    async fn record(&self, event: Event, decision: &Decision) -> Result<(), Refusal> {
        let event = audited::denied(event, &decision.rule, &decision.reason);
        let origin = self.sender.origin(self.request);
        self.state.access.record(&origin, event).await.map_err(super::refuse)
    }
}

/// A refusal with its reasons, as every part of plura gives it.
pub(crate) fn denied(decision: &Decision) -> ApiError {
    let fix = decision.fix.as_deref().unwrap_or_default();
    let message = format!("{}; {fix}", decision.reason);
    ApiError::new(StatusCode::FORBIDDEN, ErrorCode::Denied, message)
        .with_detail(json!({ "rule": decision.rule, "fix": fix }))
}

/// The `Bearer` challenge of the token protocol.
pub(crate) fn challenge(realm: &str, scope: Option<&str>, error: Option<&str>) -> String {
    let service = plura_access::SERVICE;
    let scope = scope.map(|scope| format!(",scope=\"{scope}\"")).unwrap_or_default();
    let error = error.map(|error| format!(",error=\"{error}\"")).unwrap_or_default();
    format!("Bearer realm=\"{realm}\",service=\"{service}\"{scope}{error}")
}

/// What clients ask a token for: writing needs reading.
fn scope_actions(permission: Permission) -> &'static str {
    match permission {
        Permission::Push => "pull,push",
        Permission::Delete => "delete",
        _ => "pull",
    }
}
