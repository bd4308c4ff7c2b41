//! How severe a vulnerability is, and who says so.

mod cvss;
mod vendor;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use cvss::CvssVersion;

use crate::{
    Advisory, Affected, Family,
    osv::{Rating, VendorWords},
};

/// How bad it is, in ascending order.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// Nobody says.
    #[default]
    Unknown,
    /// It does no harm.
    Negligible,
    /// 0.1 to 3.9.
    Low,
    /// 4.0 to 6.9.
    Medium,
    /// 7.0 to 8.9.
    High,
    /// 9.0 to 10.
    Critical,
}

/// A severity with its source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Severity {
    /// How bad it is.
    pub band: Band,
    /// The score of 0 to 10 behind it, in tenths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// The CVSS vector that the score was computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vector: Option<Box<str>>,
    /// Where it was taken from.
    pub source: SeveritySource,
    /// The advisory that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stated_by: Option<Box<str>>,
}

/// A CVSS score in tenths, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Score(u8);

/// What a severity was taken from.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum SeveritySource {
    /// Nothing says anything.
    #[default]
    Nobody,
    /// A CVSS vector, version 2.
    CvssV2,
    /// A CVSS vector, version 3.0 or 3.1.
    CvssV3,
    /// A CVSS vector, version 4.0.
    CvssV4,
    /// The word of whoever published the advisory: Debian's urgency, Ubuntu's priority, GitHub's or
    /// Red Hat's severity.
    Vendor,
    /// The report of another scanner.
    Scanner,
}

impl Score {
    /// The score from its value; what is beyond 0 to 10 is brought there.
    pub fn from_value(value: f64) -> Self {
        let tenths = (value * 10.0).round().clamp(0.0, 100.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
        Self(tenths as u8)
    }

    /// 0 to 10.
    pub fn value(self) -> f64 {
        f64::from(self.0) / 10.0
    }

    /// 0 to 100.
    pub fn tenths(self) -> u8 {
        self.0
    }

    /// CVSS 3.1, section 5: "Qualitative severity rating scale", which is also that of 4.0, and which
    /// NVD gave to version 2 as far as that has names.
    pub fn band(self, version: CvssVersion) -> Band {
        match (self.0, version) {
            (0, _) => Band::Negligible,
            (1..=39, _) => Band::Low,
            (40..=69, _) => Band::Medium,
            (70..=89, _) | (_, CvssVersion::V2) => Band::High,
            _ => Band::Critical,
        }
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0 / 10, self.0 % 10)
    }
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unknown => "unknown",
            Self::Negligible => "negligible",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

impl Severity {
    /// What `advisory` says about one of the packages that it affects.
    ///
    /// The vendor of an operating system knows what a vulnerability means there, so its word comes
    /// first. Elsewhere it is CVSS, the latest version first, and then the database's word.
    pub fn of(advisory: &Advisory, affected: &Affected) -> Self {
        let family = affected.package.as_ref().map(|package| package.ecosystem.family());
        let of_system = family.is_some_and(Family::is_operating_system);
        let word = || Self::of_vendor(advisory, affected);
        let vector = || Self::of_vectors(&affected.severity, &advisory.severity);
        let found = if of_system { word().or_else(vector) } else { vector().or_else(word) };
        let stated_by = found.is_some().then(|| advisory.id.clone());
        Self { stated_by, ..found.unwrap_or_default() }
    }

    fn of_vendor(advisory: &Advisory, affected: &Affected) -> Option<Self> {
        let words = [&affected.ecosystem_specific, &affected.database_specific];
        let ratings = affected.severity.iter().chain(&advisory.severity);
        let band = words
            .into_iter()
            .flat_map(VendorWords::words)
            .chain(ratings.filter(|rating| &*rating.kind == "Ubuntu").map(|rating| &*rating.score))
            .chain(advisory.database_specific.words())
            .find_map(vendor::band)
            .or_else(|| vendor::band_of_summary(&advisory.summary))?;
        Some(Self { band, source: SeveritySource::Vendor, ..Self::default() })
    }

    fn of_vectors(nearer: &[Rating], wider: &[Rating]) -> Option<Self> {
        let best = |ratings: &[Rating]| {
            let read = ratings.iter().filter_map(|rating| cvss::read(&rating.kind, &rating.score));
            read.max_by_key(|(version, score, _)| (*version, *score))
        };
        let (version, score, vector) = best(nearer).or_else(|| best(wider))?;
        Some(Self {
            band: score.band(version),
            score: Some(score),
            vector: Some(vector),
            source: version.source(),
            stated_by: None,
        })
    }
}
