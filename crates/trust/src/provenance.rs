use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Refusal, Statement, dsse::MAX_ENVELOPE, json, statement::predicate_types};

/// How something was built, whichever version of SLSA says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Provenance {
    /// The type of the predicate that it was read from.
    pub predicate_type: String,
    /// Who built it.
    pub builder: String,
    /// What kind of build that is.
    pub build_type: String,
    /// What it was built from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// What the build was told from outside.
    pub parameters: Value,
    /// What went into it.
    pub dependencies: Vec<Dependency>,
    /// Which run it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invocation: Option<String>,
    /// When it began, as it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// When it ended, as it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
}

/// Where the source is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = BuildSource)]
pub struct Source {
    /// The repository, without `git+` in front and a revision behind.
    pub repository: String,
    /// The commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The branch or tag.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// Something that went into a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = BuildDependency)]
pub struct Dependency {
    /// Where it is from.
    #[serde(default)]
    pub uri: String,
    /// Its digests in hexadecimal, by algorithm.
    #[serde(default)]
    pub digest: BTreeMap<String, String>,
}

impl Dependency {
    /// The commit, if it is a source repository.
    fn commit(&self) -> Option<&String> {
        let is_git = self.uri.starts_with("git+") || self.digest.contains_key("gitCommit");
        let of_git = self.digest.get("gitCommit").or_else(|| self.digest.get("sha1"));
        of_git.filter(|_| is_git)
    }
}

impl Provenance {
    pub(crate) fn read(statement: &Statement) -> Result<Self, Refusal> {
        let predicate = statement.predicate.get().as_bytes();
        let read = if statement.predicate_type == predicate_types::PROVENANCE {
            json::read::<Predicate1>("provenance", predicate, MAX_ENVELOPE)?.into()
        } else {
            json::read::<Predicate02>("provenance", predicate, MAX_ENVELOPE)?.into()
        };
        Ok(Self { predicate_type: statement.predicate_type.clone(), ..read })
    }
}

/// A source as `git+https://host/repository@refs/heads/main`, or with `#main` behind it.
fn source_of(uri: &str, commit: Option<String>) -> Source {
    let bare = uri.strip_prefix("git+").unwrap_or(uri);
    // An `@` before the host is no revision.
    let host = bare.find("://").map_or(0, |at| at + 3);
    let path = bare[host..].find('/').map_or(bare.len(), |at| host + at);
    let (repository, reference) = match bare[path..].find(['@', '#']) {
        Some(at) => (&bare[..path + at], Some(bare[path + at + 1..].to_owned())),
        None => (bare, None),
    };
    let repository = repository.strip_suffix(".git").unwrap_or(repository).to_owned();
    Source { repository, commit, reference }
}

/// The one source among what went in; with two of them nothing can be said.
fn source_among(dependencies: &[Dependency], repository: Option<&str>) -> Option<Source> {
    let sources = dependencies
        .iter()
        .filter_map(|one| one.commit().map(|commit| source_of(&one.uri, Some(commit.clone()))));
    let mut sources = sources.filter(|source| {
        repository
            .is_none_or(|repository| source_of(repository, None).repository == source.repository)
    });
    let first = sources.next()?;
    sources.all(|other| other.commit == first.commit).then_some(first)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate1 {
    build_definition: BuildDefinition,
    run_details: RunDetails,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition {
    build_type: String,
    #[serde(default)]
    external_parameters: Value,
    #[serde(default)]
    resolved_dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct RunDetails {
    builder: Builder,
    #[serde(default)]
    metadata: RunMetadata,
}

#[derive(Deserialize)]
struct Builder {
    id: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RunMetadata {
    invocation_id: Option<String>,
    started_on: Option<String>,
    finished_on: Option<String>,
}

impl From<Predicate1> for Provenance {
    fn from(predicate: Predicate1) -> Self {
        let build = predicate.build_definition;
        let run = predicate.run_details;
        Self {
            predicate_type: String::new(),
            source: source_1(&build.external_parameters, &build.resolved_dependencies),
            builder: run.builder.id,
            build_type: build.build_type,
            parameters: build.external_parameters,
            dependencies: build.resolved_dependencies,
            invocation: run.metadata.invocation_id,
            started: run.metadata.started_on,
            finished: run.metadata.finished_on,
        }
    }
}

/// GitHub names the workflow's repository, `BuildKit` and others a configuration source.
fn source_1(parameters: &Value, dependencies: &[Dependency]) -> Option<Source> {
    let text = |path: &str| parameters.pointer(path).and_then(Value::as_str);
    if let Some(repository) = text("/workflow/repository") {
        let mut source = source_among(dependencies, Some(repository))
            .unwrap_or_else(|| source_of(repository, None));
        source.reference = text("/workflow/ref").map(str::to_owned).or(source.reference);
        return Some(source);
    }
    if let Some(uri) = text("/configSource/uri").or_else(|| text("/source/uri")) {
        let digest = ["/configSource/digest", "/source/digest"];
        let mut commits =
            digest.iter().flat_map(|at| [format!("{at}/gitCommit"), format!("{at}/sha1")]);
        let commit = commits.find_map(|at| text(&at)).map(str::to_owned);
        return Some(source_of(uri, commit));
    }
    source_among(dependencies, None)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate02 {
    builder: Builder,
    build_type: String,
    #[serde(default)]
    invocation: Invocation,
    #[serde(default)]
    materials: Vec<Dependency>,
    #[serde(default)]
    metadata: Metadata02,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    config_source: Option<Dependency>,
    #[serde(default)]
    parameters: Value,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata02 {
    #[serde(rename = "buildInvocationID", alias = "buildInvocationId")]
    build_invocation: Option<String>,
    build_started_on: Option<String>,
    build_finished_on: Option<String>,
    #[serde(rename = "https://mobyproject.org/buildkit@v1#metadata")]
    buildkit: Option<BuildKit>,
}

#[derive(Deserialize)]
struct BuildKit {
    vcs: Option<VersionControl>,
}

#[derive(Deserialize)]
struct VersionControl {
    #[serde(default)]
    source: String,
    revision: Option<String>,
}

impl From<Predicate02> for Provenance {
    fn from(predicate: Predicate02) -> Self {
        let configured = predicate.invocation.config_source.filter(|one| !one.uri.is_empty());
        let from_config = configured.map(|one| {
            let commit = one.digest.get("gitCommit").or_else(|| one.digest.get("sha1")).cloned();
            source_of(&one.uri, commit)
        });
        let version_control = predicate.metadata.buildkit.and_then(|buildkit| buildkit.vcs);
        let from_buildkit = version_control
            .filter(|vcs| !vcs.source.is_empty())
            .map(|vcs| source_of(&vcs.source, vcs.revision));
        Self {
            predicate_type: String::new(),
            builder: predicate.builder.id,
            build_type: predicate.build_type,
            source: from_config
                .or(from_buildkit)
                .or_else(|| source_among(&predicate.materials, None)),
            parameters: predicate.invocation.parameters,
            dependencies: predicate.materials,
            invocation: predicate.metadata.build_invocation,
            started: predicate.metadata.build_started_on,
            finished: predicate.metadata.build_finished_on,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(uri: &str, repository: &str, reference: Option<&str>) {
        let source = source_of(uri, None);
        assert_eq!(
            (source.repository.as_str(), source.reference.as_deref()),
            (repository, reference)
        );
    }

    #[test]
    fn a_source_is_taken_apart() {
        let web = "https://github.com/acme/web";
        check("git+https://github.com/acme/web@refs/heads/main", web, Some("refs/heads/main"));
        check("https://github.com/acme/web.git#main", web, Some("main"));
        check("https://github.com/acme/web", web, None);
        check("git+ssh://git@github.com/acme/web", "ssh://git@github.com/acme/web", None);
        check("acme@x", "acme@x", None);
        check("", "", None);
    }
}
