//! Which tokens of which issuer stand for something here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Claims, Expected, FetchError, address, pattern};

/// Events of GitHub in which code of a stranger may run with the identity of the repository.
const DANGEROUS_EVENTS: &[&str] = &["pull_request_target", "workflow_run"];

const LONGEST_NAME: usize = 64;
const LONGEST_VALUE: usize = 1024;
const MOST_CONDITIONS: usize = 32;
const MOST_VALUES: usize = 64;
/// More of a claim than this is not shown.
const SHOWN: usize = 200;

/// What kind of workload an issuer vouches for; each has claims that nobody can take over by creating
/// something of the same name, and a rule must name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TrustKind {
    /// GitHub Actions: `repository_id` and `repository_owner_id`.
    GitHub,
    /// GitLab CI: `project_id` and `namespace_id`.
    GitLab,
    /// Service accounts of a cluster: `kubernetes.io/serviceaccount/uid`. Tokens name the uid of the
    /// account (and of the pod and node) but not that of the namespace, whose name may be a condition
    /// beside it: `kubernetes.io/namespace`. An account that is deleted and made again has another
    /// uid, and needs another rule.
    Kubernetes,
    /// Any other issuer: `sub`.
    Generic,
}

/// Whom tokens must come from, for whom they must be made, and what they must say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustRule {
    /// What the rule is called; grants are made to `trust:NAME`.
    pub name: String,
    /// What the issuer vouches for.
    pub kind: TrustKind,
    /// The issuer, exactly as its tokens write it.
    pub issuer: String,
    /// The audience that tokens must be made for.
    pub audience: String,
    /// What claims must be: one of the values, for each of the claims. A `*` in a value stands for any
    /// characters, except in the claims that [`TrustKind`] demands. Claims inside of others are named
    /// with `/`; of a claim with several values, one must match.
    pub conditions: BTreeMap<String, Vec<String>>,
    /// Whether tokens of the events `pull_request_target` and `workflow_run` are accepted.
    #[serde(default)]
    pub allow_pull_request_target: bool,
    /// A file with the issuer's keys, for an issuer that cannot be asked for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
}

/// Why a rule is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// The name is not one.
    #[error(
        "`{0}` is not a name: use lower-case letters, digits, and `.`, `_` or `-` between them, at \
         most {LONGEST_NAME}"
    )]
    Name(String),
    /// The issuer has no address that could be asked.
    #[error("the issuer: {0}")]
    Issuer(FetchError),
    /// The audience is empty or too long.
    #[error("the audience must have 1 to {LONGEST_VALUE} bytes")]
    Audience,
    /// A claim that cannot be taken over is missing.
    #[error("rules for {kind:?} need the condition `{claim}`: names can be taken over, it cannot")]
    IdMissing {
        /// The kind of rule.
        kind: TrustKind,
        /// The claim.
        claim: &'static str,
    },
    /// Such a claim is not given exactly.
    #[error("`{value}` is not an exact value of `{claim}`: {expected}")]
    IdNotExact {
        /// The claim.
        claim: &'static str,
        /// What was given.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A condition that nothing could fulfil, or a nameless one.
    #[error("the condition `{0}` needs a name, and at least one value")]
    Empty(String),
    /// More than anybody needs.
    #[error(
        "a rule has at most {MOST_CONDITIONS} conditions of {MOST_VALUES} values with {LONGEST_VALUE} bytes"
    )]
    TooLarge,
    /// The events are GitHub's.
    #[error("allow_pull_request_target is for rules of the kind github")]
    OnlyForGitHub,
}

/// Why a token does not match a rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the claim `{claim}` is {}, and must be {expected}", show(observed.as_deref()))]
pub struct Mismatch {
    /// The claim.
    pub claim: String,
    /// What the rule wants.
    pub expected: String,
    /// What the token says; nothing if it says nothing, or nothing that can be compared.
    pub observed: Option<String>,
}

impl TrustKind {
    /// The claims that a rule must name, without `*`.
    pub const fn immutable_claims(self) -> &'static [&'static str] {
        match self {
            Self::GitHub => &["repository_id", "repository_owner_id"],
            Self::GitLab => &["project_id", "namespace_id"],
            Self::Kubernetes => &["kubernetes.io/serviceaccount/uid"],
            Self::Generic => &["sub"],
        }
    }

    /// Whether each token is used once, so that a second use is somebody else's. Tokens of a cluster
    /// are files that are read again and again; those of other issuers may be.
    pub const fn is_used_once(self) -> bool {
        matches!(self, Self::GitHub | Self::GitLab)
    }

    fn id_error(self, claim: &'static str, value: &str) -> Option<RuleError> {
        let (valid, expected) = match self {
            Self::GitHub | Self::GitLab => {
                let digits = value.bytes().all(|byte| byte.is_ascii_digit());
                (digits, "it is a number, in digits")
            }
            Self::Kubernetes | Self::Generic => (!value.contains('*'), "`*` is not accepted here"),
        };
        (!valid).then(|| RuleError::IdNotExact { claim, value: value.to_owned(), expected })
    }
}

impl TrustRule {
    /// What tokens are to be verified against before they are matched.
    pub fn expected(&self) -> Expected {
        let (issuer, audience) = (self.issuer.clone(), self.audience.clone());
        Expected { issuer, audience, jwks_file: self.jwks_file.clone() }
    }

