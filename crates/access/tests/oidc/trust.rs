//! What verified tokens stand for.

use std::collections::BTreeMap;

use plura_access::oidc::{Claims, Mismatch, RuleError, TrustKind, TrustRule};
use plura_testkit::Issuer;
use serde_json::{Value, json};

use crate::{AUDIENCE, verify, with};

const GITHUB: &str = "https://token.actions.githubusercontent.com";
const ACCOUNT: &str = "14ee3fa4-a7e2-420f-9f9a-dbc4507c3798";

fn rule(kind: &str, conditions: Value) -> TrustRule {
    let mut rule = json!({"name": "main", "kind": kind, "issuer": GITHUB, "audience": AUDIENCE});
    rule["conditions"] = conditions;
    serde_json::from_value(rule).expect("a rule")
}

fn github(more: Value) -> TrustRule {
    let ids = json!({"repository_id": ["74"], "repository_owner_id": ["9"]});
    rule("github", with(ids, more))
}

fn parsed(claims: Value) -> Claims {
    let claims = with(claims, json!({"iss": GITHUB}));
    let claims = claims.as_object().expect("claims are an object").clone();
    Claims::parse(claims).expect("claims")
}

/// `None` if the claims match, or the name of the claim that does not.
fn mismatch(rule: &TrustRule, claims: &Value) -> Option<String> {
    rule.validate().expect("the rule is valid");
    rule.matches(&parsed(claims.clone())).err().map(|mismatch| mismatch.claim)
}

#[tokio::test]
async fn claims_of_github_match_by_id_and_condition() {
    let issuer = Issuer::start().await;
    let claims = issuer.github_claims(AUDIENCE);
    let workflow = "octo-org/web/.github/workflows/release.yml@*";
    for (conditions, changes, expected) in [
        (json!({}), json!({}), None),
        (json!({}), json!({"repository_id": "75"}), Some("repository_id")),
        (json!({}), json!({"repository_id": "740"}), Some("repository_id")),
        (json!({}), json!({"repository_id": 74}), None),
        (json!({}), json!({"repository_id": ["74"]}), Some("repository_id")),
        (json!({}), json!({"repository_id": null}), Some("repository_id")),
        // The name was taken over by another owner.
        (json!({}), json!({"repository_owner_id": "10"}), Some("repository_owner_id")),
        (json!({}), json!({"repository": "octo-org/renamed"}), None),
        (json!({}), json!({"jti": null}), Some("jti")),
        (json!({}), json!({"event_name": "pull_request_target"}), Some("event_name")),
        (json!({}), json!({"event_name": "workflow_run"}), Some("event_name")),
        (json!({}), json!({"event_name": null}), Some("event_name")),
        (json!({}), json!({"event_name": ["push"]}), Some("event_name")),
        (json!({}), json!({"event_name": "pull_request"}), None),
        (json!({}), json!({"aud": "other"}), Some("aud")),
        (json!({"repository_id": ["1", "74"]}), json!({}), None),
        (json!({"ref": ["refs/heads/main", "refs/tags/v*"]}), json!({}), None),
        (json!({"ref": ["refs/tags/v*"]}), json!({}), Some("ref")),
        (json!({"ref": ["refs/tags/v*"]}), json!({"ref": "refs/tags/v1.0.0"}), None),
        (json!({"ref": ["refs/heads/main"]}), json!({"ref": "refs/heads/main2"}), Some("ref")),
        (json!({"environment": ["production"]}), json!({}), Some("environment")),
        (json!({"environment": ["*"]}), json!({}), Some("environment")),
        (json!({"environment": ["*"]}), json!({"environment": "test"}), None),
        (json!({"job_workflow_ref": [workflow]}), json!({}), None),
        (
            json!({"job_workflow_ref": [workflow]}),
            json!({"job_workflow_ref": "evil/web/.github/workflows/release.yml@refs/heads/main"}),
            Some("job_workflow_ref"),
        ),
    ] {
        let found = mismatch(&github(conditions.clone()), &with(claims.clone(), changes.clone()));
        assert_eq!(found.as_deref(), expected, "{conditions} {changes}");
    }
}

#[tokio::test]
async fn events_with_code_of_strangers_can_be_allowed() {
    let issuer = Issuer::start().await;
    let rule = TrustRule { allow_pull_request_target: true, ..github(json!({})) };
    for event in ["pull_request_target", "workflow_run", "push"] {
        let claims = with(issuer.github_claims(AUDIENCE), json!({"event_name": event}));
        assert_eq!(mismatch(&rule, &claims), None, "{event}");
    }
}

