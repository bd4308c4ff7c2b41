//! Trust entries: which tokens of other issuers are exchanged, and what for.

use std::{collections::BTreeMap, path::PathBuf};

use plura_access::{
    NewTrust, RobotGrant, Trust,
    oidc::{TrustKind, TrustRule},
    schema,
};
use plura_policy::Permission;
use serde::{Deserialize, Serialize};
use utoipa::{
    ToSchema,
    openapi::{Array, Object, Schema, schema::Type},
};

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
    const ALL: &str = "/api/v1/trust";
    const ONE: &str = "/api/v1/trust/{trust}";
    vec![
        Route::new(Verb::Get, ALL, ADMINISTER, "trust.list", list)
            .described(Description::new("Lists trust entries, by name").gives::<Entries>()),
        Route::new(Verb::Post, ALL, ADMINISTER, "trust.create", create).described(
            Description::new("Makes a trust entry").takes::<NewEntry>().makes::<Entry>(),
        ),
        Route::new(Verb::Get, ONE, ADMINISTER, "trust.show", show)
            .described(Description::new("Shows a trust entry").gives::<Entry>()),
        Route::new(Verb::Put, ONE, ADMINISTER, "trust.update", replace).described(
            Description::new("Replaces a trust entry; tokens that it has led to end")
                .takes::<NewEntry>()
                .gives::<Entry>(),
        ),
        Route::new(Verb::Delete, ONE, ADMINISTER, "trust.delete", delete).described(
            Description::new("Removes a trust entry; tokens that it has led to end")
                .gives_nothing(),
        ),
    ]
}

/// Trust entries, by name.
#[derive(Serialize, ToSchema)]
struct Entries {
    trust: Vec<Entry>,
}

/// An issuer whose tokens are exchanged, what must hold of them, and what they lead to.
#[derive(Serialize, ToSchema)]
#[schema(as = Trust)]
struct Entry {
    #[schema(value_type = schema::TrustName)]
    name: String,
    kind: TrustKind,
    /// The issuer, exactly as its tokens write it.
    issuer: String,
    /// The audience that tokens must be made for.
    audience: String,
    /// What claims must be: one of the values, for each of the claims.
    conditions: BTreeMap<String, Vec<String>>,
    /// Whether tokens of the events `pull_request_target` and `workflow_run` are accepted.
    allow_pull_request_target: bool,
    /// A file with the issuer's keys.
    #[schema(value_type = Option<String>)]
    jwks_file: Option<PathBuf>,
    /// How long the tokens that it leads to are valid.
    #[schema(minimum = 60, maximum = 3600)]
    token_seconds: u64,
    /// What those may do.
    grants: Vec<RobotGrant>,
    #[schema(value_type = schema::Instant)]
    created_at: String,
}

/// A trust entry to be made, or as it is to be from now on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewTrust)]
struct NewEntry {
    #[schema(value_type = schema::TrustName)]
    name: String,
    kind: TrustKind,
    /// The issuer, exactly as its tokens write it: an `https` address; `http` is for loopback only.
    #[schema(pattern = r"^(https://[^/?#@\s]|http://(localhost|127\.|\[))")]
    issuer: String,
    /// The audience that tokens must be made for.
    #[schema(min_length = 1, max_length = 1024)]
    audience: String,
    /// What claims must be: one of the values, for each of the claims.
    #[schema(schema_with = conditions)]
    conditions: BTreeMap<String, Vec<String>>,
    /// Whether tokens of the events `pull_request_target` and `workflow_run` are accepted.
    #[serde(default)]
    allow_pull_request_target: bool,
    /// A file with the issuer's keys, for an issuer that cannot be asked for them.
    #[schema(value_type = Option<String>)]
    jwks_file: Option<PathBuf>,
    /// How long the tokens that it leads to are valid: 900 if not given.
    #[serde(default, deserialize_with = "plura_access::whole::optional")]
    #[schema(minimum = 60, maximum = 3600)]
    token_seconds: Option<u64>,
    /// What those may do.
    #[serde(default)]
    grants: Vec<RobotGrant>,
}

/// The form of conditions, as `TrustRule::validate` wants them.
fn conditions() -> Object {
    const DESCRIPTION: &str = "What claims must be: one of the values, for each of the claims; `*` \
        stands for any characters. Needed are, without `*`: for `github`, `repository_id` and \
        `repository_owner_id`; for `gitlab`, `project_id` and `namespace_id`; for `kubernetes`, \
        `kubernetes.io/serviceaccount/uid`; for `generic`, `sub`.";
    let text = Object::builder().schema_type(Type::String).min_length(Some(1));
    let text = text.max_length(Some(1024)).build();
    let values = Array::builder().items(text.clone()).min_items(Some(1)).max_items(Some(64));
    Object::builder()
        .description(Some(DESCRIPTION))
        .property_names(Some(text))
        .additional_properties(Some(Schema::from(values)))
        .min_properties(Some(1))
        .max_properties(Some(32))
        .build()
}

const EXPECTED: &str = r#"{"name": "github-main", "kind": "github", "issuer": "https://token.actions.githubusercontent.com", "audience": "plura", "conditions": {"repository_id": ["123"], "repository_owner_id": ["9"]}, "grants": [{"role": "developer", "project": "apps"}]}"#;

async fn list(call: Call) -> Answer {
    let entries = call.access().trust_entries().await?;
    ok(&Entries { trust: entries.into_iter().map(Entry::from).collect() })
}

async fn create(call: Call) -> Answer {
    let new: NewEntry = call.json(EXPECTED)?;
    let made = call.access().create_trust(&call.caller, new.into()).await;
    let entry = Entry::from(call.done(made).await?);
    created(&call, &format!("/api/v1/trust/{}", entry.name), &entry)
}

async fn show(call: Call) -> Answer {
    let name: TrustName = call.parameter("trust")?;
    ok(&Entry::from(call.access().trust_entry(name.as_str()).await?))
}

async fn replace(call: Call) -> Answer {
    let name: TrustName = call.parameter("trust")?;
    let new: NewEntry = call.json(EXPECTED)?;
    if new.name != name.as_str() {
        return Err(bad_request("name: expected that of the path; entries keep their names"));
    }
    let changed = call.access().change_trust(&call.caller, new.into()).await;
    ok(&Entry::from(call.done(changed).await?))
}

async fn delete(call: Call) -> Answer {
    let name: TrustName = call.parameter("trust")?;
    call.access().delete_trust(&call.caller, name.as_str()).await?;
    gone()
}

impl From<Trust> for Entry {
    fn from(entry: Trust) -> Self {
        let Trust { rule, token_seconds, grants, created_at, .. } = entry;
        Self {
            name: rule.name,
            kind: rule.kind,
            issuer: rule.issuer,
            audience: rule.audience,
            conditions: rule.conditions,
            allow_pull_request_target: rule.allow_pull_request_target,
            jwks_file: rule.jwks_file,
            token_seconds,
            grants,
            created_at,
        }
    }
}

impl From<NewEntry> for NewTrust {
    fn from(new: NewEntry) -> Self {
        let rule = TrustRule {
            name: new.name,
            kind: new.kind,
            issuer: new.issuer,
            audience: new.audience,
            conditions: new.conditions,
            allow_pull_request_target: new.allow_pull_request_target,
            jwks_file: new.jwks_file,
        };
        Self { rule, token_seconds: new.token_seconds, grants: new.grants }
    }
}
