//! What is known of an image, in words.

use std::fmt::Write;

use serde_json::Value;

use crate::table::cell;

/// Whether it is verified, by which policies, and who signed when.
pub(super) fn summary(evidence: &Value) -> String {
    let outcome = match evidence["verified"].as_bool() {
        Some(true) => "verified",
        Some(false) => "not verified",
        None => "not decided",
    };
    let (repository, digest) = (cell(&evidence["repository"]), cell(&evidence["digest"]));
    let mut text = format!("{outcome}: {repository}@{digest}\n");
    for verdict in list(&evidence["verdicts"]) {
        line(&mut text, 1, &decided(verdict));
        if verdict["verified"] == true {
            let facts = list(&verdict["facts"]);
            facts.for_each(|fact| line(&mut text, 2, &signed(fact)));
        }
    }
    text
}

/// Everything that was found, and why it counts or not.
pub(super) fn details(evidence: &Value) -> String {
    let mut text = String::new();
    heading(&mut text, "signatures", &evidence["signatures"]);
    for signature in list(&evidence["signatures"]) {
        found(&mut text, signature);
        let place = &signature["place"];
        for verdict in list(&evidence["verdicts"]) {
            let of = |at: &&Value| at["place"] == *place;
            list(&verdict["facts"])
                .filter(of)
                .for_each(|fact| line(&mut text, 2, &counts(verdict, fact)));
            list(&verdict["refusals"])
                .filter(of)
                .for_each(|refusal| refused(&mut text, verdict, refusal));
        }
    }
    elsewhere(&mut text, evidence);
    heading(&mut text, "statements", &evidence["statements"]);
    list(&evidence["statements"]).for_each(|one| statement(&mut text, one));
    text
}

/// `release: verified by alice, bob, as is the index sha256:...`
fn decided(verdict: &Value) -> String {
    let policy = cell(&verdict["policy"]);
    if verdict["verified"] != true {
        let reason = &verdict["reason"];
        let (observed, wanted) = (cell(&reason["observed"]), cell(&reason["required"]));
        return format!("{policy}: not verified: {observed}; expected {wanted}");
    }
    let required = verdict["required"].as_u64().unwrap_or(1);
    let mut text = format!("{policy}: signed by {}", cell(&verdict["signers"]));
    if required > 1 {
        let _ = write!(text, " ({required} were required)");
    }
    if let Some(index) = verdict["inherited_from"].as_str() {
        let _ = write!(text, ", inherited from the index {}", cell(&index.into()));
    }
    text
}

/// `alice, key sha256:..., signed 2026-... as its arrival here proves`
fn signed(fact: &Value) -> String {
    let (signer, time) = (who(&fact["signer"]), &fact["signed"]);
    let kind = match fact["kind"].as_str() {
        Some("signature") | None => String::new(),
        Some(kind) => format!("{}: ", cell(&kind.into())),
    };
    format!("{kind}{signer}, by {}, {}", cell(&time["time"]), proof(&time["evidence"]))
}

fn who(signer: &Value) -> String {
    let name = cell(&signer["name"]);
    match signer["kind"].as_str() {
        Some("key") => format!("{name}, key {}", cell(&signer["fingerprint"])),
        Some("identity") => {
            let identity = &signer["identity"];
            let (subject, issuer) = (cell(&identity["subject"]), cell(&identity["issuer"]));
            format!("{name}, {subject} of {issuer}")
        }
        _ => format!("{name}, {}", cell(&signer["subject"])),
    }
}

fn proof(evidence: &Value) -> String {
    let name = cell(&evidence["name"]);
    match evidence["by"].as_str() {
        Some("arrival") => "when it arrived here".to_owned(),
        Some("log") => format!("as the log {name} proves"),
        Some("timestamp-authority") => format!("as the timestamp of {name} proves"),
        _ => format!("as {} proves", cell(&evidence["by"])),
    }
}

fn found(text: &mut String, signature: &Value) {
    let (form, arrived) = (cell(&signature["form"]), cell(&signature["arrived"]));
    line(text, 1, &format!("{} ({form}, here since {arrived})", cell(&signature["place"])));
    if signature["refusal"].is_object() {
        reasons(text, "it cannot be read", &signature["refusal"]);
    }
}

fn counts(verdict: &Value, fact: &Value) -> String {
    format!("{}: counts: {}", cell(&verdict["policy"]), signed(fact))
}

fn refused(text: &mut String, verdict: &Value, refusal: &Value) {
    reasons(text, &format!("{}: does not count", cell(&verdict["policy"])), refusal);
}

fn reasons(text: &mut String, what: &str, refusal: &Value) {
    line(text, 2, &format!("{what}: {}", cell(&refusal["reason"])));
    for name in ["observed", "required", "fix"] {
        line(text, 3, &format!("{name}: {}", cell(&refusal[name])));
    }
}

/// What decided and was found elsewhere: with the index that an image is in.
fn elsewhere(text: &mut String, evidence: &Value) {
    let inherited =
        list(&evidence["verdicts"]).filter(|verdict| verdict["inherited_from"].is_string());
    for verdict in inherited {
        line(text, 0, &format!("signatures of the index {}", cell(&verdict["inherited_from"])));
        for fact in list(&verdict["facts"]) {
            line(text, 1, &cell(&fact["place"]));
            line(text, 2, &counts(verdict, fact));
        }
    }
}

