//! Vulnerabilities that somebody decided to live with, for a time. Whoever grants an exception approves it;
//! somebody else owns it.

use jiff::Timestamp;
use plura_access::schema;
use plura_oci::Digest;
use plura_policy::{Permission, ProjectName};
use plura_vulnerabilities::{
    ExceptionTerms, Glob, GrantedException, ImportedExceptions, PackagePattern, Scope,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    answer::{created, gone, ok},
    authorise::Need,
    call::{Answer, Call},
    describe::Description,
    route::{Route, Verb},
};
use crate::{auth::bad_request, error::ApiError};

pub(super) fn routes() -> Vec<Route> {
    const ADMINISTER: Need = Need::Installation(Permission::Administer);
    const ALL: &str = "/api/v1/exceptions";
    vec![
        Route::new(Verb::Get, ALL, ADMINISTER, "exception.list", list).described(
            Description::new("Lists exceptions, with whether they hold and are of use")
                .gives::<Exceptions>(),
        ),
        Route::new(Verb::Post, ALL, ADMINISTER, "exception.create", create).described(
            Description::new("Grants an exception; whoever asks approves it")
                .takes::<NewException>()
                .makes::<GrantedException>(),
        ),
        Route::new(Verb::Post, "/api/v1/exceptions/import", ADMINISTER, "exception.import", import)
            .described(
                Description::new("Grants what an ignore file of Trivy says, as far as it may be")
                    .takes::<IgnoreFile>()
                    .gives::<ImportedExceptions>(),
            ),
        Route::new(
            Verb::Delete,
            "/api/v1/exceptions/{exception}",
            ADMINISTER,
            "exception.remove",
            remove,
        )
        .described(Description::new("Ends an exception").gives_nothing()),
    ]
}

/// Exceptions, by name.
#[derive(Serialize, ToSchema)]
struct Exceptions {
    exceptions: Vec<GrantedException>,
}

/// What somebody asks for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewException {
    /// Its name; without, that of the vulnerability or package.
    #[schema(value_type = Option<schema::ExceptionName>)]
    id: Option<String>,
    /// The vulnerability, by any of its names; without, all that the package has.
    vulnerability: Option<String>,
    /// The package; without, all that have the vulnerability.
    package: Option<NewPattern>,
    /// In which images: exactly one of them.
    scope: NewScope,
    /// Why it may stay.
    reason: String,
    /// Who is responsible for it: somebody else than who asks.
    owner: String,
    /// Until when it holds.
    #[schema(value_type = schema::Instant)]
    expires_at: String,
}

/// Packages by their names.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPattern {
    /// Where they come from, with or without a release.
    ecosystem: Option<String>,
    /// Their names, or the names of what they were built from; `*` stands for anything.
    name: String,
    /// Exactly this version.
    version: Option<String>,
}

/// In which images.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewScope {
    /// One image, wherever it is.
    #[schema(value_type = Option<schema::DigestText>)]
    digest: Option<String>,
    /// All images of some repositories: `apps/**`.
    repositories: Option<String>,
    /// All images of a project.
    #[schema(value_type = Option<schema::ProjectName>)]
    project: Option<String>,
}

/// An ignore file.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct IgnoreFile {
    /// `.trivyignore.yaml`, or the lines of `.trivyignore`.
    content: String,
    /// In which images.
    scope: NewScope,
    /// Who is responsible: somebody else than who asks.
    owner: String,
}

const EXPECTED: &str = r#"{"vulnerability": "CVE-2024-3094", "scope": {"repositories": "apps/**"}, "reason": "not reachable", "owner": "alice", "expires_at": "2026-12-31T00:00:00Z"}"#;
const EXPECTED_FILE: &str =
    r#"{"content": "CVE-2024-3094", "scope": {"repositories": "apps/**"}, "owner": "alice"}"#;

async fn list(call: Call) -> Answer {
    ok(&Exceptions { exceptions: call.state.knowledge.vulnerabilities.exceptions().await? })
}

async fn create(call: Call) -> Answer {
    let new: NewException = call.json(EXPECTED)?;
    let terms = new.terms(&call.caller.origin.actor)?;
    let granted = call.state.knowledge.vulnerabilities.grant(&call.caller.origin, terms).await?;
    let path = format!("/api/v1/exceptions/{}", granted.terms.id);
    created(&call, &path, &granted)
}

async fn import(call: Call) -> Answer {
    let IgnoreFile { content, scope, owner } = call.json(EXPECTED_FILE)?;
    let origin = &call.caller.origin;
    let people = (owner.as_str(), origin.actor.as_str());
    let vulnerabilities = &call.state.knowledge.vulnerabilities;
    ok(&vulnerabilities.import_ignored(origin, &content, scope.read()?, people).await?)
}

async fn remove(call: Call) -> Answer {
    let id: String = call.parameter("exception")?;
    call.state.knowledge.vulnerabilities.revoke(&call.caller.origin, &id).await?;
    gone()
}

impl NewException {
    fn terms(self, approver: &str) -> Result<ExceptionTerms, ApiError> {
        let named = self.id.or_else(|| self.vulnerability.clone());
        let named = named.or_else(|| self.package.as_ref().map(|package| package.name.clone()));
        let expires_at = self.expires_at.parse();
        Ok(ExceptionTerms {
            id: named.unwrap_or_default().into(),
            vulnerability: self.vulnerability.map(Into::into),
            package: self.package.map(NewPattern::read).transpose()?,
            scope: self.scope.read()?,
            reason: self.reason.into(),
            owner: self.owner.into(),
            approver: approver.into(),
            granted_at: Timestamp::now(),
            expires_at: expires_at
                .map_err(|_| bad_request("expires_at: expected an instant (RFC 3339)"))?,
        })
    }
}

impl NewPattern {
    fn read(self) -> Result<PackagePattern, ApiError> {
        Ok(PackagePattern {
            ecosystem: self.ecosystem.as_deref().map(Into::into),
            name: glob("package.name", &self.name)?,
            version: self.version.map(Into::into),
        })
    }
}

impl NewScope {
    fn read(self) -> Result<Scope, ApiError> {
        let wrong = |what: &dyn std::fmt::Display| bad_request(&format!("scope: {what}"));
        match (self.digest, self.repositories, self.project) {
            (Some(digest), None, None) => {
                let digest: Digest = digest.parse().map_err(|error| wrong(&error))?;
                Ok(Scope::Digest(digest))
            }
            (None, Some(pattern), None) => {
                Ok(Scope::Repositories(glob("scope.repositories", &pattern)?))
            }
            (None, None, Some(project)) => {
                let name: ProjectName = project.parse().map_err(|error| wrong(&error))?;
                Ok(Scope::Project(name.as_str().into()))
            }
            _ => Err(wrong(&"expected one of `digest`, `repositories` and `project`")),
        }
    }
}

fn glob(field: &str, text: &str) -> Result<Glob, ApiError> {
    text.parse().map_err(|error| bad_request(&format!("{field}: {error}")))
}
