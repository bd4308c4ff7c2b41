//! Documents, and what is wrong with them.

use plura_policy::retention::{RetentionDocument, RetentionRules};
use serde_json::{Value, json};

#[test]
fn what_is_recommended_can_be_used() {
    let document = RetentionDocument::recommended();
    let rules = RetentionRules::new(&document).expect("rules");
    let text = serde_json::to_string(&document).expect("JSON");
    assert_eq!(serde_json::from_str::<RetentionDocument>(&text).expect("a document"), document);
    let again = RetentionRules::from_json(text.as_bytes()).expect("rules");
    assert_eq!(again.digest(), rules.digest());
    let other = RetentionRules::new(&RetentionDocument::default()).expect("no rules");
    assert_ne!(other.digest(), rules.digest());
}

#[track_caller]
fn check(document: &Value, expected: &[&str]) {
    let problems = RetentionRules::from_json(document.to_string().as_bytes());
    let problems = problems.expect_err("it cannot be meant");
    let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(paths, expected, "{problems:?}");
    assert!(problems.iter().all(|problem| !problem.fix.is_empty() && !problem.problem.is_empty()));
}

#[test]
fn all_problems_are_told_at_once() {
    check(
        &json!({
            "channels": [{"channel": "prod:sta ble", "window": "180"}],
            "keep": [
                {"name": "a", "tags": ["v*", "b c"], "newest": 0},
                {"name": "a", "tags": ["*"], "newest": 1, "pulled_within": "1d"},
                {"name": "", "except_tags": ["x"], "order": "version"},
            ],
            "expire": [
                {"name": "b", "tags": ["*"]},
                {"name": "c", "tags": ["*"], "idle": "1d", "unless_kept": true},
                {"name": "d", "repositories": ["Apps"], "untagged": true, "idle": "0d", "older_than": "1y"},
            ],
        }),
        &[
            "channels[0].window",
            "channels[0].channel",
            "keep[0].tags[1]",
            "keep[0].newest",
            "keep[1]",
            "keep[2]",
            "keep[2].except_tags",
            "keep[2].order",
            "expire[0]",
            "expire[1]",
            "expire[2].repositories[0]",
            "expire[2].older_than",
            "expire[2].idle",
            "keep[1].name",
            "keep[2].name",
        ],
    );
}

#[test]
fn what_is_not_known_is_refused() {
    for document in [
        json!({"delete": []}),
        json!({"keep": [{"name": "a", "tags": ["*"], "newset": 3}]}),
        json!({"expire": [{"name": "a", "tags": ["*"], "idle": 7}]}),
        json!({"keep": [{"name": "a", "tags": ["*"], "newest": 3, "order": "size"}]}),
        json!([1]),
    ] {
        check(&document, &[""]);
    }
    assert!(RetentionRules::from_json(&vec![b' '; 2_000_000]).is_err());
    let deep = "[".repeat(100_000);
    assert!(RetentionRules::from_json(deep.as_bytes()).is_err());
    let rule = json!({"name": "a", "tags": ["*"]});
    check(&json!({"keep": vec![rule; 101]}), &["keep"]);
    check(&json!({"keep": [{"name": "a", "tags": vec!["*"; 101]}]}), &["keep[0].tags"]);
}
