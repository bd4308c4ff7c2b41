use std::collections::BTreeMap;

use plura_oci::Digest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Reason, Refusal, json};

/// The media type of the payload.
pub const MEDIA_TYPE: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
const TYPE: &str = "cosign container image signature";
/// Older payloads, by other tools.
const ATOMIC_TYPE: &str = "atomic container signature";
/// The most bytes of a payload.
const MAX_SIZE: usize = 128 * 1024;

/// What cosign's first format signs: a digest, and what the signer wants to say with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimpleSigning {
    /// The digest that was signed.
    pub digest: Digest,
    /// Where the signer found it; proves nothing.
    pub reference: String,
    /// What the signer added.
    pub annotations: BTreeMap<String, Value>,
}

#[derive(Deserialize, Serialize)]
struct Wire {
    critical: Critical,
    optional: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize, Serialize)]
struct Critical {
    identity: Reference,
    image: Image,
    #[serde(rename = "type")]
    payload_type: String,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Reference {
    #[serde(default)]
    docker_reference: String,
}

#[derive(Deserialize, Serialize)]
struct Image {
    /// The specification's example has a capital letter.
    #[serde(rename = "docker-manifest-digest", alias = "Docker-manifest-digest")]
    digest: Digest,
}

impl SimpleSigning {
    /// Reads a payload.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let wire: Wire = json::read("signed payload", bytes, MAX_SIZE)?;
        let payload_type = &wire.critical.payload_type;
        if payload_type != TYPE && payload_type != ATOMIC_TYPE {
            let observed = format!("a payload of type `{}`", json::shortened(payload_type));
            return Err(Refusal::new(Reason::Unsupported, observed).requiring(format!("`{TYPE}`")));
        }
        Ok(Self {
            digest: wire.critical.image.digest,
            reference: wire.critical.identity.docker_reference,
            annotations: wire.optional.unwrap_or_default(),
        })
    }

    /// The payload as cosign writes it.
    pub fn to_json(&self) -> Vec<u8> {
        let wire = Wire {
            critical: Critical {
                identity: Reference { docker_reference: self.reference.clone() },
                image: Image { digest: self.digest },
                payload_type: TYPE.to_owned(),
            },
            optional: Some(self.annotations.clone()).filter(|all| !all.is_empty()),
        };
        // Texts as values of fixed keys are always JSON.
        serde_json::to_vec(&wire).unwrap_or_default()
    }
}