    /// Whether the rule may be kept: it has all that makes it safe, and nothing that cannot match.
    pub fn validate(&self) -> Result<(), RuleError> {
        if !is_name(&self.name) {
            return Err(RuleError::Name(self.name.chars().take(SHOWN).collect()));
        }
        address::issuer(&self.issuer).map_err(RuleError::Issuer)?;
        if self.audience.is_empty() || self.audience.len() > LONGEST_VALUE {
            return Err(RuleError::Audience);
        }
        if self.allow_pull_request_target && self.kind != TrustKind::GitHub {
            return Err(RuleError::OnlyForGitHub);
        }
        self.validate_conditions()?;
        self.validate_ids()
    }

    fn validate_conditions(&self) -> Result<(), RuleError> {
        let too_long = |text: &String| text.len() > LONGEST_VALUE;
        for (claim, values) in &self.conditions {
            if values.len() > MOST_VALUES || too_long(claim) || values.iter().any(too_long) {
                return Err(RuleError::TooLarge);
            }
            if claim.is_empty() || values.is_empty() || values.iter().any(String::is_empty) {
                return Err(RuleError::Empty(claim.clone()));
            }
        }
        if self.conditions.len() > MOST_CONDITIONS { Err(RuleError::TooLarge) } else { Ok(()) }
    }

    fn validate_ids(&self) -> Result<(), RuleError> {
        for claim in self.kind.immutable_claims() {
            let kind = self.kind;
            let values = self.conditions.get(*claim).ok_or(RuleError::IdMissing { kind, claim })?;
            let mut errors = values.iter().filter_map(|value| kind.id_error(claim, value));
            if let Some(error) = errors.next() {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Whether verified claims are what the rule wants. That they were verified against another rule
    /// does no harm: issuer and audience are compared here, too.
    pub fn matches(&self, claims: &Claims) -> Result<(), Mismatch> {
        if claims.issuer != self.issuer {
            return Err(mismatch("iss", &self.issuer, Some(&claims.issuer)));
        }
        if !claims.audience.contains(&self.audience) {
            return Err(mismatch("aud", &self.audience, claims.audience.first()));
        }
        if self.kind.is_used_once() && claims.jwt_id.is_none() {
            let expected = "there, since a token is accepted once".to_owned();
            return Err(Mismatch { claim: "jti".to_owned(), expected, observed: None });
        }
        self.match_event(claims)?;
        // A rule that was never validated must not match everything.
        let missing =
            self.kind.immutable_claims().iter().find(|id| !self.conditions.contains_key(**id));
        if let Some(id) = missing {
            let expected = "a condition of the rule".to_owned();
            return Err(Mismatch { claim: (*id).to_owned(), expected, observed: None });
        }
        self.conditions.iter().try_for_each(|(claim, values)| self.match_one(claims, claim, values))
    }

    fn match_event(&self, claims: &Claims) -> Result<(), Mismatch> {
        if self.kind != TrustKind::GitHub || self.allow_pull_request_target {
            return Ok(());
        }
        let event = claims.get("event_name").and_then(Value::as_str);
        if event.is_some_and(|event| !DANGEROUS_EVENTS.contains(&event)) {
            return Ok(());
        }
        let expected = format!(
            "there and neither {}, in which code of a pull request may run, unless the rule allows it",
            DANGEROUS_EVENTS.join(" nor ")
        );
        let observed = event.map(shorten);
        Err(Mismatch { claim: "event_name".to_owned(), expected, observed })
    }

    fn match_one(&self, claims: &Claims, claim: &str, wanted: &[String]) -> Result<(), Mismatch> {
        let exact = self.kind.immutable_claims().contains(&claim);
        let found = claims.get(claim).map(|value| values(value, exact)).unwrap_or_default();
        let fits = |found: &String| {
            let fit =
                |wanted: &String| found == wanted || (!exact && pattern::matches(wanted, found));
            wanted.iter().any(fit)
        };
        if found.iter().any(fits) {
            return Ok(());
        }
        let expected = wanted.iter().map(|wanted| format!("`{wanted}`")).collect::<Vec<_>>();
        let observed = (!found.is_empty()).then(|| shorten(&found.join(", ")));
        Err(Mismatch { claim: claim.to_owned(), expected: expected.join(" or "), observed })
    }
}

/// What a claim says, as texts. An id is one text or number.
fn values(value: &Value, exact: bool) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Number(number) => vec![number.to_string()],
        Value::Bool(truth) => vec![truth.to_string()],
        Value::Array(several) if !exact => {
            several.iter().filter(|one| !one.is_array()).flat_map(|one| values(one, true)).collect()
        }
        Value::Null | Value::Array(_) | Value::Object(_) => Vec::new(),
    }
}

fn mismatch(claim: &str, expected: &str, observed: Option<&String>) -> Mismatch {
    let observed = observed.map(|text| shorten(text));
    Mismatch { claim: claim.to_owned(), expected: format!("`{expected}`"), observed }
}

fn shorten(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// A token can hold anything, terminal escapes too.
fn show(observed: Option<&str>) -> String {
    observed.map_or_else(|| "missing".to_owned(), |text| format!("`{}`", text.escape_debug()))
}

fn is_name(name: &str) -> bool {
    let outer = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let word = |word: &str| !word.is_empty() && word.bytes().all(outer);
    name.len() <= LONGEST_NAME && name.split(['.', '_', '-']).all(word)
}
