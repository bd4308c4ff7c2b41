//! Checking such a file where no server is.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use plura_oci::{Digest, RepositoryName};
use plura_tlog::{Proof, VerifierKey};
use plura_trust::{Envelope, PublicKey, Refusal, Statement, predicate_types};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    FORMAT, INDEX, Index, KEY, LIMIT, SIGNATURE, blob_path,
    log::{LOG_KEYS, LogIndex, proof_path},
};

/// What is trusted; what is not named is taken from the file, which shows no more than that all of it is by
/// the same.
#[derive(Clone, Debug, Default)]
pub struct Trusted {
    /// The key of the installation.
    pub key: Option<PublicKey>,
    /// The keys of its log.
    pub log: Vec<VerifierKey>,
}

/// A file in which everything is what it says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifiedBundle {
    /// The repository.
    pub repository: RepositoryName,
    /// The image.
    pub digest: Digest,
    /// How many files there are.
    pub files: usize,
    /// What belongs to the image and is not in the file.
    pub left_out: Vec<String>,
    /// The fingerprint of the key by which the file and its decisions were verified.
    pub key: Digest,
    /// What the installation decided, and signed.
    pub decisions: Vec<SignedDecision>,
    /// What its log has about the image; nothing if the file is of before there was one.
    pub log: Option<ProvedLog>,
}

/// What the log is proved to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProvedLog {
    /// The name of the log, if it has one.
    pub origin: Option<String>,
    /// How many entries it had.
    pub size: u64,
    /// The entries that are proved, in their order.
    pub entries: Vec<LoggedFact>,
    /// The numbers of those that could not be proved yet.
    pub pending: Vec<u64>,
    /// Whether there are older ones that the file does not tell.
    pub more: bool,
}

/// An entry of the log that is proved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoggedFact {
    /// Its number, from zero.
    pub index: u64,
    /// When it was added.
    pub at: Timestamp,
    /// What happened: `promotion.finished`.
    pub kind: String,
    /// What it is about.
    pub subject: String,
}

/// A decision that is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignedDecision {
    /// The channel.
    pub channel: String,
    /// `PASSED` or `FAILED`.
    pub result: String,
    /// When.
    pub at: String,
}

/// Why such a file is not to be believed.
#[derive(Debug, thiserror::Error)]
pub enum BundleProblem {
    /// It is no such file.
    #[error("it is no file with evidence: {0}")]
    NotOne(String),
    /// A file in it is not what it is said to be.
    #[error("{path}: {problem}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The key in it is not the one that is trusted.
    #[error("it was made by another installation: its key is {found}, not {expected}")]
    OtherKey {
        /// The fingerprint of the key in it.
        found: String,
        /// That of the one that is trusted.
        expected: String,
    },
}

/// A manifest, as far as it is followed.
#[derive(Default, Deserialize)]
struct Manifest {
    #[serde(default)]
    config: Option<Pointed>,
    #[serde(default)]
    layers: Option<Vec<Pointed>>,
    #[serde(default)]
    subject: Option<Pointed>,
}

#[derive(Deserialize)]
struct Pointed {
    digest: Digest,
}

/// The most files.
const MOST: usize = 20_000;

/// Checks that everything in the file is what it says, and that the installation signed it, and the
/// decisions in it, and that its log has what is said of it: by the keys that are trusted, or else by those that
/// came with the file.
pub fn verify_bundle(bytes: &[u8], trusted: &Trusted) -> Result<VerifiedBundle, BundleProblem> {
    let files = read(bytes)?;
    let signed = files.get(INDEX).ok_or_else(|| not_one("it has no evidence.json"))?;
    let key = key(&files, trusted.key.as_ref())?;
    check_signature(signed, &files, &key)?;
    let index: Index =
        serde_json::from_slice(signed).map_err(|error| not_one(&error.to_string()))?;
    if index.format != FORMAT {
        return Err(not_one(&format!("its form is `{}`", index.format.escape_debug())));
    }
    check_files(&index, &files)?;
    check_image(&index, &files)?;
    let decisions = decisions(&index, &files, &key)?;
    let log = index.log.as_ref().map(|log| proved(log, &files, &trusted.log)).transpose()?;
    let left_out = index.left_out.iter().map(|one| format!("{}: {}", one.digest, one.reason));
    Ok(VerifiedBundle {
        files: files.len(),
        left_out: left_out.collect(),
        repository: index.repository,
        digest: index.digest,
        key: key.fingerprint(),
        decisions,
        log,
    })
}

fn not_one(problem: &str) -> BundleProblem {
    BundleProblem::NotOne(problem.chars().take(200).collect())
}