fn statement(text: &mut String, statement: &Value) {
    let (place, kind) = (cell(&statement["place"]), cell(&statement["kind"]));
    line(text, 1, &format!("{place} ({kind}, {})", cell(&statement["predicate_type"])));
    let signers = &statement["signers"];
    let by = match (statement["signed"].as_bool(), list(signers).next()) {
        (Some(true), Some(_)) => format!("signed by {}", cell(signers)),
        (Some(true), None) => "signed by nobody who is trusted".to_owned(),
        _ => "not signed, and proves nothing".to_owned(),
    };
    line(text, 2, &by);
    let provenance = &statement["provenance"];
    let source = &provenance["source"];
    for (name, value) in [
        ("builder", &provenance["builder"]),
        ("build type", &provenance["build_type"]),
        ("source", &source["repository"]),
        ("ref", &source["ref"]),
        ("commit", &source["commit"]),
        ("run", &provenance["invocation"]),
    ] {
        if value.is_string() {
            line(text, 2, &format!("{name}: {}", cell(value)));
        }
    }
    let contradictions = list(&statement["contradictions"]);
    contradictions.for_each(|refusal| reasons(text, "contradiction", refusal));
}

fn heading(text: &mut String, name: &str, items: &Value) {
    let none = list(items).next().is_none();
    line(text, 0, &if none { format!("{name}: none") } else { name.to_owned() });
}

fn line(text: &mut String, depth: usize, words: &str) {
    let _ = writeln!(text, "{:width$}{words}", "", width = 2 * depth);
}

fn list(items: &Value) -> impl Iterator<Item = &Value> {
    items.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn evidence() -> Value {
        let fact = |place: &str, name: &str, proof: Value| {
            json!({
                "place": place, "digest": "sha256:d", "form": "bundle", "kind": "signature",
                "signer": { "kind": "key", "name": name, "fingerprint": "sha256:k" },
                "signed": { "time": "2026-11-21T09:00:00Z", "evidence": proof },
            })
        };
        json!({
            "repository": "apps/web", "digest": "sha256:d", "verified": false,
            "verdicts": [
                {
                    "policy": "release", "verified": true, "required": 2,
                    "signers": ["alice", "bob"],
                    "facts": [
                        fact("sha256:a#0", "alice", json!({ "by": "arrival" })),
                        fact("sha256:b#0", "bob", json!({ "by": "log", "name": "rekor" })),
                    ],
                    "refusals": [],
                },
                {
                    "policy": "security", "verified": false, "required": 1, "signers": [],
                    "facts": [],
                    "refusals": [{
                        "place": "sha256:a#0", "reason": "other-key", "observed": "another key",
                        "required": "a trusted key", "fix": "sign with it",
                    }],
                    "reason": {
                        "reason": "other-key", "observed": "another key",
                        "required": "a trusted key", "fix": "sign with it",
                    },
                },
            ],
            "signatures": [
                { "place": "sha256:a#0", "form": "bundle", "arrived": "2026-11-21T09:00:00Z" },
                {
                    "place": "sha256:c#0", "arrived": "2026-11-21T09:00:00Z",
                    "refusal": {
                        "reason": "malformed", "observed": "no JSON", "required": "a bundle",
                        "fix": "sign again",
                    },
                },
            ],
            "statements": [{
                "place": "sha256:e#0", "kind": "provenance",
                "predicate_type": "https://slsa.dev/provenance/v1", "signed": true,
                "signers": ["alice"],
                "provenance": {
                    "builder": "https://ci.example.com", "build_type": "https://example.com/build",
                    "source": { "repository": "https://example.com/web", "commit": "abc" },
                },
                "contradictions": [{
                    "reason": "other-commit", "observed": "abc", "required": "def", "fix": "build",
                }],
            }],
        })
    }

    #[test]
    fn every_policy_says_what_it_decided() {
        assert_snapshot!(summary(&evidence()), @r"
        not verified: apps/web@sha256:d
          release: signed by alice, bob (2 were required)
            alice, key sha256:k, by 2026-11-21T09:00:00Z, when it arrived here
            bob, key sha256:k, by 2026-11-21T09:00:00Z, as the log rekor proves
          security: not verified: another key; expected a trusted key
        ");
    }

    #[test]
    fn every_signature_says_why_it_counts_or_not() {
        assert_snapshot!(details(&evidence()), @r"
        signatures
          sha256:a#0 (bundle, here since 2026-11-21T09:00:00Z)
            release: counts: alice, key sha256:k, by 2026-11-21T09:00:00Z, when it arrived here
            security: does not count: other-key
              observed: another key
              required: a trusted key
              fix: sign with it
          sha256:c#0 (-, here since 2026-11-21T09:00:00Z)
            it cannot be read: malformed
              observed: no JSON
              required: a bundle
              fix: sign again
        statements
          sha256:e#0 (provenance, https://slsa.dev/provenance/v1)
            signed by alice
            builder: https://ci.example.com
            build type: https://example.com/build
            source: https://example.com/web
            commit: abc
            contradiction: other-commit
              observed: abc
              required: def
              fix: build
        ");
    }

    #[test]
    fn what_is_inherited_says_from_where() {
        let mut evidence = evidence();
        evidence["verdicts"][0]["inherited_from"] = "sha256:i".into();
        evidence["verdicts"] = json!([evidence["verdicts"][0]]);
        evidence["signatures"] = json!([]);
        evidence["statements"] = json!([]);
        assert_snapshot!(details(&evidence), @r"
        signatures: none
        signatures of the index sha256:i
          sha256:a#0
            release: counts: alice, key sha256:k, by 2026-11-21T09:00:00Z, when it arrived here
          sha256:b#0
            release: counts: bob, key sha256:k, by 2026-11-21T09:00:00Z, as the log rekor proves
        statements: none
        ");
    }
}