#[tokio::test]
async fn claims_of_gitlab_match_by_id_and_condition() {
    let issuer = Issuer::start().await;
    let claims = issuer.gitlab_claims(AUDIENCE);
    let rule = |more: Value| {
        rule("gitlab", with(json!({"project_id": ["22"], "namespace_id": ["72"]}), more))
    };
    for (conditions, changes, expected) in [
        (json!({}), json!({}), None),
        (json!({}), json!({"project_id": "23"}), Some("project_id")),
        (json!({}), json!({"namespace_id": "73"}), Some("namespace_id")),
        (json!({}), json!({"jti": null}), Some("jti")),
        (json!({"ref_protected": ["true"]}), json!({}), None),
        (
            json!({"ref_protected": ["true"]}),
            json!({"ref_protected": "false"}),
            Some("ref_protected"),
        ),
        (json!({"ref_protected": ["true"]}), json!({"ref_protected": true}), None),
        (json!({"runner_id": ["1"]}), json!({}), None),
    ] {
        let found = mismatch(&rule(conditions.clone()), &with(claims.clone(), changes.clone()));
        assert_eq!(found.as_deref(), expected, "{conditions} {changes}");
    }
}

#[tokio::test]
async fn claims_of_a_cluster_match_by_the_uid_of_the_account() {
    let issuer = Issuer::start().await;
    let claims = issuer.kubernetes_claims(AUDIENCE);
    let rule = |more: Value| {
        rule("kubernetes", with(json!({"kubernetes.io/serviceaccount/uid": [ACCOUNT]}), more))
    };
    let other = json!({"kubernetes.io": {
        "namespace": "build", "serviceaccount": {"name": "ci", "uid": "another"}
    }});
    for (conditions, changes, expected) in [
        (json!({}), json!({}), None),
        (json!({}), json!({"jti": null}), None),
        (json!({}), other, Some("kubernetes.io/serviceaccount/uid")),
        (json!({}), json!({"kubernetes.io": "x"}), Some("kubernetes.io/serviceaccount/uid")),
        (json!({"kubernetes.io/namespace": ["build"]}), json!({}), None),
        (json!({"kubernetes.io/namespace": ["b*"]}), json!({}), None),
        (json!({"kubernetes.io/namespace": ["other"]}), json!({}), Some("kubernetes.io/namespace")),
        (json!({"kubernetes.io/pod": ["*"]}), json!({}), Some("kubernetes.io/pod")),
        (json!({"kubernetes.io/pod/name": ["ci-*"]}), json!({}), None),
        (json!({"kubernetes.io/pod/name/x": ["*"]}), json!({}), Some("kubernetes.io/pod/name/x")),
    ] {
        let found = mismatch(&rule(conditions.clone()), &with(claims.clone(), changes.clone()));
        assert_eq!(found.as_deref(), expected, "{conditions} {changes}");
    }
}

#[test]
fn claims_of_others_match_by_subject() {
    let claims = json!({
        "aud": AUDIENCE, "sub": "job-7", "exp": 1,
        "teams": ["a", "b"], "odd": [["a"], {"b": 1}, null], "admin": false,
    });
    for (conditions, expected) in [
        (json!({}), None),
        (json!({"sub": ["job-8"]}), Some("sub")),
        (json!({"teams": ["b"]}), None),
        (json!({"teams": ["c", "a*"]}), None),
        (json!({"teams": ["a,b"]}), Some("teams")),
        (json!({"odd": ["*"]}), Some("odd")),
        (json!({"admin": ["false"]}), None),
    ] {
        let rule = rule("generic", with(json!({"sub": ["job-7"]}), conditions.clone()));
        assert_eq!(mismatch(&rule, &claims).as_deref(), expected, "{conditions}");
    }
}

#[tokio::test]
async fn a_mismatch_says_what_differs() {
    let issuer = Issuer::start().await;
    let claims = with(issuer.github_claims(AUDIENCE), json!({"ref": "refs/heads/\u{1b}[31m"}));
    let rule = github(json!({"ref": ["refs/heads/main", "refs/tags/v*"]}));
    let found = rule.matches(&parsed(claims.clone())).unwrap_err();
    assert_eq!(
        found.to_string(),
        r"the claim `ref` is `refs/heads/\u{1b}[31m`, and must be `refs/heads/main` or `refs/tags/v*`"
    );
    let found = rule.matches(&parsed(with(claims.clone(), json!({"ref": null})))).unwrap_err();
    assert_eq!(
        found,
        Mismatch {
            claim: "ref".to_owned(),
            expected: "`refs/heads/main` or `refs/tags/v*`".to_owned(),
            observed: None,
        }
    );
    let long = with(claims, json!({"ref": "ä".repeat(5000)}));
    assert!(rule.matches(&parsed(long)).unwrap_err().to_string().len() < 600);
}

#[tokio::test]
async fn a_token_verified_for_one_rule_is_not_matched_by_another() {
    let issuer = Issuer::start().await;
    let rule = TrustRule { issuer: issuer.url().to_owned(), ..github(json!({})) };
    let mut claims = issuer.github_claims(AUDIENCE);
    claims["exp"] = json!(crate::NOW + 60);
    let verified = verify(&issuer, &issuer.sign(&claims)).await.unwrap();
    assert_eq!(rule.matches(&verified), Ok(()));
    let elsewhere = TrustRule { issuer: GITHUB.to_owned(), ..rule.clone() };
    assert_eq!(elsewhere.matches(&verified).unwrap_err().claim, "iss");
    let other = TrustRule { audience: "other".to_owned(), ..rule.clone() };
    assert_eq!(other.matches(&verified).unwrap_err().claim, "aud");
    let careless = TrustRule { conditions: BTreeMap::new(), ..rule };
    assert_eq!(careless.matches(&verified).unwrap_err().claim, "repository_id");
}

