//! Rules of other registries.

use plura_policy::retention::{
    ImportError, Imported, RetentionRules, Roots, import_artifact_registry, import_ecr,
    import_harbor, plan,
};
use serde_json::{Value, json};

use crate::repository::{NOW, Repository, deleted};

fn imported(result: Result<Imported, ImportError>) -> (Value, Vec<String>) {
    let imported = result.expect("it can be read");
    let document = serde_json::to_value(&imported.document).expect("JSON");
    (document, imported.without.into_iter().map(|without| without.path).collect())
}

fn ecr(rules: &Value) -> (Value, Vec<String>) {
    imported(import_ecr(json!({ "rules": rules }).to_string().as_bytes()))
}

#[test]
fn a_lifecycle_policy_of_ecr_becomes_rules() {
    let (document, without) = ecr(&json!([
        {"rulePriority": 3, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan",
            "countNumber": 100}, "action": {"type": "expire"}},
        {"rulePriority": 1, "description": "builds", "selection": {"tagStatus": "tagged",
            "tagPrefixList": ["build-"], "countType": "sinceImagePushed", "countUnit": "days",
            "countNumber": 14}, "action": {"type": "expire"}},
        {"rulePriority": 2, "selection": {"tagStatus": "untagged", "countType": "sinceImagePushed",
            "countUnit": "days", "countNumber": 1}, "action": {"type": "expire"}},
    ]));
    assert_eq!(
        document,
        json!({
            "keep": [{"name": "ecr-3-keep", "tags": ["*"], "except_tags": ["build-*"], "newest": 100}],
            "expire": [
                {"name": "ecr-1", "tags": ["build-*"], "older_than": "14d"},
                {"name": "ecr-2", "untagged": true, "older_than": "1d"},
                {"name": "ecr-3", "tags": ["*"], "except_tags": ["build-*"], "unless_kept": true},
            ],
        })
    );
    assert_eq!(without, ["rules"]);
}

