//! Entries of Rekor, version 1 and 2, believed without asking Rekor.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    LogKey, Reason, Refusal, TrustRoot,
    checkpoint::Checkpoint,
    json::{Base64, decode_base64, encode_base64, number, read},
    merkle::{self, Node},
};

/// The most bytes of an entry's body. An entry may carry a chain of certificates.
const MAX_BODY: usize = 128 * 1024;
/// A path of a tree with 2^64 leaves.
const MAX_PATH: usize = 64;

/// What a log gave for a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    pub(crate) index: i64,
    pub(crate) log_id: Vec<u8>,
    /// When the log says that it took it; believed only with its promise.
    pub(crate) integrated_time: Option<i64>,
    /// The signed entry timestamp.
    pub(crate) promise: Option<Vec<u8>>,
    pub(crate) proof: Option<InclusionProof>,
    /// What was logged.
    pub(crate) body: Vec<u8>,
}

/// A path from an entry to the root of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InclusionProof {
    pub(crate) index: u64,
    pub(crate) size: u64,
    pub(crate) root: Vec<u8>,
    pub(crate) path: Vec<Node>,
    pub(crate) checkpoint: Option<String>,
}

/// That a signature is in a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = LogEntry)]
pub struct Logged {
    /// The log.
    pub log: String,
    /// The entry's number in it.
    pub index: i64,
    /// When the log took it, if it promised that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub time: Option<Timestamp>,
    /// Whether a proof leads from the entry to the tree's signed root.
    pub proved: bool,
}

impl LogEntry {
    /// Whether the log vouches for it: by its promise, by a proof, or by both; whichever is there
    /// must hold.
    pub(crate) fn verify(&self, root: &TrustRoot) -> Result<Logged, Refusal> {
        let log = self.log(root)?;
        let time = match &self.promise {
            Some(promise) => Some(self.verify_promise(promise, log)?),
            None => None,
        };
        let proved = match &self.proof {
            Some(proof) => self.verify_proof(proof, log)?,
            None => false,
        };
        if time.is_none() && !proved {
            return Err(invalid("the log entry has neither a promise nor a proof with checkpoint"));
        }
        Ok(Logged { log: log.name.clone(), index: self.index, time, proved })
    }

    /// Which log it is from, if that one is known.
    pub(crate) fn log<'a>(&self, root: &'a TrustRoot) -> Result<&'a LogKey, Refusal> {
        root.log(&self.log_id).ok_or_else(|| {
            let observed = format!("an entry of the log {}", encode_base64(&self.log_id));
            Refusal::new(Reason::UnknownLog, observed)
        })
    }

    /// The signed entry timestamp is over the canonical JSON (RFC 8785) of these four.
    fn verify_promise(&self, promise: &[u8], log: &LogKey) -> Result<Timestamp, Refusal> {
        let seconds = self.integrated_time.unwrap_or(0);
        let time = Timestamp::from_second(seconds)
            .ok()
            .filter(|_| seconds > 0)
            .ok_or_else(|| invalid("the log entry has no time"))?;
        let canonical = format!(
            r#"{{"body":"{}","integratedTime":{seconds},"logID":"{}","logIndex":{}}}"#,
            encode_base64(&self.body),
            hex(&self.log_id),
            self.index,
        );
        if !log.key.verifies(canonical.as_bytes(), promise) {
            return Err(invalid("the log did not promise this entry"));
        }
        if !log.valid.covers(time) {
            return Err(invalid(format!("the log {} was not in service on {time}", log.name)));
        }
        Ok(time)
    }

    /// Without a checkpoint a proof leads to a root that nobody signed.
    fn verify_proof(&self, proof: &InclusionProof, log: &LogKey) -> Result<bool, Refusal> {
        let Some(checkpoint) = &proof.checkpoint else { return Ok(false) };
        let checkpoint = Checkpoint::read(checkpoint)?;
        if !checkpoint.is_signed_by(log) {
            return Err(invalid(format!("the log {} did not sign the checkpoint", log.name)));
        }
        let leaf = merkle::leaf(&self.body);
        let root = merkle::root(leaf, proof.index, checkpoint.size, &proof.path);
        let told = merkle::node(&proof.root).is_none_or(|told| told == checkpoint.root);
        if root != Some(checkpoint.root) || !told || proof.size != checkpoint.size {
            return Err(invalid("the entry is not in the tree that the log signed"));
        }
        Ok(true)
    }
}