#[test]
fn a_rule_needs_what_cannot_be_taken_over() {
    let missing = |kind: &str, conditions: Value| match rule(kind, conditions).validate() {
        Err(RuleError::IdMissing { claim, .. }) => claim,
        other => panic!("{kind}: {other:?}"),
    };
    let named = json!({"repository": ["octo-org/web"], "sub": ["repo:octo-org/web:*"]});
    assert_eq!(missing("github", named), "repository_id");
    assert_eq!(missing("github", json!({"repository_id": ["7"]})), "repository_owner_id");
    assert_eq!(missing("gitlab", json!({"project_id": ["7"]})), "namespace_id");
    assert_eq!(missing("gitlab", json!({"namespace_id": ["7"]})), "project_id");
    let account = json!({"sub": ["system:serviceaccount:build:ci"]});
    assert_eq!(missing("kubernetes", account), "kubernetes.io/serviceaccount/uid");
    assert_eq!(missing("generic", json!({"email": ["a@example.com"]})), "sub");
}

#[test]
fn an_id_is_exact() {
    for (kind, conditions, wrong) in [
        ("github", json!({"repository_id": ["*"], "repository_owner_id": ["9"]}), "*"),
        ("github", json!({"repository_id": ["7"], "repository_owner_id": ["9", "1*"]}), "1*"),
        ("github", json!({"repository_id": ["seven"], "repository_owner_id": ["9"]}), "seven"),
        ("gitlab", json!({"project_id": ["22 "], "namespace_id": ["72"]}), "22 "),
        ("kubernetes", json!({"kubernetes.io/serviceaccount/uid": ["14ee3fa4-*"]}), "14ee3fa4-*"),
        ("generic", json!({"sub": ["job-*"]}), "job-*"),
    ] {
        match rule(kind, conditions).validate() {
            Err(RuleError::IdNotExact { value, .. }) => assert_eq!(value, wrong),
            other => panic!("{kind}: {other:?}"),
        }
    }
}

#[test]
fn a_rule_that_could_not_match_is_refused() {
    let good = github(json!({}));
    assert_eq!(good.validate(), Ok(()));
    for conditions in [json!({"ref": []}), json!({"ref": [""]}), json!({"": ["a"]})] {
        let found = github(conditions.clone()).validate();
        assert!(matches!(found, Err(RuleError::Empty(_))), "{conditions}");
    }
    let many: BTreeMap<_, _> = (0..40).map(|index| (format!("c{index}"), vec!["a"])).collect();
    let values = vec!["a"; 65];
    for conditions in [json!(many), json!({"ref": values}), json!({"ref": ["a".repeat(1025)]})] {
        assert_eq!(github(conditions).validate(), Err(RuleError::TooLarge));
    }
    for name in ["", "Main", "a b", "-a", "a-", "a..b", "ä", &"a".repeat(65)] {
        let rule = TrustRule { name: name.to_owned(), ..good.clone() };
        assert_eq!(rule.validate(), Err(RuleError::Name(name.to_owned())));
    }
    for issuer in ["", "token.actions.githubusercontent.com", "http://issuer.example.com"] {
        let rule = TrustRule { issuer: issuer.to_owned(), ..good.clone() };
        assert!(matches!(rule.validate(), Err(RuleError::Issuer(_))), "{issuer}");
    }
    let rule = TrustRule { audience: String::new(), ..good };
    assert_eq!(rule.validate(), Err(RuleError::Audience));
    let cluster = rule_for_cluster_with_events();
    assert_eq!(cluster.validate(), Err(RuleError::OnlyForGitHub));
}

fn rule_for_cluster_with_events() -> TrustRule {
    let conditions = json!({"kubernetes.io/serviceaccount/uid": [ACCOUNT]});
    TrustRule { allow_pull_request_target: true, ..rule("kubernetes", conditions) }
}

#[test]
fn a_rule_is_written_as_it_is_read() {
    let text = json!({
        "name": "github-main",
        "kind": "github",
        "issuer": GITHUB,
        "audience": AUDIENCE,
        "conditions": {"repository_id": ["74"]},
        "allow_pull_request_target": true,
        "jwks_file": "/etc/plura/keys.json",
    });
    let rule: TrustRule = serde_json::from_value(text.clone()).unwrap();
    assert_eq!(rule.kind, TrustKind::GitHub);
    assert_eq!(serde_json::to_value(&rule).unwrap(), text);
    assert_eq!(rule.expected().jwks_file.as_deref(), Some("/etc/plura/keys.json".as_ref()));
    let unknown = with(text, json!({"allow_all": true}));
    assert!(serde_json::from_value::<TrustRule>(unknown).is_err());
}