fn wrong(path: &str, problem: &str) -> BundleProblem {
    let path = path.escape_debug().to_string().chars().take(200).collect();
    BundleProblem::File { path, problem: problem.to_owned() }
}

/// All files by their paths. There is nothing but files, each once.
fn read(bytes: &[u8]) -> Result<BTreeMap<String, Vec<u8>>, BundleProblem> {
    let mut files = BTreeMap::new();
    let mut archive = tar::Archive::new(bytes);
    let entries = archive.entries().map_err(|error| not_one(&error.to_string()))?;
    let mut total = 0;
    for entry in entries {
        let mut entry = entry.map_err(|error| not_one(&error.to_string()))?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type() != tar::EntryType::Regular {
            return Err(wrong(&path, "it is no file"));
        }
        let mut content = Vec::new();
        // What is in memory already is no larger than what was read.
        entry.read_to_end(&mut content).map_err(|error| wrong(&path, &error.to_string()))?;
        total += content.len();
        if total > 2 * LIMIT || files.len() >= MOST {
            return Err(not_one("it is too large"));
        }
        if files.insert(path.clone(), content).is_some() {
            return Err(wrong(&path, "it is there twice"));
        }
    }
    Ok(files)
}

/// The installation says so, and nobody else.
fn check_signature(
    index: &[u8],
    files: &BTreeMap<String, Vec<u8>>,
    key: &PublicKey,
) -> Result<(), BundleProblem> {
    let text = files.get(SIGNATURE).ok_or_else(|| wrong(SIGNATURE, "it is missing"))?;
    let signature = STANDARD.decode(text).map_err(|_| wrong(SIGNATURE, "it is not Base64"))?;
    if key.verifies(index, &signature) {
        return Ok(());
    }
    Err(wrong(INDEX, "it was changed, or another key signed it"))
}

fn check_files(index: &Index, files: &BTreeMap<String, Vec<u8>>) -> Result<(), BundleProblem> {
    for file in &index.files {
        let content = files.get(&file.path).ok_or_else(|| wrong(&file.path, "it is missing"))?;
        if Digest::sha256(content) != file.digest {
            return Err(wrong(&file.path, "it was changed"));
        }
        let blob = file.path.strip_prefix("blobs/").and_then(|rest| rest.split_once('/'));
        if let Some((algorithm, hex)) = blob {
            let named: Option<Digest> = format!("{algorithm}:{hex}").parse().ok();
            let is_it = |named: Digest| Digest::of(named.algorithm(), content) == named;
            if !named.is_some_and(is_it) {
                return Err(wrong(&file.path, "its name is not its digest"));
            }
        }
    }
    let listed = |path: &&String| {
        [INDEX, SIGNATURE].contains(&path.as_str())
            || index.files.iter().any(|file| file.path == **path)
    };
    match files.keys().find(|path| !listed(path)) {
        Some(path) => Err(wrong(path, "evidence.json does not name it")),
        None => Ok(()),
    }
}

/// The image is there, and whatever is about something is about something that is there.
fn check_image(index: &Index, files: &BTreeMap<String, Vec<u8>>) -> Result<(), BundleProblem> {
    let is_there = |digest: &Digest| {
        files.contains_key(&blob_path(digest))
            || index.left_out.iter().any(|one| one.digest == *digest)
    };
    let path = blob_path(&index.digest);
    if !files.contains_key(&path) {
        return Err(wrong(&path, "the image is missing"));
    }
    for (path, content) in files.iter().filter(|(path, _)| path.starts_with("blobs/")) {
        let manifest: Manifest = serde_json::from_slice(content).unwrap_or_default();
        if manifest.config.as_ref().is_some_and(|config| !is_there(&config.digest)) {
            return Err(wrong(path, "its configuration is missing"));
        }
        let Some(subject) = &manifest.subject else { continue };
        if !is_there(&subject.digest) {
            return Err(wrong(path, "it is about something else"));
        }
        let mut layers = manifest.layers.iter().flatten();
        if layers.any(|layer| !is_there(&layer.digest)) {
            return Err(wrong(path, "what it says is missing"));
        }
    }
    Ok(())
}

fn key(
    files: &BTreeMap<String, Vec<u8>>,
    trusted: Option<&PublicKey>,
) -> Result<PublicKey, BundleProblem> {
    let text = files.get(KEY).ok_or_else(|| wrong(KEY, "it is missing"))?;
    let key = PublicKey::from_pem(&String::from_utf8_lossy(text));
    let key = key.map_err(|refusal: Refusal| wrong(KEY, &refusal.to_string()))?;
    match trusted.map(PublicKey::fingerprint) {
        Some(expected) if expected != key.fingerprint() => {
            let (found, expected) = (key.fingerprint().to_string(), expected.to_string());
            Err(BundleProblem::OtherKey { found, expected })
        }
        _ => Ok(key),
    }
}

