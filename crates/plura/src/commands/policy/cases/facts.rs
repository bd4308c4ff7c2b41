//! Facts as cases give them: only what a case is about.

use anyhow::Context;
use jiff::Timestamp;
use plura_oci::Digest;
use plura_policy::facts::{ImageFacts, Known};
use serde_json::{Map, Value, json};

/// What may be known of a manifest, or not.
const OF_MANIFEST: [&str; 7] =
    ["signatures", "provenance", "sboms", "vulnerabilities", "base", "configuration", "secrets"];

/// Facts with what the case leaves out: nothing of it is there, and it was pushed just now.
pub(super) fn completed(facts: Value, at: Timestamp) -> anyhow::Result<ImageFacts> {
    let mut facts = object(facts).context("expected a table")?;
    facts.entry("pushed_at").or_insert_with(|| json!(at));
    known(&mut facts, "advisories");
    let manifest = facts.remove("manifest").unwrap_or_else(|| json!({}));
    facts.insert("manifest".to_owned(), self::manifest(manifest, at)?);
    if let Some(Value::Array(platforms)) = facts.get_mut("platforms") {
        for platform in platforms {
            *platform = self::manifest(platform.take(), at)?;
        }
    }
    Ok(serde_json::from_value(Value::Object(facts))?)
}

fn manifest(manifest: Value, at: Timestamp) -> anyhow::Result<Value> {
    let mut manifest = object(manifest).context("a manifest is a table")?;
    manifest.entry("digest").or_insert_with(|| json!(Digest::sha256(b"a case")));
    for key in OF_MANIFEST {
        known(&mut manifest, key);
    }
    let vulnerabilities = manifest.get_mut("vulnerabilities").map(|known| &mut known["value"]);
    for vulnerability in vulnerabilities.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Value::Object(vulnerability) = vulnerability {
            vulnerability.entry("first_seen").or_insert_with(|| json!(at));
        }
    }
    Ok(Value::Object(manifest))
}

/// What is said is known, unless it says of itself whether it is.
fn known(fields: &mut Map<String, Value>, key: &str) {
    let value = match fields.remove(key) {
        None => json!(Known::<()>::Absent("the case says nothing of it".to_owned())),
        Some(value) if value.get("state").is_some() => value,
        Some(value) => json!({ "state": "known", "value": value }),
    };
    fields.insert(key.to_owned(), value);
}

fn object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}
