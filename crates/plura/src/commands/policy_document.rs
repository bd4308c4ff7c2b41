//! Trust policies as people write them: in a file, or as options.

use std::path::Path;

use anyhow::{Context, anyhow};
use plura_trust::{IdentityDocument, KeyDocument, PolicyDocument, Refusal};
use serde_json::Value;

use crate::cli::TrustedArgs;
use crate::exit::{Hint, SaidNo};
use crate::signing_key::{KeyPlace, transit};
use crate::text_file;

/// The most bytes of a trust policy.
const LONGEST: usize = 1024 * 1024;
/// The most bytes of a public key.
const LONGEST_KEY: usize = 16 * 1024;

/// Reads a policy in JSON or TOML.
pub(super) fn from_file(path: &Path) -> anyhow::Result<PolicyDocument> {
    let text = text_file::read(path, LONGEST)?;
    let failed = || format!("cannot read `{}`", path.display());
    parsed(&text)
        .with_context(failed)
        .hint("`plura trust policy show NAME --json` prints such a file")
}

/// No TOML begins with a brace.
fn parsed(text: &str) -> anyhow::Result<PolicyDocument> {
    let mut document = if text.trim_start().starts_with('{') {
        serde_json::from_str(text)?
    } else {
        json(toml::from_str(text)?)
    };
    if let Value::Object(fields) = &mut document {
        // What the server adds when it shows one.
        for added in ["digest", "changed_at"] {
            fields.remove(added);
        }
    }
    Ok(serde_json::from_value(document)?)
}

/// TOML has times of its own, which JSON writes as text.
fn json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(truth) => truth.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(json).collect(),
        toml::Value::Table(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, json(value))).collect())
        }
    }
}

/// A policy as options say it.
pub(super) async fn from_options(
    name: &str,
    repositories: &[String],
    trusted: &TrustedArgs,
) -> anyhow::Result<PolicyDocument> {
    let identity = trusted.has_identity().then(|| IdentityDocument {
        name: trusted.identity.clone().unwrap_or_else(|| "identity".to_owned()),
        issuer: trusted.issuer.clone(),
        issuer_pattern: trusted.issuer_pattern.clone(),
        subject: trusted.subject.clone(),
        subject_pattern: trusted.subject_pattern.clone(),
        ..IdentityDocument::default()
    });
    let mut keys = Vec::with_capacity(trusted.keys.len());
    for named in &trusted.keys {
        let pem = public_key(&named.place).await?;
        keys.push(KeyDocument { name: named.name.clone(), pem, ..KeyDocument::default() });
    }
    Ok(PolicyDocument {
        name: name.to_owned(),
        repositories: repositories.to_vec(),
        required: trusted.required,
        keys,
        identities: identity.into_iter().collect(),
        attestations: trusted.attestations.iter().map(|one| one.as_str().to_owned()).collect(),
        ..PolicyDocument::default()
    })
}

async fn public_key(place: &KeyPlace) -> anyhow::Result<String> {
    let path = match place {
        KeyPlace::File(path) => path,
        KeyPlace::Transit { mount, name } => {
            return Ok(transit(mount, name).await?.public_key().to_pem());
        }
    };
    let pem = text_file::read(path, LONGEST_KEY)?;
    if pem.contains("PRIVATE KEY-----") {
        return Err(anyhow!("`{}` is a private key", path.display()))
            .hint("a trust policy names public keys, which are in files such as `release.pub`");
    }
    Ok(pem)
}

/// What is wrong with a policy.
pub(super) fn refused(refusal: Refusal) -> anyhow::Error {
    let said: anyhow::Result<()> = Err(SaidNo(refusal.to_string())).hint(refusal.fix);
    said.err().unwrap_or_else(|| anyhow!("the trust policy is not valid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_as_json_and_as_toml() {
        let toml = r#"
            name = "release"
            repositories = ["apps/**"]
            required = 1
            [[keys]]
            name = "release"
            pem = "x"
            end = 2027-01-01T00:00:00Z
        "#;
        let json = r#" {"name": "release", "repositories": ["apps/**"], "required": 1,
            "keys": [{"name": "release", "pem": "x", "end": "2027-01-01T00:00:00Z"}],
            "digest": "sha256:x", "changed_at": "2026-01-01T00:00:00Z"}"#;
        let text = |policy: &str| {
            serde_json::to_string(&parsed(policy).expect("a policy")).expect("it is written")
        };
        assert_eq!(text(toml), text(json));
        for wrong in ["", "name = 1", "{}", "{\"name\": \"a\", \"repositories\": [], \"kyes\": []}"]
        {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
