//! Signatures and statements, from whichever form a manifest has them in.

use plura_trust::{Envelope, Reason, Refusal, Signature, Statement, media_types};

use crate::view::{Described, View};

/// What a manifest has for those who look for signatures and statements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Payloads with signatures beside them: `.sig`, and the same as a referrer.
    SimpleSigning,
    /// Envelopes: `.att`, and the same as a referrer.
    Attestations,
    /// One Sigstore bundle.
    Bundle,
    /// One envelope of Notation.
    Notation,
    /// Statements that nobody signed.
    BareStatements,
    /// A bill of materials as it is.
    Sbom,
}

/// The artifact types of cosign's referrers before it wrote bundles.
const COSIGN_SIGNATURES: &str = "application/vnd.dev.cosign.artifact.sig.v1+json";
const COSIGN_ATTESTATIONS: &str = "application/vnd.dev.cosign.artifact.att.v1+json";
const COSIGN_SBOM: &str = "application/vnd.dev.cosign.artifact.sbom.v1+json";
const NOTATION: &str = "application/vnd.cncf.notary.signature";
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";
const IN_TOTO: &str = "application/vnd.in-toto+json";

/// Media types of bills of materials, with the type that a statement would give them.
const SBOMS: &[(&str, &str)] = &[
    ("application/vnd.cyclonedx+json", "https://cyclonedx.org/bom"),
    ("application/vnd.cyclonedx+xml", "https://cyclonedx.org/bom"),
    ("application/spdx+json", "https://spdx.dev/Document"),
    ("text/spdx+json", "https://spdx.dev/Document"),
    ("text/spdx", "https://spdx.dev/Document"),
];

impl Form {
    /// The form that a referrer has by its artifact type; none where it says nothing of this kind.
    pub(crate) fn of_referrer(artifact_type: Option<&str>, view: &View) -> Option<Self> {
        // Some tools name the type in the first layer alone (sigstore/cosign#4997).
        let first = view.layers().first().map(|layer| layer.media_type.as_str());
        artifact_type.and_then(Self::of_type).or_else(|| first.and_then(Self::of_type))
    }

    fn of_type(media_type: &str) -> Option<Self> {
        let media_type = media_type.split(';').next().unwrap_or_default().trim();
        Some(match media_type {
            COSIGN_SIGNATURES | media_types::SIMPLE_SIGNING => Self::SimpleSigning,
            COSIGN_ATTESTATIONS | media_types::DSSE => Self::Attestations,
            NOTATION | media_types::NOTATION_JWS => Self::Notation,
            IN_TOTO => Self::BareStatements,
            COSIGN_SBOM => Self::Sbom,
            other if other.starts_with(BUNDLE) => Self::Bundle,
            other if sbom_type(other).is_some() => Self::Sbom,
            _ => return None,
        })
    }

    /// Whether the layer is worth looking at.
    pub(crate) fn wants(self, layer: &Described) -> bool {
        let media_type = layer.media_type.as_str();
        match self {
            _ if sbom_type(media_type).is_some() => true,
            Self::SimpleSigning => media_type == media_types::SIMPLE_SIGNING,
            Self::Attestations => media_type == media_types::DSSE,
            Self::Bundle => media_type.starts_with(BUNDLE),
            Self::Notation => true,
            Self::BareStatements => media_type == IN_TOTO,
            Self::Sbom => false,
        }
    }

    /// The signatures in a layer, or why they cannot be read.
    pub(crate) fn signatures(
        self,
        layer: &Described,
        bytes: &[u8],
    ) -> Vec<Result<Signature, Refusal>> {
        let one = |signature| vec![signature];
        match self {
            Self::SimpleSigning => one(Signature::from_simple_signing(bytes, layer.annotations())),
            Self::Attestations => match Signature::from_attestation(bytes, layer.annotations()) {
                Ok(signatures) => signatures.into_iter().map(Ok).collect(),
                Err(refusal) => one(Err(refusal)),
            },
            Self::Bundle => one(Signature::from_bundle(bytes)),
            Self::Notation if layer.media_type == media_types::NOTATION_JWS => {
                one(Signature::from_notation(bytes))
            }
            Self::Notation => {
                let observed = format!("a Notation signature as `{}`", layer.media_type);
                let refusal = Refusal::new(Reason::Unsupported, observed);
                one(Err(refusal.requiring(media_types::NOTATION_JWS)))
            }
            Self::BareStatements | Self::Sbom => Vec::new(),
        }
    }

    /// The statement in a layer, if nobody signed it.
    pub(crate) fn bare_statement(self, bytes: &[u8]) -> Option<Result<Statement, Refusal>> {
        (self == Self::BareStatements).then(|| {
            // Some tools put the statement into an envelope without signatures.
            let envelope = Envelope::read(bytes);
            Statement::read(envelope.as_ref().map_or(bytes, |envelope| &envelope.payload))
        })
    }
}

/// The type that a statement would give a bill of materials of that media type.
pub(crate) fn sbom_type(media_type: &str) -> Option<&'static str> {
    SBOMS.iter().find(|(known, _)| *known == media_type).map(|(_, statement)| *statement)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(artifact_type: Option<&str>, layer: &str, expected: Option<Form>) {
        let digest = plura_oci::Digest::sha256(b"");
        let bytes = format!(r#"{{"layers":[{{"mediaType":"{layer}","digest":"{digest}"}}]}}"#);
        assert_eq!(Form::of_referrer(artifact_type, &View::of(bytes.as_bytes())), expected);
    }

    #[test]
    fn forms_are_told_by_artifact_type_or_first_layer() {
        let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
        check(Some(bundle), bundle, Some(Form::Bundle));
        check(Some("application/vnd.oci.empty.v1+json"), bundle, Some(Form::Bundle));
        check(
            Some("application/vnd.dev.sigstore.bundle+json;version=0.2"),
            "text/plain",
            Some(Form::Bundle),
        );
        check(Some(COSIGN_SIGNATURES), media_types::SIMPLE_SIGNING, Some(Form::SimpleSigning));
        check(Some(COSIGN_ATTESTATIONS), media_types::DSSE, Some(Form::Attestations));
        check(Some(NOTATION), "application/cose", Some(Form::Notation));
        check(Some(IN_TOTO), IN_TOTO, Some(Form::BareStatements));
        check(None, "application/spdx+json", Some(Form::Sbom));
        check(Some("application/vnd.example"), "application/octet-stream", None);
    }

    #[test]
    fn a_notation_signature_in_cose_is_said_to_be_one_that_is_not_read() {
        let layer: Described = serde_json::from_str(&format!(
            r#"{{"mediaType":"application/cose","digest":"{}"}}"#,
            plura_oci::Digest::sha256(b"")
        ))
        .unwrap();
        let found = Form::Notation.signatures(&layer, b"");
        assert_eq!(found[0].as_ref().unwrap_err().reason, Reason::Unsupported);
    }
}
