//! The payload of Harbor's webhooks (v2, `Default`).

use plura_oci::Tag;
use serde_json::{Map, Value, json};

use super::Surroundings;
use crate::{Event, catalogue::QUOTA_EXCEEDED};

/// Harbor's name for an event, where it has one. A push is told once, when a tag is set: receivers take
/// tags only, and manifests that are pushed by digest are mostly parts of others. A pull is no change and
/// not in the audit, so there is no `PULL_ARTIFACT`.
fn event_type(kind: &str) -> Option<&'static str> {
    match kind {
        // A channel that moved is a tag that was pushed, for those who pull it.
        "tag.set" | "channel.move" | "channel.rollback" => Some("PUSH_ARTIFACT"),
        "tag.delete" | "manifest.delete" => Some("DELETE_ARTIFACT"),
        "contents.read" | "report.add" => Some("SCANNING_COMPLETED"),
        "retention.run" => Some("TAG_RETENTION"),
        QUOTA_EXCEEDED => Some("QUOTA_EXCEED"),
        _ => None,
    }
}

/// Whether Harbor would tell of the event: that has a name there, and is about an image. What belongs to
/// an image under a tag of its own, such as a signature, is none.
pub(super) fn has(event: &Event) -> bool {
    let tag = event.tag.as_deref().and_then(|tag| tag.parse::<Tag>().ok());
    let belongs = tag.is_some_and(|tag| tag.attachment().is_some());
    match event_type(&event.r#type) {
        None => false,
        Some("TAG_RETENTION") => true,
        Some("PUSH_ARTIFACT") => event.repository.is_some() && event.tag.is_some() && !belongs,
        Some(_) => event.repository.is_some() && !belongs,
    }
}

pub(super) fn payload(event: &Event, surroundings: &Surroundings<'_>) -> Option<Value> {
    let kind = event_type(&event.r#type).filter(|_| has(event))?;
    let data = match kind {
        "TAG_RETENTION" => retention(event, surroundings.host),
        _ => about_image(event, kind, surroundings)?,
    };
    Some(json!({
        "type": kind,
        "occur_at": event.time.as_second(),
        "operator": event.actor.name,
        "event_data": data,
    }))
}

fn about_image(event: &Event, kind: &str, surroundings: &Surroundings<'_>) -> Option<Value> {
    let full_name = event.repository.as_deref()?;
    let (namespace, name) = full_name.split_once('/').unwrap_or((full_name, full_name));
    let mut custom = Map::new();
    if kind == "QUOTA_EXCEED" {
        let reason = event.detail.get("reason").cloned().unwrap_or_default();
        custom.insert("Details".to_owned(), reason);
    }
    Some(json!({
        "resources": [resource(event, kind, full_name, surroundings.host)],
        "repository": {
            "name": name,
            "namespace": namespace,
            "repo_full_name": full_name,
            "repo_type": if surroundings.is_public { "public" } else { "private" },
        },
        "custom_attributes": custom,
    }))
}

fn resource(event: &Event, kind: &str, repository: &str, host: &str) -> Value {
    let digest = event.digest.as_deref();
    let mut resource = Map::new();
    if let Some(digest) = digest {
        resource.insert("digest".to_owned(), digest.into());
    }
    // What has no tag goes by its digest.
    let (tag, separator) = match (&event.tag, digest) {
        (Some(tag), _) => (tag.as_str(), ':'),
        (None, Some(digest)) => (digest, '@'),
        (None, None) => ("", ':'),
    };
    resource.insert("tag".to_owned(), tag.into());
    let url = format!("{host}/{repository}{separator}{tag}");
    resource.insert("resource_url".to_owned(), url.into());
    if kind == "SCANNING_COMPLETED" {
        resource.insert("scan_overview".to_owned(), overview(event));
    }
    Value::Object(resource)
}

/// That a scan was completed. What was found is asked for: it changes with every advisory.
fn overview(event: &Event) -> Value {
    json!({
        "application/vnd.security.vulnerability.report; version=1.1": {
            "report_id": event.id.to_string(),
            "scan_status": "Success",
            "end_time": event.time,
            "complete_percent": 100,
            "scanner": {
                "name": "plura", "vendor": "plura", "version": env!("CARGO_PKG_VERSION"),
            },
        },
    })
}

fn retention(event: &Event, host: &str) -> Value {
    let count = |name: &str| event.detail.get(name).and_then(Value::as_i64).unwrap_or_default();
    json!({
        "retention": {
            "total": count("total"),
            "retained": count("retained"),
            "harbor_hostname": host,
            "project_name": event.project,
            "result": "SUCCESS",
        },
    })
}
