//! What tokens of real workloads say: the claims of GitHub Actions, GitLab CI and Kubernetes.

use serde_json::{Value, json};

use super::Issuer;

impl Issuer {
    /// A push to `main` of `octo-org/web` (repository 74, owner 9), with a `jti` of its own.
    /// <https://docs.github.com/actions/reference/openid-connect-reference>
    pub fn github_claims(&self, audience: &str) -> Value {
        let workflow = "octo-org/web/.github/workflows/release.yml@refs/heads/main";
        self.with(
            audience,
            json!({
                "jti": new_id(),
                "sub": "repo:octo-org/web:ref:refs/heads/main",
                "ref": "refs/heads/main",
                "ref_type": "branch",
                "ref_protected": "true",
                "sha": "f6c7a3ef1f0c0c4c3a6d5c6ab13b4cfd23a1d2c7",
                "repository": "octo-org/web",
                "repository_id": "74",
                "repository_owner": "octo-org",
                "repository_owner_id": "9",
                "repository_visibility": "private",
                "actor": "octocat",
                "actor_id": "12",
                "workflow": "release",
                "workflow_ref": workflow,
                "workflow_sha": "f6c7a3ef1f0c0c4c3a6d5c6ab13b4cfd23a1d2c7",
                "job_workflow_ref": workflow,
                "job_workflow_sha": "f6c7a3ef1f0c0c4c3a6d5c6ab13b4cfd23a1d2c7",
                "event_name": "push",
                "head_ref": "",
                "base_ref": "",
                "run_id": "6012345678",
                "run_number": "42",
                "run_attempt": "1",
                "runner_environment": "github-hosted",
            }),
        )
    }

    /// A pipeline of `main` of `group/web` (project 22, namespace 72), with a `jti` of its own.
    /// <https://docs.gitlab.com/ci/secrets/id_token_authentication/>
    pub fn gitlab_claims(&self, audience: &str) -> Value {
        self.with(
            audience,
            json!({
                "jti": new_id(),
                "sub": "project_path:group/web:ref_type:branch:ref:main",
                "namespace_id": "72",
                "namespace_path": "group",
                "project_id": "22",
                "project_path": "group/web",
                "user_id": "1",
                "user_login": "sample-user",
                "user_email": "sample-user@example.com",
                "pipeline_id": "574",
                "pipeline_source": "push",
                "job_id": "302",
                "ref": "main",
                "ref_type": "branch",
                "ref_path": "refs/heads/main",
                "ref_protected": "true",
                "environment": "production",
                "environment_protected": "true",
                "runner_id": 1,
                "runner_environment": "self-hosted",
                "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
                "project_visibility": "private",
                "ci_config_ref_uri": "gitlab.example.com/group/web//.gitlab-ci.yml@refs/heads/main",
            }),
        )
    }

    /// A projected token of the service account `ci` in the namespace `build`.
    /// <https://kubernetes.io/docs/concepts/security/service-accounts/>
    pub fn kubernetes_claims(&self, audience: &str) -> Value {
        let mut claims = self.with(
            audience,
            json!({
                "jti": "ea28ed49-2e11-4280-9ec5-bc3d1d84661a",
                "sub": "system:serviceaccount:build:ci",
                "kubernetes.io": {
                    "namespace": "build",
                    "node": {"name": "node-1", "uid": "e4e5a6bb-29bc-4b3c-9b0a-bd7d2f0c6a2e"},
                    "pod": {"name": "ci-0", "uid": "5e0bd49b-f040-43b0-99b7-22765a53f7f3"},
                    "serviceaccount": {"name": "ci", "uid": "14ee3fa4-a7e2-420f-9f9a-dbc4507c3798"},
                    "warnafter": 1_700_000_000,
                },
            }),
        );
        claims["aud"] = json!([audience]);
        claims
    }

    fn with(&self, audience: &str, more: Value) -> Value {
        let mut claims = self.claims(audience);
        let (Value::Object(all), Value::Object(more)) = (&mut claims, more) else {
            unreachable!("claims are objects")
        };
        all.extend(more);
        claims
    }
}

/// What no other token has.
fn new_id() -> String {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random bytes");
    format!("{:032x}", u128::from_be_bytes(bytes))
}
