//! Static Analysis Results Interchange Format, version 2.1.0.

use std::collections::BTreeMap;

use plura_oci::Digest;
use serde_json::{Value, json};

use crate::{Band, Match, Score};

/// What to write about one match.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// What was found.
    pub found: &'a Match,
    /// Why it does not count, if it does not.
    pub suppressed: Option<&'a str>,
}

/// What the log is about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The image, as a URI (section 3.4.3): `pkg:oci/web@sha256%3A...` for example.
    pub uri: &'a str,
    /// The image, as people call it.
    pub name: &'a str,
    /// The version of this program.
    pub version: &'a str,
}

/// The log, with one rule for each vulnerability and one result for each package that has it.
pub fn log<'a>(subject: Subject<'_>, entries: impl IntoIterator<Item = Entry<'a>>) -> Value {
    let entries: Vec<Entry<'a>> = entries.into_iter().collect();
    let mut worst: BTreeMap<&str, &Match> = BTreeMap::new();
    for Entry { found, .. } in &entries {
        let known = worst.entry(&found.vulnerability).or_insert(found);
        if found.severity.band > known.severity.band {
            *known = found;
        }
    }
    let indexes: BTreeMap<&str, usize> =
        worst.keys().enumerate().map(|(index, name)| (*name, index)).collect();
    let rules: Vec<Value> = worst.values().map(|found| rule(found)).collect();
    let results: Vec<Value> = entries
        .iter()
        .map(|entry| result(&subject, entry, indexes.get(&*entry.found.vulnerability)))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "plura",
                "version": subject.version,
                "rules": rules,
            }},
            "artifacts": [{"location": {
                "uri": subject.uri,
                "description": {"text": subject.name},
            }}],
            "results": results,
        }],
    })
}

/// Where to read about a vulnerability.
pub(super) fn page(name: &str) -> Option<String> {
    // Names may come from other scanners; only what a name is made of goes into an address.
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte)) {
        return None;
    }
    Some(match name {
        cve if cve.starts_with("CVE-") => format!("https://nvd.nist.gov/vuln/detail/{cve}"),
        other => format!("https://osv.dev/vulnerability/{other}"),
    })
}

fn rule(found: &Match) -> Value {
    let summary = if found.summary.is_empty() { &found.vulnerability } else { &found.summary };
    let mut rule = json!({
        "id": found.vulnerability,
        "shortDescription": {"text": summary},
        "defaultConfiguration": {"level": level(found.severity.band)},
        "properties": {
            "tags": ["security", "vulnerability", found.severity.band.to_string()],
            "aliases": found.aliases,
            "security-severity": security_severity(found),
        },
    });
    if let Some(page) = page(&found.vulnerability) {
        rule["helpUri"] = page.into();
    }
    rule
}

fn result(subject: &Subject<'_>, entry: &Entry<'_>, rule: Option<&usize>) -> Value {
    let found = entry.found;
    let package = &found.package;
    let fix = if found.fixed.is_empty() {
        "There is no fixed version.".to_owned()
    } else {
        format!("Fixed in {}.", found.fixed.join(", "))
    };
    let mut result = json!({
        "ruleId": found.vulnerability,
        "level": level(found.severity.band),
        "kind": if found.is_certain() { "fail" } else { "open" },
        "message": {"text": format!("{}: {}. {fix}", found.vulnerability, found.reason())},
        "locations": [{
            "physicalLocation": {"artifactLocation": {"uri": subject.uri, "index": 0}},
            "logicalLocations": [{
                "name": package.name,
                "fullyQualifiedName": format!("{}/{}@{}", package.ecosystem, package.name, package.version),
                "kind": "package",
            }],
        }],
        "partialFingerprints": {"plura/v1": fingerprint(found)},
        "properties": {
            "severity": found.severity.band,
            "severitySource": found.severity.source,
            "fixed": found.fixed,
            "advisories": found.advisories,
        },
    });
    // Section 3.27.10: what is not a failure has no level.
    if !found.is_certain() {
        result["level"] = "none".into();
    }
    if let Some(rule) = rule {
        result["ruleIndex"] = (*rule).into();
    }
    if let Some(reason) = entry.suppressed {
        result["suppressions"] =
            json!([{"kind": "external", "status": "accepted", "justification": reason}]);
    }
    result
}

fn level(band: Band) -> &'static str {
    match band {
        Band::Critical | Band::High => "error",
        Band::Medium | Band::Unknown => "warning",
        Band::Low | Band::Negligible => "note",
    }
}

/// A number as text, by which GitHub sorts; a vendor's word stands for the middle of its band.
fn security_severity(found: &Match) -> String {
    let middle = match found.severity.band {
        Band::Critical => 9.5,
        Band::High => 8.0,
        Band::Medium => 5.5,
        Band::Low => 2.0,
        Band::Negligible | Band::Unknown => 0.0,
    };
    found.severity.score.unwrap_or_else(|| Score::from_value(middle)).to_string()
}

/// The same finding keeps it from one scan to the next.
fn fingerprint(found: &Match) -> String {
    let package = &found.package;
    let text = format!(
        "{}\n{}\n{}\n{}",
        found.vulnerability, package.ecosystem, package.name, package.version
    );
    Digest::sha256(text.as_bytes()).hex()
}
