//! A line of text, for Slack and whatever takes the same.

use serde_json::{Value, json};

use crate::Event;

pub(super) fn message(event: &Event, host: &str) -> Value {
    let mut text = format!("*{}*", escape(&event.r#type));
    if !event.subject.is_empty() {
        // An image is named as it is pulled.
        let host = if event.repository.is_some() { format!("{host}/") } else { String::new() };
        text.extend([" ", &escape(&host), &escape(&event.subject)]);
    }
    text.extend([" by ", &escape(&event.actor.name)]);
    json!({ "text": text })
}

/// Names of others must not become mentions or links.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
