use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Instant,
};

use plura_meta::{
    Timestamp, account,
    audit::Event,
    membership,
    project::{self, Settings},
};
use plura_oci::RepositoryName;
use plura_policy::{ProjectName, Realm};
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{Access, Caller, Change, Error, Principal, known::FRESH, schema, time};

/// A project.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Project {
    /// Its name.
    #[schema(value_type = schema::ProjectName)]
    pub name: String,
    /// Whether everybody may pull.
    pub public: bool,
    /// The most bytes of blobs, each counted once.
    #[schema(minimum = 0)]
    pub quota_bytes: Option<i64>,
    /// The most tags.
    #[schema(minimum = 0)]
    pub quota_tags: Option<i64>,
    /// Whether clients are sent to the object store for blobs.
    pub redirect: ProjectRedirect,
    /// Bytes of blobs, each counted once.
    #[schema(minimum = 0)]
    pub used_bytes: i64,
    /// Tags.
    #[schema(minimum = 0)]
    pub used_tags: i64,
    /// Since when.
    #[schema(value_type = schema::Instant)]
    pub created_at: String,
}

/// A project to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProject {
    /// Its name.
    #[schema(value_type = schema::ProjectName)]
    pub name: ProjectName,
    /// Whether everybody may pull.
    #[serde(default)]
    pub public: bool,
    /// The most bytes of blobs.
    #[serde(default, deserialize_with = "crate::whole::optional")]
    #[schema(value_type = Option<schema::Quota>)]
    pub quota_bytes: Option<u64>,
    /// The most tags.
    #[serde(default, deserialize_with = "crate::whole::optional")]
    #[schema(value_type = Option<schema::Quota>)]
    pub quota_tags: Option<u64>,
    /// Whether clients are sent to the object store for blobs.
    #[serde(default)]
    pub redirect: ProjectRedirect,
}

/// What is to be different; what is not given stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeProject {
    /// Whether everybody may pull.
    pub public: Option<bool>,
    /// The most bytes of blobs; `null` for no limit.
    #[serde(default, deserialize_with = "crate::whole::change")]
    #[schema(value_type = Option<schema::Quota>)]
    pub quota_bytes: Change<u64>,
    /// The most tags; `null` for no limit.
    #[serde(default, deserialize_with = "crate::whole::change")]
    #[schema(value_type = Option<schema::Quota>)]
    pub quota_tags: Change<u64>,
    /// Whether clients are sent to the object store for blobs.
    pub redirect: Option<ProjectRedirect>,
}

/// Whether clients that pull from a project are sent to the object store for blobs, where there is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProjectRedirect {
    /// As the setting `storage.redirect.enabled` says.
    #[default]
    Inherit,
    /// They are.
    On,
    /// The bytes pass through the server.
    Off,
}

/// What a decision needs to know of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProjectFacts {
    /// Whether there is one.
    pub exists: bool,
    /// Whether everybody may pull.
    pub public: bool,
}

/// What was found out about projects a moment ago.
#[derive(Debug)]
pub(crate) struct Projects {
    known: Cache<Box<str>, (ProjectFacts, Instant, u64)>,
    generation: AtomicU64,
}

impl Default for Projects {
    fn default() -> Self {
        const CAPACITY: usize = 4096;
        Self { known: Cache::new(CAPACITY), generation: AtomicU64::new(0) }
    }
}

impl Projects {
    pub(crate) fn forget_all(&self) {
        self.generation.fetch_add(1, SeqCst);
    }
}

impl Access {
    /// What is known of the project of a repository.
    pub async fn project_facts(&self, repository: &RepositoryName) -> Result<ProjectFacts, Error> {
        let name = ProjectName::text_of(repository);
        let projects = &self.shared.projects;
        let generation = projects.generation.load(SeqCst);
        if let Some((facts, at, of)) = projects.known.get(name)
            && of == generation
            && at.elapsed() < FRESH
        {
            return Ok(facts);
        }
        let found = project::find(&mut self.read_db().await?, name).await?;
        let public = found.as_ref().is_some_and(|project| project.is_public);
        let facts = ProjectFacts { exists: found.is_some(), public };
        projects.known.insert(name.into(), (facts, Instant::now(), generation));
        Ok(facts)
    }

    /// Whether everybody may pull from the repository.
    pub async fn is_public(&self, repository: &RepositoryName) -> Result<bool, Error> {
        Ok(self.project_facts(repository).await?.public)
    }

    /// The projects in which somebody may read something: those of their roles, and the public ones,
    /// each with whether it is public. `None` stands for all.
    pub async fn readable_projects(
        &self,
        principal: &Principal,
    ) -> Result<Option<BTreeMap<String, bool>>, Error> {
        let rights = &principal.rights;
        let everywhere = rights.grants.iter().any(|grant| grant.realm == Realm::Everywhere);
        if rights.unlimited.is_some() || everywhere {
            return Ok(None);
        }
        let of_roles = rights.grants.iter().filter_map(|grant| match &grant.realm {
            Realm::Everywhere => None,
            Realm::Project(name) => Some((name.as_str().to_owned(), false)),
        });
        let mut projects: BTreeMap<String, bool> = of_roles.collect();
        let public = project::public(&mut self.read_db().await?).await?;
        projects.extend(public.into_iter().map(|name| (name, true)));
        Ok(Some(projects))
    }

