//! Whose signatures count: trust policies, and the trust root.

use plura_access::schema;
use plura_evidence::{PolicyDocument, RootInForce, StoredTrustPolicy};
use plura_policy::Permission;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    answer::{created, gone, ok},
    authorise::Need,
    call::{Answer, Call},
    describe::Description,
    key::TrustName,
    route::{Route, Verb},
};
use crate::auth::bad_request;

pub(super) fn routes() -> Vec<Route> {
    const ADMINISTER: Need = Need::Installation(Permission::Administer);
    const ALL: &str = "/api/v1/trust-policies";
    const ONE: &str = "/api/v1/trust-policies/{trust_policy}";
    const ROOT: &str = "/api/v1/trust-root";
    vec![
        Route::new(Verb::Get, ALL, ADMINISTER, "trust-policy.list", list)
            .described(Description::new("Lists trust policies, by name").gives::<TrustPolicies>()),
        Route::new(Verb::Get, ONE, ADMINISTER, "trust-policy.show", show)
            .described(Description::new("Shows a trust policy").gives::<TrustPolicy>()),
        Route::new(Verb::Put, ONE, ADMINISTER, "trust-policy.put", put).described(
            Description::new("Puts a trust policy in force; everything is verified anew")
                .takes::<PolicyDocument>()
                .gives::<TrustPolicy>()
                .makes::<TrustPolicy>(),
        ),
        Route::new(Verb::Delete, ONE, ADMINISTER, "trust-policy.delete", delete)
            .described(Description::new("Takes a trust policy out of force").gives_nothing()),
        Route::new(Verb::Get, ROOT, ADMINISTER, "trust-root.show", root)
            .described(Description::new("Shows the trust root in force").gives::<TrustRoot>()),
        Route::new(Verb::Put, ROOT, ADMINISTER, "trust-root.put", set_root).described(
            Description::new(
                "Puts a trust root in force: a `trusted_root.json` of Sigstore's format",
            )
            .takes::<SigstoreRoot>()
            .gives::<TrustRoot>(),
        ),
        Route::new(Verb::Delete, ROOT, ADMINISTER, "trust-root.delete", reset_root).described(
            Description::new("Puts the trust root in force again that plura brings along")
                .gives::<TrustRoot>(),
        ),
    ]
}

/// Trust policies, by name.
#[derive(Serialize, ToSchema)]
struct TrustPolicies {
    trust_policies: Vec<TrustPolicy>,
}

/// A trust policy that is in force.
#[derive(Serialize, ToSchema)]
struct TrustPolicy {
    #[serde(flatten)]
    document: PolicyDocument,
    /// Its SHA-256, as verdicts name it.
    digest: String,
    #[schema(value_type = schema::Instant)]
    changed_at: String,
}

/// A trust root that is in force.
#[derive(Serialize, ToSchema)]
struct TrustRoot {
    /// Whether it was set; else it is Sigstore's, as plura brings it along.
    is_set: bool,
    /// Its SHA-256, as verdicts name it.
    digest: Option<String>,
    /// Who issues certificates for identities.
    authorities: Vec<String>,
    /// Who says when something was signed.
    timestamp_authorities: Vec<String>,
    /// Logs of signatures.
    logs: Vec<String>,
    /// Logs of certificates.
    certificate_logs: Vec<String>,
}

/// A trust root as Sigstore writes it (`trusted_root.json`).
#[derive(Deserialize, ToSchema)]
struct SigstoreRoot {
    #[serde(flatten)]
    #[schema(value_type = Object)]
    fields: Map<String, Value>,
}

/// What a trust policy looks like.
pub(super) const EXPECTED: &str = r#"{"name": "release", "repositories": ["apps/**"], "keys": [{"name": "release", "pem": "-----BEGIN PUBLIC KEY-----..."}], "identities": [{"name": "ci", "issuer": "https://token.actions.githubusercontent.com", "subject": "https://github.com/acme/web/.github/workflows/release.yml@refs/heads/main"}]}; `name`, `repositories` and somebody to trust are required"#;

async fn list(call: Call) -> Answer {
    let policies = call.state.knowledge.evidence.policies().await?;
    ok(&TrustPolicies { trust_policies: policies.into_iter().map(Into::into).collect() })
}

async fn show(call: Call) -> Answer {
    let name: TrustName = call.parameter("trust_policy")?;
    ok(&TrustPolicy::from(call.state.knowledge.evidence.policy(name.as_str()).await?))
}

async fn put(call: Call) -> Answer {
    let name: TrustName = call.parameter("trust_policy")?;
    let document: PolicyDocument = call.json(EXPECTED)?;
    if document.name != name.as_str() {
        return Err(bad_request("name: expected that of the path"));
    }
    let (policy, is_new) =
        call.state.knowledge.evidence.put_policy(&call.caller.origin, &document).await?;
    let policy = TrustPolicy::from(policy);
    if is_new {
        return created(&call, &format!("/api/v1/trust-policies/{}", name.as_str()), &policy);
    }
    ok(&policy)
}

async fn delete(call: Call) -> Answer {
    let name: TrustName = call.parameter("trust_policy")?;
    call.state.knowledge.evidence.remove_policy(&call.caller.origin, name.as_str()).await?;
    gone()
}

async fn root(call: Call) -> Answer {
    ok(&TrustRoot::from(call.state.knowledge.evidence.root().await?))
}

async fn set_root(call: Call) -> Answer {
    let document: SigstoreRoot = call.json("a `trusted_root.json` of Sigstore's format")?;
    let document = Value::Object(document.fields).to_string();
    let root = call.state.knowledge.evidence.set_root(&call.caller.origin, &document).await?;
    ok(&TrustRoot::from(root))
}

async fn reset_root(call: Call) -> Answer {
    ok(&TrustRoot::from(call.state.knowledge.evidence.reset_root(&call.caller.origin).await?))
}

impl From<StoredTrustPolicy> for TrustPolicy {
    fn from(policy: StoredTrustPolicy) -> Self {
        Self {
            document: policy.document,
            digest: policy.source.to_string(),
            changed_at: policy.changed_at.to_string(),
        }
    }
}

impl From<RootInForce> for TrustRoot {
    fn from(root: RootInForce) -> Self {
        Self {
            is_set: root.is_set,
            digest: root.source.map(|digest| digest.to_string()),
            authorities: root.authorities,
            timestamp_authorities: root.timestamp_authorities,
            logs: root.logs,
            certificate_logs: root.certificate_logs,
        }
    }
}
