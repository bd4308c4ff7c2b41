//! What may be pushed under which tags.

mod shape;

use std::{collections::BTreeMap, fmt};

use plura_oci::{Digest, ParseTagError, RepositoryName, Tag};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Pattern,
    document::{Place, few, twice},
    gate::Mode,
    glob::Glob,
};

use shape::Shape;

/// What may be pushed under which tags of some repositories, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyTagRule)]
pub struct TagRuleDocument {
    /// What it is called; refusals name it.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Whether it decides.
    #[serde(default)]
    pub mode: Mode,
    /// Patterns of the repositories that it is about.
    pub repositories: Vec<String>,
    /// Patterns of repositories that it is not about after all.
    #[serde(default)]
    pub except: Vec<String>,
    /// Patterns of the tags that it is about; all, if there are none.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Patterns of tags that must not be used; `latest`, if nothing is said.
    #[serde(default = "latest")]
    pub forbidden: Vec<String>,
    /// Patterns of tags that never point at another manifest once they exist.
    #[serde(default)]
    pub immutable: Vec<String>,
    /// What tags look like, one of which is enough: `{semver}+{gitsha}`; anything, if there are none.
    #[serde(default)]
    pub shapes: Vec<String>,
    /// Keys of labels that the image must have.
    #[serde(default)]
    pub labels: Vec<String>,
    /// Keys of annotations that the manifest must have.
    #[serde(default)]
    pub annotations: Vec<String>,
}

/// What nobody can tell the meaning of tomorrow.
fn latest() -> Vec<String> {
    vec!["latest".to_owned()]
}

/// A push that is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Push<'a> {
    /// The repository.
    pub repository: &'a RepositoryName,
    /// The tag, as it is stored.
    pub tag: &'a Tag,
    /// What is pushed.
    pub digest: &'a Digest,
    /// What the tag points at now.
    pub existing: Option<&'a Digest>,
    /// The labels of the image; of an index, those that all its platforms have. Nothing, where it has
    /// no configuration, as an artifact has none: then annotations may say the same.
    pub labels: Option<&'a BTreeMap<String, String>>,
    /// The annotations of the manifest.
    pub annotations: &'a BTreeMap<String, String>,
}

/// Why something may not be pushed under a tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = TagRefusal)]
pub struct Refusal {
    /// The rule, by its name and key: `releases.shapes`.
    pub rule: String,
    /// Whether it decides.
    pub mode: Mode,
    /// What was found.
    pub observed: String,
    /// What is asked for.
    pub required: String,
    /// What to do.
    pub fix: String,
}

/// The rules that were checked.
#[derive(Clone, Debug, Default)]
pub struct TagRules {
    rules: Vec<TagRule>,
}

#[derive(Clone, Debug)]
struct TagRule {
    name: String,
    mode: Mode,
    repositories: Vec<Pattern>,
    except: Vec<Pattern>,
    tags: Vec<Glob>,
    forbidden: Vec<Glob>,
    immutable: Vec<Glob>,
    shapes: Vec<Shape>,
    labels: Vec<String>,
    annotations: Vec<String>,
}

/// The tag that stands for a text that people write: a `+`, which no tag can have, is stored as `_`, as
/// Helm does.
pub fn stored(text: &str) -> Result<Tag, ParseTagError> {
    text.replace('+', "_").parse()
}

/// Whether the tag is that of something about another manifest: signatures, attestations, bills of
/// materials and lists of referrers. No rule is about these.
pub fn is_attached(tag: &Tag) -> bool {
    let referrers = || tag.as_str().replacen('-', ":", 1).parse::<Digest>().is_ok();
    tag.attachment().is_some() || referrers()
}

impl TagRules {
    /// Why the push may not be done, by every rule; those that only warn are among them.
    pub fn check(&self, push: &Push<'_>) -> Vec<Refusal> {
        if is_attached(push.tag) {
            return Vec::new();
        }
        let rules = self.rules.iter().filter(|rule| rule.covers(push));
        rules.flat_map(|rule| rule.check(push)).collect()
    }

    /// The rules by which a tag must stay as it is once it exists, whatever it points at: those who
    /// delete ask as well.
    pub fn immutable_by(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> impl Iterator<Item = &str> {
        let covers = |rule: &&TagRule| {
            !is_attached(tag)
                && rule.mode == Mode::Enforce
                && rule.is_about(repository, tag)
                && any(&rule.immutable, tag)
        };
        self.rules.iter().filter(covers).map(|rule| rule.name.as_str())
    }

    /// Whether anything is asked about what is pushed to that repository, so that labels are needed.
    pub fn cover(&self, repository: &RepositoryName) -> bool {
        self.rules.iter().any(|rule| rule.is_of(repository))
    }

    pub(crate) fn compile(documents: &[TagRuleDocument], place: &mut Place<'_>) -> Option<Self> {
        let mut rules: Vec<TagRule> = Vec::new();
        for (index, document) in documents.iter().enumerate() {
            let mut at = place.item(index);
            if rules.iter().any(|rule| rule.name == document.name) {
                twice(&document.name, &mut at.at("name"));
            }
            rules.push(document.compile(&mut at)?);
        }
        Some(Self { rules })
    }
}

impl TagRuleDocument {
    fn compile(&self, place: &mut Place<'_>) -> Option<TagRule> {
        for (key, list) in [
            ("repositories", &self.repositories),
            ("except", &self.except),
            ("tags", &self.tags),
            ("forbidden", &self.forbidden),
            ("immutable", &self.immutable),
            ("shapes", &self.shapes),
            ("labels", &self.labels),
            ("annotations", &self.annotations),
        ] {
            few(list, &mut place.at(key))?;
        }
        if self.name.trim().is_empty() {
            place.at("name").problem("no name", "refusals name the rule; call it something");
        }
        if self.repositories.is_empty() {
            place.at("repositories").problem("about no repository", "`**` stands for all");
        }
        Some(TagRule {
            name: self.name.clone(),
            mode: self.mode,
            repositories: place.at("repositories").parse_all(&self.repositories),
            except: place.at("except").parse_all(&self.except),
            tags: place.at("tags").parse_all(&self.tags),
            forbidden: place.at("forbidden").parse_all(&self.forbidden),
            immutable: place.at("immutable").parse_all(&self.immutable),
            shapes: place.at("shapes").parse_all(&self.shapes),
            labels: self.labels.clone(),
            annotations: self.annotations.clone(),
        })
    }
}

impl TagRule {
    fn is_of(&self, repository: &RepositoryName) -> bool {
        let any = |patterns: &[Pattern]| patterns.iter().any(|one| one.covers(repository));
        any(&self.repositories) && !any(&self.except)
    }

