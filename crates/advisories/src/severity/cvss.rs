use cvss::Cvss;

use super::{Score, SeveritySource};

/// A version of the Common Vulnerability Scoring System.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CvssVersion {
    /// 2.0, from 2007.
    V2,
    /// 3.0 and 3.1.
    V3,
    /// 4.0.
    V4,
}

impl CvssVersion {
    pub(crate) fn source(self) -> SeveritySource {
        match self {
            Self::V2 => SeveritySource::CvssV2,
            Self::V3 => SeveritySource::CvssV3,
            Self::V4 => SeveritySource::CvssV4,
        }
    }
}

/// The score of a vector; nothing for what is none, or not of the version that is said.
pub(super) fn read(kind: &str, vector: &str) -> Option<(CvssVersion, Score, Box<str>)> {
    const LONGEST: usize = 256;
    let version = match kind {
        "CVSS_V2" => CvssVersion::V2,
        "CVSS_V3" => CvssVersion::V3,
        "CVSS_V4" => CvssVersion::V4,
        _ => return None,
    };
    if vector.len() > LONGEST || !is_complete(version, vector) {
        return None;
    }
    let parsed: Cvss = vector.parse().ok()?;
    let read = match parsed {
        Cvss::CvssV20(_) => CvssVersion::V2,
        Cvss::CvssV30(_) | Cvss::CvssV31(_) => CvssVersion::V3,
        Cvss::CvssV40(_) => CvssVersion::V4,
        _ => return None,
    };
    (read == version).then(|| (version, Score::from_value(parsed.score()), vector.into()))
}

/// Whether all metrics are there without which a vector has no score.
fn is_complete(version: CvssVersion, vector: &str) -> bool {
    let required: &[&str] = match version {
        CvssVersion::V2 => &["AV", "AC", "Au", "C", "I", "A"],
        CvssVersion::V3 => &["AV", "AC", "PR", "UI", "S", "C", "I", "A"],
        CvssVersion::V4 => &["AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA"],
    };
    required.iter().all(|metric| {
        vector.split('/').any(|part| part.split_once(':').is_some_and(|(name, _)| name == *metric))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Band;

    #[test]
    fn vectors_have_the_scores_that_their_specifications_give() {
        // CVSS 2.0, section 3.3; 3.1, "Examples"; 4.0, "Examples".
        for (kind, vector, score, band) in [
            ("CVSS_V2", "AV:N/AC:L/Au:N/C:N/I:N/A:C", "7.8", Band::High),
            ("CVSS_V2", "AV:N/AC:L/Au:N/C:C/I:C/A:C", "10.0", Band::High),
            ("CVSS_V2", "AV:L/AC:H/Au:N/C:C/I:C/A:C", "6.2", Band::Medium),
            ("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N", "6.4", Band::Medium),
            ("CVSS_V3", "CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", "6.1", Band::Medium),
            ("CVSS_V3", "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H", "10.0", Band::Critical),
            ("CVSS_V3", "CVSS:3.1/AV:N/AC:H/PR:N/UI:N/S:U/C:N/I:N/A:N", "0.0", Band::Negligible),
            (
                "CVSS_V4",
                "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
                "9.3",
                Band::Critical,
            ),
            (
                "CVSS_V4",
                "CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N",
                "7.3",
                Band::High,
            ),
        ] {
            let (version, found, _) = read(kind, vector).expect(vector);
            assert_eq!(
                (found.to_string().as_str(), found.band(version)),
                (score, band),
                "{vector}"
            );
        }
    }

    #[test]
    fn what_is_no_vector_of_its_version_has_no_score() {
        for (kind, vector) in [
            ("CVSS_V3", "7.5"),
            ("CVSS_V3", ""),
            ("CVSS_V3", "CVSS:3.1/AV:N"),
            ("CVSS_V3", "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"),
            ("CVSS_V4", "CVSS:3.1/AV:N/AC:L/PR:L/UI:N/S:C/C:L/I:L/A:N"),
            ("CVSS_V9", "CVSS:9.0/AV:N"),
        ] {
            assert_eq!(read(kind, vector), None, "{kind} {vector}");
        }
    }
}