fn invalid(observed: impl Into<String>) -> Refusal {
    Refusal::new(Reason::InvalidLogEntry, observed)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs.map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// The annotation `dev.sigstore.cosign/bundle`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CosignBundle {
    signed_entry_timestamp: Base64,
    payload: CosignPayload,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CosignPayload {
    body: String,
    integrated_time: i64,
    log_index: i64,
    #[serde(rename = "logID")]
    log_id: String,
}

impl LogEntry {
    /// Reads what cosign's first format keeps in the annotation `dev.sigstore.cosign/bundle`.
    pub(crate) fn from_cosign(json: &str) -> Result<Self, Refusal> {
        let bundle: CosignBundle = read("Rekor bundle", json.as_bytes(), MAX_BODY * 2)?;
        let payload = bundle.payload;
        let body = decode_base64(&payload.body)
            .ok_or_else(|| Refusal::malformed("the Rekor bundle's body is not base64"))?;
        let log_id = unhex(&payload.log_id)
            .ok_or_else(|| Refusal::malformed("the Rekor bundle's log is not hexadecimal"))?;
        Ok(Self {
            index: payload.log_index,
            log_id,
            integrated_time: Some(payload.integrated_time),
            promise: Some(bundle.signed_entry_timestamp.0),
            proof: None,
            body,
        })
    }
}

/// A `TransparencyLogEntry` of a Sigstore bundle.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WireEntry {
    #[serde(default, deserialize_with = "number")]
    log_index: i64,
    log_id: WireLogId,
    #[serde(default, deserialize_with = "number")]
    integrated_time: i64,
    inclusion_promise: Option<WirePromise>,
    inclusion_proof: Option<WireProof>,
    canonicalized_body: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireLogId {
    key_id: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePromise {
    signed_entry_timestamp: Base64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireProof {
    #[serde(default, deserialize_with = "number")]
    log_index: i64,
    #[serde(default)]
    root_hash: Base64,
    #[serde(default, deserialize_with = "number")]
    tree_size: i64,
    #[serde(default)]
    hashes: Vec<Base64>,
    checkpoint: Option<WireCheckpoint>,
}

#[derive(Deserialize)]
struct WireCheckpoint {
    envelope: String,
}

impl TryFrom<WireEntry> for LogEntry {
    type Error = Refusal;

    fn try_from(wire: WireEntry) -> Result<Self, Refusal> {
        if wire.canonicalized_body.0.len() > MAX_BODY {
            return Err(Refusal::new(Reason::TooLarge, "a log entry's body is too large")
                .requiring(format!("at most {MAX_BODY} bytes")));
        }
        Ok(Self {
            index: wire.log_index,
            log_id: wire.log_id.key_id.0,
            integrated_time: Some(wire.integrated_time).filter(|time| *time != 0),
            promise: wire.inclusion_promise.map(|promise| promise.signed_entry_timestamp.0),
            proof: wire.inclusion_proof.map(InclusionProof::try_from).transpose()?,
            body: wire.canonicalized_body.0,
        })
    }
}

impl TryFrom<WireProof> for InclusionProof {
    type Error = Refusal;

    fn try_from(wire: WireProof) -> Result<Self, Refusal> {
        let wrong = || invalid("the inclusion proof cannot be read");
        if wire.hashes.len() > MAX_PATH {
            return Err(wrong());
        }
        let path = wire.hashes.iter().map(|hash| merkle::node(&hash.0).ok_or_else(wrong));
        Ok(Self {
            index: u64::try_from(wire.log_index).map_err(|_| wrong())?,
            size: u64::try_from(wire.tree_size).map_err(|_| wrong())?,
            root: wire.root_hash.0,
            path: path.collect::<Result<_, _>>()?,
            checkpoint: wire.checkpoint.map(|one| one.envelope),
        })
    }
}
