use jiff::Timestamp;
use plura_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::{
    Certificate, PublicKey, Reason, Refusal,
    json::{self, Base64},
};

/// The most bytes of a trust root; Sigstore's has 7,000.
const MAX_SIZE: usize = 1024 * 1024;

/// Who is believed about identities, times and logs: what Sigstore calls a trusted root.
#[derive(Clone, Debug, Default)]
pub struct TrustRoot {
    /// Who issues certificates for identities.
    pub authorities: Vec<Authority>,
    /// Who says when something was signed.
    pub timestamp_authorities: Vec<Authority>,
    /// Logs of signatures.
    pub logs: Vec<LogKey>,
    /// Logs of certificates.
    pub certificate_logs: Vec<LogKey>,
    /// What it was read from, by its SHA-256; facts name it as one of their inputs.
    pub source: Option<Digest>,
}

/// An authority with its chain.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Where it is, or what it is called.
    pub name: String,
    /// The root last. A timestamp authority has its own certificate first.
    pub chain: Vec<Certificate>,
    /// When it is believed.
    pub valid: Validity,
}

/// A log with its key.
#[derive(Clone, Debug)]
pub struct LogKey {
    /// Where it is.
    pub name: String,
    /// How its entries name it.
    pub id: Vec<u8>,
    /// What it signs with.
    pub key: PublicKey,
    /// When it is believed.
    pub valid: Validity,
}

/// From when to when something holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validity {
    /// The first moment; without it, it always has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<Timestamp>,
    /// The last moment; without it, it will for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<Timestamp>,
}

impl Validity {
    /// Whether it holds then.
    pub fn covers(&self, time: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= time) && self.end.is_none_or(|end| time <= end)
    }
}

impl Authority {
    /// The root and what is between it and a leaf. A chain is never empty once read.
    pub(crate) fn split(&self) -> Option<(&Certificate, &[Certificate])> {
        self.chain.split_last()
    }
}

impl TrustRoot {
    /// Sigstore's public instance, as it was when plura was built.
    pub fn sigstore() -> Result<Self, Refusal> {
        Self::from_json(include_bytes!("sigstore_trusted_root.json"))
    }

    /// Reads a `trusted_root.json`.
    pub fn from_json(bytes: &[u8]) -> Result<Self, Refusal> {
        let wire: Wire = json::read("trust root", bytes, MAX_SIZE)?;
        if !wire.media_type.starts_with("application/vnd.dev.sigstore.trustedroot") {
            let observed = format!("a trust root of type `{}`", json::shortened(&wire.media_type));
            return Err(Refusal::new(Reason::Unsupported, observed)
                .requiring("application/vnd.dev.sigstore.trustedroot+json"));
        }
        let authorities = |list: Vec<WireAuthority>| list.into_iter().map(Authority::try_from);
        Ok(Self {
            authorities: authorities(wire.certificate_authorities).collect::<Result<_, _>>()?,
            timestamp_authorities: authorities(wire.timestamp_authorities)
                .collect::<Result<_, _>>()?,
            logs: logs(wire.tlogs)?,
            certificate_logs: logs(wire.ctlogs)?,
            source: Some(Digest::sha256(bytes)),
        })
    }

    /// The log of that name, if it was believed then.
    pub(crate) fn log(&self, id: &[u8]) -> Option<&LogKey> {
        self.logs.iter().find(|log| log.id == id)
    }
}

/// Logs whose keys are of a kind or in an encoding that is not known here are left out: nothing is
/// believed because of them.
fn logs(wire: Vec<WireLog>) -> Result<Vec<LogKey>, Refusal> {
    let mut logs: Vec<LogKey> = Vec::new();
    for log in wire {
        if !log.public_key.key_details.is_empty()
            && !log.public_key.key_details.starts_with("PKIX_")
        {
            continue;
        }
        let key = match PublicKey::from_spki(&log.public_key.raw_bytes.0) {
            Ok(key) => key,
            Err(refusal) if refusal.reason == Reason::Unsupported => continue,
            Err(refusal) => return Err(refusal),
        };
        let id = log.log_id.key_id.0;
        if id.len() < 4 || logs.iter().any(|known| known.id == id) {
            let observed = format!("log `{}` has no identifier of its own", log.base_url);
            return Err(Refusal::malformed(observed));
        }
        logs.push(LogKey { name: log.base_url, id, key, valid: log.public_key.valid_for });
    }
    Ok(logs)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    media_type: String,
    #[serde(default)]
    tlogs: Vec<WireLog>,
    #[serde(default)]
    ctlogs: Vec<WireLog>,
    #[serde(default)]
    certificate_authorities: Vec<WireAuthority>,
    #[serde(default)]
    timestamp_authorities: Vec<WireAuthority>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLog {
    #[serde(default)]
    base_url: String,
    public_key: WireKey,
    log_id: WireLogId,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireKey {
    raw_bytes: Base64,
    #[serde(default)]
    key_details: String,
    #[serde(default)]
    valid_for: Validity,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLogId {
    key_id: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAuthority {
    #[serde(default)]
    uri: String,
    cert_chain: WireChain,
    #[serde(default)]
    valid_for: Validity,
}

#[derive(Deserialize)]
struct WireChain {
    certificates: Vec<WireCertificate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireCertificate {
    raw_bytes: Base64,
}

impl TryFrom<WireAuthority> for Authority {
    type Error = Refusal;

    fn try_from(wire: WireAuthority) -> Result<Self, Refusal> {
        let chain = wire.cert_chain.certificates.iter().map(|one| one.raw_bytes.0.as_slice());
        Ok(Self {
            name: wire.uri,
            chain: Certificate::chain_from_der(chain)?,
            valid: wire.valid_for,
        })
    }
}
