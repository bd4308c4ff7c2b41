//! How events are written for those who receive them.

mod cloud_events;
mod harbor;
mod slack;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, Event};

/// How events are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// As Harbor sends them (`Default`): Kargo, Flux and Argo CD Image Updater read it. It has pushes,
    /// deletions, scans, retention and quotas, and no other events.
    Harbor,
    /// `CloudEvents` 1.0, in structured mode.
    CloudEvents,
    /// A line of text for Slack and whatever takes the same.
    Slack,
}

/// What a receiver gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) content_type: &'static str,
    pub(crate) bytes: Vec<u8>,
}

/// What is known besides the event.
pub(crate) struct Surroundings<'a> {
    /// The host by which clients know this registry.
    pub(crate) host: &'a str,
    /// Where events are from.
    pub(crate) source: &'a str,
    /// Whether everybody may read what the event is about.
    pub(crate) is_public: bool,
}

impl Form {
    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Harbor => "harbor",
            Self::CloudEvents => "cloudevents",
            Self::Slack => "slack",
        }
    }

    /// Whether the form has the event.
    pub(crate) fn has(self, event: &Event) -> bool {
        self != Self::Harbor || harbor::has(event)
    }

    /// An event in this form, if the form has it.
    pub(crate) fn write(self, event: &Event, surroundings: &Surroundings<'_>) -> Option<Body> {
        let (content_type, value) = match self {
            Self::Harbor => ("application/json", harbor::payload(event, surroundings)?),
            Self::CloudEvents => {
                let value = cloud_events::envelope(event, surroundings.source);
                ("application/cloudevents+json; charset=utf-8", value)
            }
            Self::Slack => ("application/json", slack::message(event, surroundings.host)),
        };
        Some(Body { content_type, bytes: value.to_string().into_bytes() })
    }
}

impl FromStr for Form {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Harbor, Self::CloudEvents, Self::Slack]
            .into_iter()
            .find(|form| form.as_str() == text)
            .ok_or_else(|| Error::invalid("form", "expected harbor, cloudevents or slack"))
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::event::tests::entry;

    const SURROUNDINGS: Surroundings<'static> = Surroundings {
        host: "registry.example.com",
        source: "https://registry.example.com",
        is_public: false,
    };

    fn write(form: Form, action: &str, target: &str, detail: &str) -> Option<Value> {
        let event = Event::of(&entry(action, target, detail)).expect("an event");
        let body = form.write(&event, &SURROUNDINGS)?;
        Some(serde_json::from_slice(&body.bytes).expect("JSON"))
    }

    #[test]
    fn a_push_is_what_harbor_sends() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let detail = json!({ "digest": digest }).to_string();
        assert_eq!(
            write(Form::Harbor, "tag.set", "apps/a/web:1.0", &detail),
            Some(json!({
                "type": "PUSH_ARTIFACT",
                "occur_at": 1_700_000_000,
                "operator": "robot+apps+ci",
                "event_data": {
                    "resources": [{
                        "digest": digest,
                        "tag": "1.0",
                        "resource_url": "registry.example.com/apps/a/web:1.0",
                    }],
                    "repository": {
                        "name": "a/web",
                        "namespace": "apps",
                        "repo_full_name": "apps/a/web",
                        "repo_type": "private",
                    },
                    "custom_attributes": {},
                },
            }))
        );
    }

    #[test]
    fn harbor_has_no_word_for_most_events() {
        for action in ["manifest.push", "evidence.change", "promotion.finished", "collect"] {
            assert_eq!(write(Form::Harbor, action, "apps/web:1.0", ""), None, "{action}");
        }
        // Nor for what names no image, nor for signatures, which are accessories to it.
        let signature = format!("apps/web:sha256-{}.sig", "a".repeat(64));
        for target in ["", "user:alice", &signature] {
            assert_eq!(write(Form::Harbor, "tag.set", target, ""), None, "{target}");
        }
    }

    #[test]
    fn a_deletion_and_a_scan_name_the_digest() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let target = format!("apps/web@{digest}");
        let deleted = write(Form::Harbor, "manifest.delete", &target, "").expect("an event");
        assert_eq!(deleted["type"], "DELETE_ARTIFACT");
        assert_eq!(deleted["event_data"]["resources"][0]["tag"], digest);
        let resource = format!("registry.example.com/{target}");
        assert_eq!(deleted["event_data"]["resources"][0]["resource_url"], resource);
        let scanned = write(Form::Harbor, "contents.read", &target, "").expect("an event");
        assert_eq!(scanned["type"], "SCANNING_COMPLETED");
        let overview = &scanned["event_data"]["resources"][0]["scan_overview"];
        let report = &overview["application/vnd.security.vulnerability.report; version=1.1"];
        assert_eq!(report["scan_status"], "Success");
    }

    #[test]
    fn a_cloud_event_has_what_it_must_have() {
        let event = write(Form::CloudEvents, "tag.set", "apps/web:1.0", "").expect("an event");
        assert_eq!(event["specversion"], "1.0");
        assert_eq!(event["id"], "7");
        assert_eq!(event["source"], "https://registry.example.com");
        assert_eq!(event["type"], "io.plura.tag.set");
        assert_eq!(event["subject"], "apps/web:1.0");
        assert_eq!(event["time"], "2023-11-14T22:13:20Z");
        assert_eq!(event["data"]["tag"], "1.0");
    }

    #[test]
    fn text_for_slack_has_no_markup_of_others() {
        let event =
            write(Form::Slack, "exception.create", "<!channel> & co", "").expect("an event");
        let text = event["text"].as_str().expect("a text");
        assert_eq!(text, "*exception.create* &lt;!channel&gt; &amp; co by robot+apps+ci");
    }
}
