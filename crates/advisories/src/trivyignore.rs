//! Ignore files of Trivy: `.trivyignore.yaml`, and the lines of `.trivyignore`.

use jiff::{SignedDuration, Timestamp, civil::Date, tz::TimeZone};
use serde::Deserialize;

use crate::{ExceptionTerms, Glob, PackagePattern, Scope, purl::Purl};

/// What an ignore file says about vulnerabilities.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrivyIgnore {
    /// What is ignored.
    pub entries: Vec<IgnoreEntry>,
    /// How many entries are about something else: misconfigurations, secrets, licences.
    pub other: usize,
}

/// One vulnerability that is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoreEntry {
    /// Its name.
    pub id: Box<str>,
    /// Only in these files of the image.
    pub paths: Vec<Box<str>>,
    /// Only in these packages.
    pub purls: Vec<Box<str>>,
    /// From then on it is not ignored any more.
    pub expired_at: Option<Timestamp>,
    /// Why it is ignored.
    pub statement: Box<str>,
}

/// Why an ignore file, or an entry, cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportIgnoreError {
    /// More bytes than such a file has.
    #[error("an ignore file has at most {most} bytes, this one has {0}", most = TrivyIgnore::MAX_BYTES)]
    TooLarge(usize),
    /// Not YAML, or not of the form.
    #[error("expected a .trivyignore.yaml: {0}")]
    Malformed(Box<str>),
    /// A date that is none.
    #[error("`{0}` is not a date; expected one such as 2026-12-31")]
    Date(Box<str>),
    /// Exceptions cannot be limited to files.
    #[error("`{0}` is ignored in some paths only, which an exception cannot say; name the package")]
    Paths(Box<str>),
    /// What should be a package URL is none.
    #[error("`{0}` is not a package URL")]
    Purl(Box<str>),
}

/// What an ignore file does not say and an exception needs.
#[derive(Clone, Debug)]
pub struct ImportDefaults {
    /// In which images.
    pub scope: Scope,
    /// Who is responsible.
    pub owner: Box<str>,
    /// Who agreed.
    pub approver: Box<str>,
    /// From when on they hold.
    pub granted_at: Timestamp,
    /// How long one holds at most.
    pub longest: SignedDuration,
}

impl TrivyIgnore {
    /// The most bytes of a file.
    pub const MAX_BYTES: usize = 1 << 20;

    /// Reads `.trivyignore.yaml`.
    pub fn parse_yaml(text: &str) -> Result<Self, ImportIgnoreError> {
        if text.len() > Self::MAX_BYTES {
            return Err(ImportIgnoreError::TooLarge(text.len()));
        }
        let file: File = serde_saphyr::from_str(text).map_err(|error| {
            ImportIgnoreError::Malformed(error.to_string().lines().next().unwrap_or("").into())
        })?;
        let others = [file.misconfigurations, file.secrets, file.licenses];
        let entries = file.vulnerabilities.unwrap_or_default().into_iter().map(Entry::read);
        Ok(Self {
            entries: entries.collect::<Result<_, _>>()?,
            other: others.into_iter().flatten().map(|section| section.len()).sum(),
        })
    }

    /// Reads `.trivyignore`: a name a line, perhaps `exp:2026-12-31` behind it, comments behind `#`.
    pub fn parse_lines(text: &str) -> Result<Self, ImportIgnoreError> {
        if text.len() > Self::MAX_BYTES {
            return Err(ImportIgnoreError::TooLarge(text.len()));
        }
        let mut read = Self::default();
        for line in text.lines() {
            let (line, comment) = line.split_once('#').unwrap_or((line, ""));
            let mut words = line.split_whitespace();
            let Some(id) = words.next() else { continue };
            let expiry = words.find_map(|word| word.strip_prefix("exp:"));
            read.entries.push(IgnoreEntry {
                id: id.into(),
                paths: Vec::new(),
                purls: Vec::new(),
                expired_at: expiry.map(midnight).transpose()?,
                statement: comment.trim().into(),
            });
        }
        Ok(read)
    }
}

impl IgnoreEntry {
    /// The exceptions that say the same, one for each package; which the rules may still refuse. One
    /// that has no date, or a date too far away, ends when the defaults say.
    pub fn to_terms(
        &self,
        defaults: &ImportDefaults,
    ) -> Result<Vec<ExceptionTerms>, ImportIgnoreError> {
        if !self.paths.is_empty() {
            return Err(ImportIgnoreError::Paths(self.id.clone()));
        }
        let packages = self.purls.iter().map(|purl| pattern(purl).map(Some));
        let packages: Vec<_> = packages.collect::<Result<_, _>>()?;
        let packages = if packages.is_empty() { vec![None] } else { packages };
        let latest = defaults.granted_at.saturating_add(defaults.longest).unwrap_or(Timestamp::MAX);
        let several = packages.len() > 1;
        let terms = |(index, package)| ExceptionTerms {
            id: if several { format!("{}-{}", self.id, index + 1).into() } else { self.id.clone() },
            vulnerability: Some(self.id.clone()),
            package,
            scope: defaults.scope.clone(),
            reason: match self.statement.trim() {
                "" => "imported from a Trivy ignore file without a statement".into(),
                statement => statement.into(),
            },
            owner: defaults.owner.clone(),
            approver: defaults.approver.clone(),
            granted_at: defaults.granted_at,
            expires_at: self.expired_at.map_or(latest, |wanted| wanted.min(latest)),
        };
        Ok(packages.into_iter().enumerate().map(terms).collect())
    }
}

fn pattern(text: &str) -> Result<PackagePattern, ImportIgnoreError> {
    let wrong = || ImportIgnoreError::Purl(text.into());
    let purl = Purl::parse(text).ok_or_else(wrong)?;
    let name: Glob = purl.full_name().parse().map_err(|_| wrong())?;
    Ok(PackagePattern { ecosystem: purl.ecosystem(), name, version: purl.version.map(Into::into) })
}

/// Trivy takes the beginning of the day, in UTC.
fn midnight(date: &str) -> Result<Timestamp, ImportIgnoreError> {
    let wrong = || ImportIgnoreError::Date(date.chars().take(32).collect());
    let day: Date = date.parse().map_err(|_| wrong())?;
    day.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp()).map_err(|_| wrong())
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    vulnerabilities: Option<Vec<Entry>>,
    #[serde(default)]
    misconfigurations: Option<Vec<Other>>,
    #[serde(default)]
    secrets: Option<Vec<Other>>,
    #[serde(default)]
    licenses: Option<Vec<Other>>,
}

#[derive(Deserialize)]
struct Other {}

#[derive(Deserialize)]
struct Entry {
    id: Box<str>,
    #[serde(default)]
    paths: Option<Vec<Box<str>>>,
    #[serde(default)]
    purls: Option<Vec<Box<str>>>,
    #[serde(default)]
    expired_at: Option<Box<str>>,
    #[serde(default)]
    statement: Option<Box<str>>,
}

impl Entry {
    fn read(self) -> Result<IgnoreEntry, ImportIgnoreError> {
        Ok(IgnoreEntry {
            id: self.id,
            paths: self.paths.unwrap_or_default(),
            purls: self.purls.unwrap_or_default(),
            expired_at: self.expired_at.map(|date| midnight(&date)).transpose()?,
            statement: self.statement.unwrap_or_default(),
        })
    }
}