/// What the log is proved to have: every entry that is listed, and there are no other files of it.
fn proved(
    log: &LogIndex,
    files: &BTreeMap<String, Vec<u8>>,
    trusted: &[VerifierKey],
) -> Result<ProvedLog, BundleProblem> {
    let listed: BTreeSet<String> = log.entries.iter().map(|index| proof_path(*index)).collect();
    let other = |path: &&String| {
        path.starts_with("log/") && *path != LOG_KEYS && !listed.contains(path.as_str())
    };
    if let Some(path) = files.keys().find(other) {
        return Err(wrong(path, "evidence.json names no such entry of the log"));
    }
    let keys = log_keys(files, trusted)?;
    let origin = log.origin.as_deref().unwrap_or_default();
    let entries = log.entries.iter().map(|index| logged(*index, (origin, log.size), files, &keys));
    Ok(ProvedLog {
        origin: log.origin.clone(),
        size: log.size,
        entries: entries.collect::<Result<_, _>>()?,
        pending: log.pending.clone(),
        more: log.more,
    })
}

/// The keys that proofs are believed by.
fn log_keys(
    files: &BTreeMap<String, Vec<u8>>,
    trusted: &[VerifierKey],
) -> Result<Vec<VerifierKey>, BundleProblem> {
    if !trusted.is_empty() {
        return Ok(trusted.to_vec());
    }
    let lines = files.get(LOG_KEYS).ok_or_else(|| wrong(LOG_KEYS, "it is missing"))?;
    let lines = String::from_utf8_lossy(lines);
    let keys = lines.lines().map(str::parse).collect::<Result<_, _>>();
    keys.map_err(|error: plura_tlog::KeyError| wrong(LOG_KEYS, &error.to_string()))
}

fn logged(
    index: u64,
    (origin, size): (&str, u64),
    files: &BTreeMap<String, Vec<u8>>,
    keys: &[VerifierKey],
) -> Result<LoggedFact, BundleProblem> {
    let path = proof_path(index);
    let problem = |problem: &str| wrong(&path, problem);
    let content = files.get(&path).ok_or_else(|| problem("it is missing"))?;
    let proof = Proof::from_json(content).map_err(|error| problem(&error.to_string()))?;
    let proved = proof.verify(origin, keys).map_err(|error| problem(&error.to_string()))?;
    if proved.index != index {
        return Err(problem("it proves another entry"));
    }
    if proved.checkpoint.size() != size {
        return Err(problem("it is of another head of the log"));
    }
    let entry: Value = proved.entry.read().map_err(|error| problem(&error.to_string()))?;
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let at = entry["at"].as_i64().and_then(|at| Timestamp::from_millisecond(at).ok());
    let at = at.ok_or_else(|| problem("it has no time"))?;
    Ok(LoggedFact { index, at, kind: text("kind"), subject: text("subject") })
}

/// The summaries that the key signed, about the image. Those of others are evidence, and nothing more.
fn decisions(
    index: &Index,
    files: &BTreeMap<String, Vec<u8>>,
    key: &PublicKey,
) -> Result<Vec<SignedDecision>, BundleProblem> {
    let mut decisions = Vec::new();
    for (path, content) in files.iter().filter(|(path, _)| path.starts_with("blobs/")) {
        let Some(envelope) = envelope(content) else { continue };
        let Ok(statement) = Statement::read(&envelope.payload) else { continue };
        if statement.predicate_type != predicate_types::VERIFICATION_SUMMARY {
            continue;
        }
        let signed = envelope.signed_bytes();
        let mut signatures = envelope.signatures.iter();
        if !signatures.any(|signature| key.verifies(&signed, &signature.bytes)) {
            continue;
        }
        if !statement.is_about(&index.digest) {
            return Err(wrong(path, "it is signed, and about another image"));
        }
        let payload: Value = serde_json::from_slice(&envelope.payload).unwrap_or_default();
        let predicate = &payload["predicate"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        decisions.push(SignedDecision {
            channel: text(&predicate["https://plura.dev/decision/v1"]["channel"]),
            result: text(&predicate["verificationResult"]),
            at: text(&predicate["timeVerified"]),
        });
    }
    decisions.sort_by(|left, right| left.at.cmp(&right.at));
    Ok(decisions)
}

fn envelope(bundle: &[u8]) -> Option<Envelope> {
    let value: Value = serde_json::from_slice(bundle).ok()?;
    let envelope = value.get("dsseEnvelope")?;
    Envelope::read(envelope.to_string().as_bytes()).ok()
}