#[test]
fn what_ecr_says_and_cannot_be_said_here_is_listed() {
    let (document, without) = ecr(&json!([
        {"rulePriority": 1, "selection": {"tagStatus": "tagged", "tagPatternList": ["a*", "*b"],
            "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14},
            "action": {"type": "expire"}},
        {"rulePriority": 2, "selection": {"tagStatus": "tagged", "tagPatternList": ["c*"],
            "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14},
            "action": {"type": "transition", "targetStorageClass": "archive"}},
        {"rulePriority": 3, "selection": {"tagStatus": "any", "countType": "sinceImageTransitioned",
            "countUnit": "days", "countNumber": 14, "storageClass": "archive"},
            "action": {"type": "expire"}},
        {"rulePriority": 4, "selection": {"tagStatus": "any", "countType": "sinceMoon",
            "countNumber": 14}, "action": {"type": "expire"}},
    ]));
    assert_eq!(document, json!({}));
    assert_eq!(without.len(), 4, "{without:?}");
    assert!(matches!(import_ecr(b"{}"), Err(ImportError::Malformed(_))));
    let odd = json!({"rules": [{"rulePriority": 1, "selection": {"tagStatus": "tagged",
        "tagPrefixList": ["a b"], "countType": "imageCountMoreThan", "countNumber": 1},
        "action": {"type": "expire"}}]});
    let odd = import_ecr(odd.to_string().as_bytes());
    assert!(matches!(odd, Err(ImportError::Problems(_))), "{odd:?}");
}

fn harbor_rule(template: &str, tags: &Value) -> Value {
    json!({
        "id": 1, "priority": 0, "disabled": false, "action": "retain", "template": template,
        "params": {template: 5},
        "tag_selectors": [tags],
        "scope_selectors": {"repository":
            [{"kind": "doublestar", "decoration": "repoMatches", "pattern": "web/**"}]},
    })
}

fn harbor(rules: &[Value]) -> (Value, Vec<String>) {
    let policy = json!({"algorithm": "or", "rules": rules, "scope": {"level": "project", "ref": 1},
        "trigger": {"kind": "Schedule", "settings": {"cron": "0 0 0 * * *"}}});
    imported(import_harbor(policy.to_string().as_bytes(), "apps"))
}

#[test]
fn a_retention_policy_of_harbor_becomes_rules() {
    let selector = |decoration: &str, pattern: &str, untagged: bool| {
        json!({"kind": "doublestar", "decoration": decoration, "pattern": pattern,
            "extras": json!({"untagged": untagged}).to_string()})
    };
    let mut disabled = harbor_rule("always", &selector("matches", "**", true));
    disabled["disabled"] = json!(true);
    let (document, without) = harbor(&[
        harbor_rule("latestPushedK", &selector("matches", "{v*,r-**}", true)),
        harbor_rule("nDaysSinceLastPull", &selector("excludes", "tmp*", false)),
        harbor_rule("always", &selector("matches", "lts", false)),
        disabled,
    ]);
    let repositories = json!(["apps/web/**"]);
    assert_eq!(
        document,
        json!({
            "keep": [
                {"name": "harbor-0", "repositories": repositories, "tags": ["v*", "r-*"],
                    "untagged": true, "newest": 5, "order": "pushed"},
                {"name": "harbor-1", "repositories": repositories, "tags": ["*"],
                    "except_tags": ["tmp*"], "pulled_within": "5d"},
                {"name": "harbor-2", "repositories": repositories, "tags": ["lts"]},
            ],
            "expire": [{"name": "harbor-rest-0", "repositories": repositories, "tags": ["*"],
                "untagged": true, "unless_kept": true}],
        })
    );
    assert_eq!(without, ["trigger.settings.cron"]);
}

#[test]
fn nothing_is_deleted_where_harbor_would_keep_more() {
    let clear = json!({"kind": "doublestar", "decoration": "matches", "pattern": "**"});
    for (odd, path) in [
        (json!({"kind": "label", "decoration": "withLabels", "pattern": "x"}), "tag_selectors"),
        (
            json!({"kind": "doublestar", "decoration": "matches", "pattern": "v[0-9]"}),
            "tag_selectors",
        ),
        (
            json!({"kind": "doublestar", "decoration": "matches", "pattern": "{a,b"}),
            "tag_selectors",
        ),
        (json!({"kind": "doublestar", "decoration": "except", "pattern": "a"}), "tag_selectors"),
    ] {
        let (document, without) =
            harbor(&[harbor_rule("latestPushedK", &clear), harbor_rule("latestPushedK", &odd)]);
        assert_eq!(document["expire"], Value::Null);
        assert_eq!(without[0], format!("rules[1].{path}"));
    }
    let many = json!({"kind": "doublestar", "decoration": "matches",
        "pattern": "{a,b}".repeat(200)});
    let (document, _) = harbor(&[harbor_rule("latestPushedK", &many)]);
    assert_eq!(document, json!({}));
    let (document, _) = harbor(&[harbor_rule("unknown", &clear)]);
    assert_eq!(document, json!({}));
}

#[test]
fn cleanup_policies_of_artifact_registry_become_rules() {
    let list = json!([
        {"name": "keep-newest", "action": {"type": "Keep"},
            "mostRecentVersions": {"keepCount": 5, "packageNamePrefixes": ["web%2Fsearch"]}},
        {"name": "releases", "action": {"type": "Keep"},
            "condition": {"tagState": "tagged", "tagPrefixes": ["v", "r"]}},
        {"name": "old", "action": {"type": "Delete"},
            "condition": {"tagState": "any", "olderThan": "30d"}},
        {"name": "rest", "action": {"type": "Delete"}, "condition": {"tagState": "UNTAGGED"}},
    ]);
    let expected = json!({
        "keep": [
            {"name": "artifact-registry-0", "repositories": ["web/search**"], "tags": ["*"],
                "untagged": true, "newest": 5},
            {"name": "artifact-registry-1", "tags": ["v*", "r*"]},
        ],
        "expire": [
            {"name": "artifact-registry-2", "tags": ["*"], "untagged": true, "older_than": "30d"},
            {"name": "artifact-registry-3", "untagged": true, "unless_kept": true},
        ],
    });
    let (document, without) = imported(import_artifact_registry(list.to_string().as_bytes()));
    assert_eq!((document, without), (expected, vec![]));
    let named = json!({"old": {"id": "old", "action": "DELETE",
        "condition": {"tagState": "TAGGED", "olderThan": "2592000s"}}});
    let (document, _) = imported(import_artifact_registry(named.to_string().as_bytes()));
    let expected = json!([{"name": "artifact-registry-0", "tags": ["*"], "older_than": "30d"}]);
    assert_eq!(document["expire"], expected);
}

#[test]
fn nothing_is_deleted_where_artifact_registry_would_keep_more() {
    let delete =
        json!({"name": "d", "action": {"type": "Delete"}, "condition": {"olderThan": "9d"}});
    for odd in [
        json!({"name": "k", "action": {"type": "Keep"}, "condition": {"versionNamePrefixes": ["sha256:0"]}}),
        json!({"name": "k", "action": {"type": "Keep"}, "condition": {"olderThan": "9d"}}),
        json!({"name": "k", "action": {"type": "Keep"}}),
        json!({"name": "k", "action": {"type": "Perhaps"}, "condition": {}}),
    ] {
        let text = json!([delete, odd]).to_string();
        let (document, without) = imported(import_artifact_registry(text.as_bytes()));
        assert_eq!(document, json!({}));
        assert_eq!(without.len(), 2, "{odd}");
    }
    let odd = json!({"name": "n", "action": {"type": "Delete"}, "condition": {"newerThan": "9d"}});
    let (document, without) =
        imported(import_artifact_registry(json!([delete, odd]).to_string().as_bytes()));
    assert_eq!(document["expire"].as_array().map(Vec::len), Some(1));
    assert_eq!(without.len(), 1);
}

#[test]
fn imported_rules_do_what_their_original_does() {
    let policy = json!({"rules": [
        {"rulePriority": 1, "selection": {"tagStatus": "tagged", "tagPrefixList": ["prod"],
            "countType": "imageCountMoreThan", "countNumber": 1}, "action": {"type": "expire"}},
        {"rulePriority": 2, "selection": {"tagStatus": "any", "countType": "sinceImagePushed",
            "countUnit": "days", "countNumber": 10}, "action": {"type": "expire"}},
    ]});
    let imported = import_ecr(policy.to_string().as_bytes()).expect("rules");
    let rules = RetentionRules::new(&imported.document).expect("rules");
    let repository = Repository::new()
        .image("a", "prod-1", 30)
        .image("b", "prod-2", 20)
        .image("c", "dev-1", 20)
        .image("d", "dev-2", 5);
    let plan = plan(&rules, &repository.0, &Roots::default(), NOW);
    let mut gone = deleted(&plan, &["a", "c"]);
    gone.sort();
    assert_eq!(gone, [":dev-1", ":prod-1", "a", "c"]);
}
