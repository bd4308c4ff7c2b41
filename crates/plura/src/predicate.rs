//! What statements about images are called.

use std::str::FromStr;

use jiff::Timestamp;
use plura_trust::predicate_types;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// cosign's name for a kind of statement, and its URI.
const NAMES: &[(&str, &str)] = &[
    ("slsaprovenance", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance02", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance1", predicate_types::PROVENANCE),
    ("cyclonedx", "https://cyclonedx.org/bom"),
    ("spdx", "https://spdx.dev/Document"),
    ("spdxjson", "https://spdx.dev/Document"),
    ("openvex", "https://openvex.dev/ns"),
    ("vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"),
    ("link", "https://in-toto.io/Link/v1"),
    ("custom", CUSTOM),
    ("vsa", predicate_types::VERIFICATION_SUMMARY),
];
const CUSTOM: &str = "https://cosign.sigstore.dev/attestation/v1";

/// A kind of statement: its URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PredicateType(String);

impl PredicateType {
    /// The URI.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The type of what a verifier decided.
    pub(crate) fn verification_summary() -> Self {
        Self(predicate_types::VERIFICATION_SUMMARY.to_owned())
    }

    /// What is stated, from the text of a file. The custom type holds any text, and says when it was
    /// stated.
    pub(crate) fn predicate(&self, text: String) -> serde_json::Result<Box<RawValue>> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Custom {
            data: String,
            timestamp: String,
        }
        if self.0 == CUSTOM {
            let timestamp = Timestamp::now().to_string();
            return to_raw_value(&Custom { data: text, timestamp });
        }
        serde_json::from_str(&text)
    }
}

impl FromStr for PredicateType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = NAMES.iter().find(|(name, _)| *name == text).map(|(_, uri)| *uri);
        match known {
            Some(uri) => Ok(Self(uri.to_owned())),
            None if text.contains(':') => Ok(Self(text.to_owned())),
            None => {
                let names: Vec<&str> = NAMES.iter().map(|(name, _)| *name).collect();
                Err(format!("expected a URI or one of {}, found {text:?}", names.join(", ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_cosigns_names() {
        for (text, uri) in [
            ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
            ("cyclonedx", "https://cyclonedx.org/bom"),
            ("https://example.com/tests/v1", "https://example.com/tests/v1"),
        ] {
            assert_eq!(text.parse::<PredicateType>().expect("a type").as_str(), uri);
        }
        let refused = "slsa".parse::<PredicateType>().expect_err("it is no type");
        assert!(refused.contains("slsaprovenance1, cyclonedx"), "{refused}");
    }

    #[test]
    fn a_custom_predicate_holds_any_text() {
        let custom: PredicateType = "custom".parse().expect("a type");
        let predicate = custom.predicate("no JSON".to_owned()).expect("it is wrapped");
        assert!(predicate.get().starts_with(r#"{"Data":"no JSON","Timestamp":""#), "{predicate}");
        let other: PredicateType = "spdx".parse().expect("a type");
        assert!(other.predicate("no JSON".to_owned()).is_err());
    }
}
