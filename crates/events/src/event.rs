//! An event, as it is told.

use plura_meta::audit::Entry;
use plura_oci::{Digest, RepositoryName, Tag};
use serde::Serialize;
use serde_json::Value;

use crate::{catalogue, instant};

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Event {
    /// Its place in the order of all.
    pub id: i64,
    /// What happened: `tag.set`, `manifest.delete`, ...
    pub r#type: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub time: jiff::Timestamp,
    /// On what: `apps/web:1.0`.
    pub subject: String,
    /// The project it is about, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The repository, if it is about something in one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The tag, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The digest, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// Who did it.
    pub actor: EventActor,
    /// More about it.
    #[schema(value_type = Object)]
    pub detail: Value,
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct EventActor {
    /// What kind of identity: `user`, `robot`, `system`, ...
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl Event {
    /// The event that an entry of the audit is, if it is one.
    pub(crate) fn of(entry: &Entry) -> Option<Self> {
        let kind = catalogue::event_type(entry)?.to_owned();
        let event = Self::named(entry, kind);
        let place = Place::of(&entry.target, &entry.project);
        let place = place.unwrap_or_default();
        let told = |name: &str| event.detail.get(name).and_then(Value::as_str).map(str::to_owned);
        // What names no image by its target, such as a channel, may name one in its detail.
        let (repository, tag) = match place.repository {
            None => (told("repository"), told("tag")),
            named => (named, place.tag),
        };
        let digest = place.digest.or_else(|| told("digest"));
        Some(Self { repository, tag, digest, ..event })
    }

    fn named(entry: &Entry, kind: String) -> Self {
        Self {
            id: entry.id,
            r#type: kind,
            time: instant(entry.at),
            subject: entry.target.clone(),
            project: (!entry.project.is_empty()).then(|| entry.project.clone()),
            repository: None,
            tag: None,
            digest: None,
            actor: EventActor { kind: entry.actor_kind.clone(), name: entry.actor.clone() },
            detail: serde_json::from_str(&entry.detail).unwrap_or_else(|_| serde_json::json!({})),
        }
    }
}

/// Something in a repository.
#[derive(Default)]
struct Place {
    repository: Option<String>,
    tag: Option<String>,
    digest: Option<String>,
}

impl Place {
    /// What a target names, if it is in a repository of the project: others have a colon, too.
    fn of(target: &str, project: &str) -> Option<Self> {
        let is_here = |text: &str| {
            let name: Result<RepositoryName, _> = text.parse();
            name.is_ok() && text.split('/').next() == Some(project)
        };
        if let Some((repository, digest)) = target.split_once('@') {
            let known = is_here(repository) && digest.parse::<Digest>().is_ok();
            let digest = Some(digest.to_owned());
            let repository = Some(repository.to_owned());
            return known.then_some(Self { repository, tag: None, digest });
        }
        match target.rsplit_once(':') {
            Some((repository, tag)) if is_here(repository) && tag.parse::<Tag>().is_ok() => {
                let tag = Some(tag.to_owned());
                Some(Self { repository: Some(repository.to_owned()), tag, digest: None })
            }
            None if is_here(target) && target.contains('/') => {
                Some(Self { repository: Some(target.to_owned()), tag: None, digest: None })
            }
            Some(_) | None => None,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use plura_meta::Timestamp;

    use super::*;

    /// An entry of the audit about something in the project `apps`.
    pub(crate) fn entry(action: &str, target: &str, detail: &str) -> Entry {
        Entry {
            id: 7,
            at: Timestamp(1_700_000_000_000),
            request_id: String::new(),
            actor_kind: "robot".into(),
            actor: "robot+apps+ci".into(),
            method: "token".into(),
            address: "192.0.2.1".into(),
            action: action.into(),
            target: target.into(),
            project: "apps".into(),
            outcome: "allowed".into(),
            rule: String::new(),
            detail: detail.into(),
        }
    }

    #[test]
    fn an_event_names_what_it_is_about() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let told = format!(r#"{{"digest":"{digest}"}}"#);
        let place = |target: &str, detail: &str| {
            let event = Event::of(&entry("tag.set", target, detail)).expect("an event");
            (event.repository, event.tag, event.digest)
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(place("apps/web:1.0", &told), (some("apps/web"), some("1.0"), some(&digest)));
        let target = format!("apps/web@{digest}");
        assert_eq!(place(&target, ""), (some("apps/web"), None, some(&digest)));
        assert_eq!(place("user:alice", ""), (None, None, None));
        assert_eq!(place("other/web:1.0", ""), (None, None, None));
        assert_eq!(place("", ""), (None, None, None));
    }

    #[test]
    fn a_refusal_is_told_of_only_where_a_quota_was_exceeded() {
        let mut denied = entry("manifest.push", "apps/web:1.0", "");
        denied.outcome = "denied".into();
        assert_eq!(Event::of(&denied), None);
        denied.rule = "quota of project apps".into();
        assert_eq!(Event::of(&denied).expect("an event").r#type, "quota.exceeded");
    }
}