    fn is_about(&self, repository: &RepositoryName, tag: &Tag) -> bool {
        self.is_of(repository) && (self.tags.is_empty() || any(&self.tags, tag))
    }

    fn covers(&self, push: &Push<'_>) -> bool {
        self.is_about(push.repository, push.tag)
    }

    fn check(&self, push: &Push<'_>) -> Vec<Refusal> {
        let checks = [
            self.check_forbidden(push),
            self.check_immutable(push),
            self.check_shape(push),
            self.check_labels(push),
            self.check_annotations(push),
        ];
        checks.into_iter().flatten().collect()
    }

    fn check_forbidden(&self, push: &Push<'_>) -> Option<Refusal> {
        let glob = self.forbidden.iter().find(|glob| glob.covers(push.tag.as_str()))?;
        let required = format!("another tag than `{glob}`");
        Some(self.refusal("forbidden", &shown(push.tag), required, self.other_tag()))
    }

    fn check_immutable(&self, push: &Push<'_>) -> Option<Refusal> {
        let existing = push.existing.filter(|existing| *existing != push.digest)?;
        if !any(&self.immutable, push.tag) {
            return None;
        }
        let observed =
            format!("{} is {}, and would become {}", shown(push.tag), existing, push.digest);
        let required = "a tag that stays what it is".to_owned();
        let fix = "push it under a tag that does not exist yet".to_owned();
        Some(self.refusal("immutable", &observed, required, fix))
    }

    fn check_shape(&self, push: &Push<'_>) -> Option<Refusal> {
        let fits = self.shapes.iter().any(|shape| shape.fits(push.tag.as_str()));
        if self.shapes.is_empty() || fits {
            return None;
        }
        let shapes: Vec<String> =
            self.shapes.iter().map(|shape| format!("`{}`", shape.as_str())).collect();
        let required = format!("a tag like {}", shapes.join(" or "));
        Some(self.refusal("shapes", &shown(push.tag), required, self.other_tag()))
    }

    fn check_labels(&self, push: &Push<'_>) -> Option<Refusal> {
        // What has no configuration can say the same by annotations only.
        let (what, values) = match push.labels {
            Some(labels) => ("labels", labels),
            None => ("annotations, as it has no labels", push.annotations),
        };
        let fix = "build it with them: `docker build --label KEY=VALUE`";
        self.check_keys("labels", what, &self.labels, values, fix)
    }

    fn check_annotations(&self, push: &Push<'_>) -> Option<Refusal> {
        let fix = "push it with them: `docker buildx build --annotation KEY=VALUE`";
        self.check_keys("annotations", "annotations", &self.annotations, push.annotations, fix)
    }

    fn check_keys(
        &self,
        key: &str,
        what: &str,
        keys: &[String],
        values: &BTreeMap<String, String>,
        fix: &str,
    ) -> Option<Refusal> {
        let missing = |key: &&String| values.get(*key).is_none_or(|value| value.trim().is_empty());
        let missing: Vec<&str> = keys.iter().filter(missing).map(String::as_str).collect();
        if missing.is_empty() {
            return None;
        }
        let observed = format!("without the {what} {}", missing.join(", "));
        Some(self.refusal(key, &observed, format!("all of {}", keys.join(", ")), fix.to_owned()))
    }

    fn other_tag(&self) -> String {
        match self.shapes.first() {
            Some(shape) => format!("push it under a tag such as `{}`", shape.example()),
            None => "push it under the tag of a version, such as `1.4.2`".to_owned(),
        }
    }

    fn refusal(&self, key: &str, observed: &str, required: String, fix: String) -> Refusal {
        let rule = format!("{}.{key}", self.name);
        Refusal { rule, mode: self.mode, observed: observed.to_owned(), required, fix }
    }
}

fn any(globs: &[Glob], tag: &Tag) -> bool {
    globs.iter().any(|glob| glob.covers(tag.as_str()))
}

fn shown(tag: &Tag) -> String {
    format!("the tag `{tag}`")
}

impl Refusal {
    /// Whether it stands in the way.
    pub fn is_blocking(&self) -> bool {
        self.mode == Mode::Enforce
    }
}

/// One line, as clients print it.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, observed, required, fix, .. } = self;
        write!(f, "{rule}: {observed}; required: {required}; {fix}")
    }
}