    /// Projects behind `after`, by name, that `visible` lets through; at most `limit`.
    pub async fn projects(
        &self,
        after: Option<&str>,
        limit: u32,
        visible: impl Fn(&ProjectName, bool) -> bool,
    ) -> Result<Vec<Project>, Error> {
        let mut connection = self.read_db().await?;
        let (mut after, mut found) = (after.map(ToOwned::to_owned), Vec::new());
        while found.len() < limit as usize {
            let page = project::list(&mut connection, after.as_deref(), limit).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.name.clone());
            let seen = |project: &project::Project| {
                project.name.parse().is_ok_and(|name| visible(&name, project.is_public))
            };
            found.extend(page.into_iter().filter(seen).map(Project::of));
        }
        found.truncate(limit as usize);
        Ok(found)
    }

    /// One project.
    pub async fn project(&self, name: &ProjectName) -> Result<Project, Error> {
        let found = project::find(&mut self.read_db().await?, name.as_str()).await?;
        Ok(Project::of(found.ok_or_else(|| Error::unknown("project", name))?))
    }

    /// Makes a project.
    pub async fn create_project(&self, caller: &Caller, new: NewProject) -> Result<Project, Error> {
        let settings = Settings {
            is_public: new.public,
            quota_bytes: new.quota_bytes.map(signed),
            quota_tags: new.quota_tags.map(signed),
            redirect: new.redirect.stored(),
        };
        let (name, origin, now) = (new.name, Arc::clone(&caller.origin), Timestamp::now());
        self.change(move |tx| {
            Box::pin(async move {
                if !project::insert(tx, name.as_str(), settings, now).await? {
                    return Err(Error::Conflict(format!("there is a project `{name}`")));
                }
                let event = changed("project.create", &name, settings);
                plura_meta::audit::record(tx, &origin, &event, now).await?;
                let found = project::find(tx, name.as_str()).await?;
                Ok(Project::of(found.ok_or_else(|| Error::unknown("project", &name))?))
            })
        })
        .await
    }

    /// Changes a project. A quota below what is used refuses what is added, and deletes nothing.
    pub async fn change_project(
        &self,
        caller: &Caller,
        name: &ProjectName,
        change: ChangeProject,
    ) -> Result<Project, Error> {
        let (name, origin, now) = (name.clone(), Arc::clone(&caller.origin), Timestamp::now());
        self.change(move |tx| {
            Box::pin(async move {
                let unknown = || Error::unknown("project", &name);
                let found = project::find(tx, name.as_str()).await?.ok_or_else(unknown)?;
                let settings = Settings {
                    is_public: change.public.unwrap_or(found.is_public),
                    quota_bytes: change.quota_bytes.map(signed).apply(found.quota_bytes),
                    quota_tags: change.quota_tags.map(signed).apply(found.quota_tags),
                    redirect: match change.redirect {
                        Some(redirect) => redirect.stored(),
                        None => found.redirect,
                    },
                };
                project::update(tx, name.as_str(), settings).await?;
                let event = changed("project.update", &name, settings);
                plura_meta::audit::record(tx, &origin, &event, now).await?;
                let found = project::find(tx, name.as_str()).await?.ok_or_else(unknown)?;
                Ok(Project::of(found))
            })
        })
        .await
    }

    /// Deletes a project without repositories, with its members and robots.
    pub async fn delete_project(&self, caller: &Caller, name: &ProjectName) -> Result<(), Error> {
        let (name, origin, now) = (name.clone(), Arc::clone(&caller.origin), Timestamp::now());
        self.change(move |tx| {
            Box::pin(async move {
                let found = project::find(tx, name.as_str()).await?;
                let found = found.ok_or_else(|| Error::unknown("project", &name))?;
                let robots =
                    account::list(tx, account::Kind::Robot, Some(found.id), None, u32::MAX).await?;
                for robot in robots {
                    account::delete(tx, &robot.id).await?;
                }
                membership::delete_project(tx, found.id).await?;
                if !project::delete_if_empty(tx, found.id).await? {
                    let reason =
                        format!("project {name} still has repositories; delete them first");
                    return Err(Error::Conflict(reason));
                }
                let event = Event::done("project.delete", format!("project:{name}"))
                    .of_project(name.as_str());
                Ok(plura_meta::audit::record(tx, &origin, &event, now).await?)
            })
        })
        .await
    }
}

impl Project {
    fn of(project: project::Project) -> Self {
        Self {
            name: project.name,
            public: project.is_public,
            quota_bytes: project.quota_bytes,
            quota_tags: project.quota_tags,
            redirect: ProjectRedirect::of(project.redirect),
            used_bytes: project.used_bytes,
            used_tags: project.used_tags,
            created_at: time::rfc3339(project.created_at),
        }
    }
}

impl ProjectRedirect {
    fn of(stored: Option<bool>) -> Self {
        stored.map_or(Self::Inherit, |on| if on { Self::On } else { Self::Off })
    }

    fn stored(self) -> Option<bool> {
        match self {
            Self::Inherit => None,
            Self::On => Some(true),
            Self::Off => Some(false),
        }
    }
}

fn changed(action: &'static str, name: &ProjectName, settings: Settings) -> Event {
    let event = Event::done(action, format!("project:{name}")).of_project(name.as_str());
    let detail = serde_json::json!({
        "public": settings.is_public,
        "quota_bytes": settings.quota_bytes,
        "quota_tags": settings.quota_tags,
        "redirect": ProjectRedirect::of(settings.redirect),
    });
    Event { detail: detail.to_string(), ..event }
}

fn signed(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}
