//! Records out of what was sent: an archive of them, one, or one on each line.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader, Read, Seek},
};

use plura_advisories::{Advisory, ReadAdvisoryError};
use plura_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::{Error, ImportError, block::BlockBuilder, package::canonical, zip};

/// Examples of what was left out; the rest is counted.
const MOST_EXAMPLES: usize = 10;
/// The most ecosystems that are counted by name; there are some hundred with all releases.
const MOST_ECOSYSTEMS: usize = 2000;
/// Longer ones are the names of none.
const LONGEST_ECOSYSTEM: usize = 128;
/// The most bytes that an archive may become; all that is published is a tenth of it.
const MOST_UNPACKED: u64 = 64 << 30;
/// The most advisories; all that are published are a tenth of it.
const MOST_ADVISORIES: usize = 5_000_000;

/// What was left out of an import, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Skipped {
    /// How many, by reason.
    pub reasons: BTreeMap<String, u64>,
    /// The first of them.
    pub examples: Vec<String>,
}

/// What was read.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) advisories: u64,
    pub(crate) withdrawn: u64,
    pub(crate) ecosystems: BTreeMap<String, u64>,
    pub(crate) newest: Option<jiff::Timestamp>,
    pub(crate) skipped: Skipped,
    records: Vec<(Box<str>, Digest)>,
}

/// Takes blocks; whether more are wanted.
pub(crate) type Sink<'s> = &'s mut dyn FnMut(Vec<u8>) -> bool;

/// Reads all records of a file into blocks.
pub(crate) fn read(files: &mut [File], sink: Sink<'_>) -> Result<Tally, Error> {
    let mut reading =
        Reading { tally: Tally::default(), block: BlockBuilder::default(), unpacked: 0, sink };
    for file in files {
        reading.file(file)?;
    }
    let last = reading.block.finish().map_err(Error::Spool)?;
    reading.give(last)?;
    Ok(reading.tally)
}

struct Reading<'s> {
    tally: Tally,
    block: BlockBuilder,
    unpacked: u64,
    sink: Sink<'s>,
}

impl Reading<'_> {
    fn file(&mut self, file: &mut File) -> Result<(), Error> {
        let mut magic = Vec::new();
        file.rewind().map_err(Error::Spool)?;
        file.by_ref()
            .take(zip::MAGIC.len() as u64)
            .read_to_end(&mut magic)
            .map_err(Error::Spool)?;
        file.rewind().map_err(Error::Spool)?;
        if magic == zip::MAGIC { self.archive(file) } else { self.json(file) }
    }

    fn archive(&mut self, file: &File) -> Result<(), Error> {
        let mut archive = zip::Archive::open(file)?;
        while let Some(member) = archive.next_member()? {
            if !has_extension(&member.name, ".json") {
                continue;
            }
            match member.data(Advisory::MAX_BYTES) {
                Ok(data) => self.record(&member.name, &data)?,
                Err(reason) => self.tally.skipped.count(&member.name, reason, None),
            }
        }
        Ok(())
    }

    /// One record, however it is formatted; else one on each line.
    fn json(&mut self, file: &mut File) -> Result<(), Error> {
        let mut all = Vec::new();
        let most = Advisory::MAX_BYTES as u64;
        let mut start = file.by_ref().take(most + 1);
        start.read_to_end(&mut all).map_err(Error::Spool)?;
        if all.len() as u64 <= most && Advisory::parse(&all).is_ok() {
            return self.record("the record", &all);
        }
        drop(all);
        file.rewind().map_err(Error::Spool)?;
        self.lines(BufReader::with_capacity(1 << 16, file))
    }

    fn lines(&mut self, mut from: impl BufRead) -> Result<(), Error> {
        let mut line = Vec::new();
        for number in 1_u64.. {
            line.clear();
            let most = Advisory::MAX_BYTES as u64 + 1;
            let read = from.by_ref().take(most).read_until(b'\n', &mut line);
            if read.map_err(Error::Spool)? == 0 {
                break;
            }
            if !line.trim_ascii().is_empty() {
                self.record(&format!("line {number}"), line.trim_ascii())?;
            }
            if self.tally.advisories == 0 && number > 1000 {
                // It is something else, and nobody has to hear that of each of its lines.
                break;
            }
        }
        Ok(())
    }

    fn record(&mut self, name: &str, json: &[u8]) -> Result<(), Error> {
        self.unpacked += json.len() as u64;
        if self.unpacked > MOST_UNPACKED || self.tally.records.len() >= MOST_ADVISORIES {
            return Err(ImportError::TooLarge.into());
        }
        let advisory = match Advisory::parse(json) {
            Ok(advisory) => advisory,
            Err(error) => {
                self.tally.skipped.count(name, reason(&error), Some(&error));
                return Ok(());
            }
        };
        // What is kept is a fraction of what was sent, and says the same about packages.
        let kept = serde_json::to_vec(&advisory).unwrap_or_default();
        self.tally.note(&advisory, Digest::sha256(&kept));
        let block = self.block.add(&kept).map_err(Error::Spool)?;
        self.give(block)
    }

    fn give(&mut self, block: Option<Vec<u8>>) -> Result<(), Error> {
        // Who takes no more has failed, and says why.
        if block.is_none_or(|block| (self.sink)(block)) { Ok(()) } else { Err(Error::Stopped) }
    }
}

impl Tally {
    fn note(&mut self, advisory: &Advisory, digest: Digest) {
        self.advisories += 1;
        self.withdrawn += u64::from(advisory.withdrawn.is_some());
        self.newest = self.newest.max(Some(advisory.modified));
        self.records.push((advisory.id.clone(), digest));
        let packages = advisory.affected.iter().filter_map(|affected| affected.package.as_ref());
        let mut named: Vec<String> = packages
            .map(|package| canonical(&package.ecosystem))
            .filter(|name| name.len() <= LONGEST_ECOSYSTEM)
            .collect();
        named.sort_unstable();
        named.dedup();
        for ecosystem in named {
            if self.ecosystems.len() < MOST_ECOSYSTEMS || self.ecosystems.contains_key(&ecosystem) {
                *self.ecosystems.entry(ecosystem).or_default() += 1;
            }
        }
    }

    /// What was read, in whichever order and form.
    pub(crate) fn digest(&mut self) -> Digest {
        self.records.sort_unstable();
        let mut hasher = plura_oci::Algorithm::Sha256.hasher();
        for (id, digest) in &self.records {
            hasher.update(format!("{id} {digest}\n").as_bytes());
        }
        hasher.finish()
    }
}

impl Skipped {
    fn count(&mut self, name: &str, reason: &str, error: Option<&ReadAdvisoryError>) {
        *self.reasons.entry(reason.to_owned()).or_default() += 1;
        if self.examples.len() < MOST_EXAMPLES {
            const LONGEST: usize = 200;
            let text = match error {
                Some(error) => format!("{name}: {error}"),
                None => format!("{name} {reason}"),
            };
            self.examples.push(text.chars().take(LONGEST).collect());
        }
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.reasons.values().sum()
    }
}

fn reason(error: &ReadAdvisoryError) -> &'static str {
    match error {
        ReadAdvisoryError::TooLarge(_) => "is too large",
        ReadAdvisoryError::Malformed(_) => "is no OSV record",
        ReadAdvisoryError::Identifier => "has an identifier that is none",
        ReadAdvisoryError::PackageName => "names a package that is none",
    }
}

fn has_extension(name: &str, extension: &str) -> bool {
    let tail = name.len().checked_sub(extension.len()).and_then(|at| name.get(at..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(extension))
}
