//! `CloudEvents` 1.0: structured mode, JSON.

use serde_json::{Value, json};

use crate::Event;

/// What types begin with.
const TYPES: &str = "io.plura.";

pub(super) fn envelope(event: &Event, source: &str) -> Value {
    let mut envelope = json!({
        "specversion": "1.0",
        "id": event.id.to_string(),
        "source": source,
        "type": format!("{TYPES}{}", event.r#type),
        "time": event.time,
        "datacontenttype": "application/json",
        "data": event,
    });
    // A subject has a character at least (CloudEvents 1.0, 3.1).
    if !event.subject.is_empty() {
        envelope["subject"] = event.subject.as_str().into();
    }
    envelope
}
