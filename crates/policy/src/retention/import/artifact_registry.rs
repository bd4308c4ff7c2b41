use std::collections::BTreeMap;

use serde::Deserialize;

use super::{ImportError, Imported, Translation, read, shown};
use crate::retention::{ExpireRule, KeepRule};

/// Cleanup policies of Google's Artifact Registry: a list, as `gcloud` reads it, or by name, as the API
/// gives them out.
#[derive(Deserialize)]
#[serde(untagged)]
enum Policies {
    List(Vec<Policy>),
    Named(BTreeMap<String, Policy>),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    #[serde(default, alias = "id")]
    name: String,
    action: Action,
    #[serde(default)]
    condition: Option<Condition>,
    #[serde(default)]
    most_recent_versions: Option<MostRecentVersions>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Action {
    Typed {
        #[serde(rename = "type")]
        kind: String,
    },
    Text(String),
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct Condition {
    tag_state: Option<String>,
    tag_prefixes: Vec<String>,
    version_name_prefixes: Vec<String>,
    package_name_prefixes: Vec<String>,
    older_than: Option<String>,
    newer_than: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct MostRecentVersions {
    package_name_prefixes: Vec<String>,
    keep_count: Option<u32>,
}

/// Imports cleanup policies of Google's Artifact Registry. Its packages are our repositories.
pub fn import_artifact_registry(json: &[u8]) -> Result<Imported, ImportError> {
    let policies: Vec<(String, Policy)> = match read(json)? {
        Policies::List(list) => list.into_iter().map(|one| (one.name.clone(), one)).collect(),
        Policies::Named(named) => named.into_iter().collect(),
    };
    let mut translation = Translation::default();
    let mut kept = true;
    for (index, (name, policy)) in policies.iter().enumerate() {
        let rule = format!("artifact-registry-{index}");
        let translated = match kind(policy).as_str() {
            "keep" => keep(policy, rule).map(|rule| translation.document.keep.push(rule)),
            "delete" => expire(policy, rule).map(|rule| translation.document.expire.push(rule)),
            other => Err(format!("the action `{}` is not known", shown(other))),
        };
        if let Err(reason) = translated {
            kept &= kind(policy) == "delete";
            translation.without(format!("policy {index} `{}`", shown(name)), reason);
        }
    }
    if !kept {
        translation.document.expire.clear();
        let reason = "nothing is deleted, since not all that the original keeps is kept here";
        translation.without("policies", reason);
    }
    translation.finish()
}

fn kind(policy: &Policy) -> String {
    match &policy.action {
        Action::Typed { kind } | Action::Text(kind) => kind.to_ascii_lowercase(),
    }
}

fn keep(policy: &Policy, name: String) -> Result<KeepRule, String> {
    match (&policy.condition, &policy.most_recent_versions) {
        (None, Some(recent)) => Ok(KeepRule {
            name,
            repositories: packages(&recent.package_name_prefixes)?,
            tags: vec!["*".to_owned()],
            untagged: true,
            newest: Some(recent.keep_count.filter(|count| *count > 0).ok_or("it keeps nothing")?),
            ..KeepRule::default()
        }),
        (Some(condition), None) => {
            if condition.older_than.is_some() {
                return Err("what is old is not kept for being old".to_owned());
            }
            let (tags, untagged) = condition.selection()?;
            Ok(KeepRule {
                name,
                repositories: packages(&condition.package_name_prefixes)?,
                tags,
                untagged,
                pushed_within: condition.newer_than.as_deref().map(span).transpose()?,
                ..KeepRule::default()
            })
        }
        _ => Err("either a condition or the most recent versions are expected".to_owned()),
    }
}

fn expire(policy: &Policy, name: String) -> Result<ExpireRule, String> {
    let (Some(condition), None) = (&policy.condition, &policy.most_recent_versions) else {
        return Err("a condition is expected of what is deleted".to_owned());
    };
    if condition.newer_than.is_some() {
        return Err("what is new is not deleted for being new".to_owned());
    }
    let (tags, untagged) = condition.selection()?;
    let older_than = condition.older_than.as_deref().map(span).transpose()?;
    Ok(ExpireRule {
        name,
        repositories: packages(&condition.package_name_prefixes)?,
        tags,
        untagged,
        unless_kept: older_than.is_none(),
        older_than,
        ..ExpireRule::default()
    })
}

impl Condition {
    /// Which tags, and whether images without any.
    fn selection(&self) -> Result<(Vec<String>, bool), String> {
        if !self.version_name_prefixes.is_empty() {
            return Err("images are not selected by the beginning of their digest".to_owned());
        }
        let all = || vec!["*".to_owned()];
        let prefixes: Vec<_> =
            self.tag_prefixes.iter().map(|prefix| format!("{prefix}*")).collect();
        let state = self.tag_state.as_deref().unwrap_or_default().to_ascii_lowercase();
        match (state.as_str(), prefixes.is_empty()) {
            ("untagged", true) => Ok((Vec::new(), true)),
            ("tagged", true) => Ok((all(), false)),
            ("any" | "" | "tag_state_unspecified", true) => Ok((all(), true)),
            ("tagged" | "any" | "" | "tag_state_unspecified", false) => Ok((prefixes, false)),
            ("untagged", false) => Err("what has no tag has no tag with a prefix".to_owned()),
            (other, _) => Err(format!("the tag state `{}` is not known", shown(other))),
        }
    }
}

/// Names of packages have their slashes encoded.
fn packages(prefixes: &[String]) -> Result<Vec<String>, String> {
    let pattern = |prefix: &String| {
        let name = prefix.replace("%2F", "/").replace("%2f", "/");
        if name.contains('*') {
            Err(format!("the prefix `{}`", shown(prefix)))
        } else {
            Ok(format!("{name}**"))
        }
    };
    prefixes.iter().map(pattern).collect()
}

/// `30d`, or as the API gives it out, `2592000s`. Fractions of seconds are nobody's.
fn span(text: &str) -> Result<String, String> {
    text.parse::<crate::retention::span::Span>()
        .map(|span| span.to_string())
        .map_err(|()| format!("the time `{}` cannot be read", shown(text)))
}
