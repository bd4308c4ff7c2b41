//! The layers of `.sig` and `.att`: what is signed is the layer, the rest are its annotations.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    Certificate, Content, Envelope, Form, Reason, Refusal, Signature, Signer, json::decode_base64,
    log::LogEntry, simple_signing::SimpleSigning, timestamp,
};

/// Annotations of a layer, by their names.
pub mod annotations {
    /// The signature, in base64.
    pub const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
    /// The certificate, in PEM.
    pub const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
    /// What is between it and its authority, in PEM.
    pub const CHAIN: &str = "dev.sigstore.cosign/chain";
    /// What Rekor said.
    pub const BUNDLE: &str = "dev.sigstore.cosign/bundle";
    /// What a timestamp authority said.
    pub const TIMESTAMP: &str = "dev.sigstore.cosign/rfc3161timestamp";
}

/// The most bytes of a signature: RSA with 8,192 bits, in base64.
const MAX_SIGNATURE: usize = 2048;

impl Signature {
    /// Reads a layer of a `.sig` manifest, or of a referrer with the same layers.
    pub fn from_simple_signing(
        layer: &[u8],
        annotations: &BTreeMap<String, String>,
    ) -> Result<Self, Refusal> {
        let signature = annotations.get(annotations::SIGNATURE).ok_or_else(|| {
            Refusal::new(Reason::Unsigned, "the layer has no signature")
                .requiring(format!("the annotation {}", annotations::SIGNATURE))
        })?;
        let bytes = decode_base64(signature)
            .filter(|bytes| !bytes.is_empty() && bytes.len() <= MAX_SIGNATURE)
            .ok_or_else(|| Refusal::malformed("the signature is not base64"))?;
        let payload = SimpleSigning::read(layer)?;
        Ok(Self {
            form: Form::SimpleSigning,
            content: Arc::new(Content::Simple { payload, bytes: layer.to_vec() }),
            bytes,
            signer: signer(annotations, "")?,
            log_entries: log_entries(annotations)?,
            timestamps: timestamps(annotations)?,
        })
    }

    /// Reads a layer of an `.att` manifest: one for every signature in its envelope.
    pub fn from_attestation(
        layer: &[u8],
        annotations: &BTreeMap<String, String>,
    ) -> Result<Vec<Self>, Refusal> {
        let envelope = Envelope::read(layer)?;
        let content = Arc::new(Content::of_envelope(&envelope, Some(layer))?);
        let (log_entries, timestamps) = (log_entries(annotations)?, timestamps(annotations)?);
        let read = envelope.signatures.into_iter().map(|one| {
            Ok(Self {
                form: Form::Attestation,
                content: content.clone(),
                bytes: one.bytes,
                signer: signer(annotations, &one.key_id)?,
                log_entries: log_entries.clone(),
                timestamps: timestamps.clone(),
            })
        });
        read.collect()
    }
}

/// Older versions of cosign write an annotation that is empty instead of none.
fn present<'a>(annotations: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    let value = annotations.get(name).map(|value| value.trim());
    value.filter(|value| !value.is_empty() && *value != "null")
}

fn signer(annotations: &BTreeMap<String, String>, hint: &str) -> Result<Signer, Refusal> {
    let Some(certificate) = present(annotations, annotations::CERTIFICATE) else {
        return Ok(Signer::Key { hint: hint.to_owned() });
    };
    let mut chain = Certificate::chain_from_pem(certificate)?;
    if let Some(above) = present(annotations, annotations::CHAIN) {
        chain.extend(Certificate::chain_from_pem(above)?);
    }
    Ok(Signer::Certificate { chain })
}

fn log_entries(annotations: &BTreeMap<String, String>) -> Result<Vec<LogEntry>, Refusal> {
    let bundle = present(annotations, annotations::BUNDLE);
    bundle.map(LogEntry::from_cosign).into_iter().collect()
}

fn timestamps(annotations: &BTreeMap<String, String>) -> Result<Vec<Vec<u8>>, Refusal> {
    let response = present(annotations, annotations::TIMESTAMP);
    response.map(timestamp::from_cosign).into_iter().collect()
}
