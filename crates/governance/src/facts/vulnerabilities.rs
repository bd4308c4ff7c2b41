use jiff::{Timestamp, ToSpan};
use plura_oci::{Reference, image::ImageKind};
use plura_policy::{
    Severity,
    facts::{AdvisoryFacts, Known, Treatment, Vulnerability},
};
use plura_vulnerabilities::{FoundVulnerability, ImageVulnerabilities, SuppressionKind};

use super::{Subject, not_an_image, not_now};
use crate::Governance;

/// Which vulnerabilities an image has, and how recent that is.
pub(super) struct VulnerabilityFacts {
    pub(super) vulnerabilities: Known<Vec<Vulnerability>>,
    pub(super) advisories: Known<AdvisoryFacts>,
}

const NO_ADVISORIES: &str = "there are no advisories to compare it with; import some";

impl Governance {
    /// The vulnerabilities of an image. What was not matched with the advisories in force is matched
    /// then.
    pub(super) async fn vulnerability_facts(
        &self,
        subject: &Subject<'_>,
        kind: ImageKind,
    ) -> VulnerabilityFacts {
        if let Some(why) = not_an_image(kind) {
            let advisories = Known::Absent(why.to_owned());
            return VulnerabilityFacts {
                vulnerabilities: Known::Absent(why.to_owned()),
                advisories,
            };
        }
        let reference = Reference::Digest(subject.digest);
        let known = &self.shared.sources.vulnerabilities;
        match known.of(subject.repository, &reference, None).await {
            Ok(found) => VulnerabilityFacts::of(&found),
            Err(error) => VulnerabilityFacts {
                vulnerabilities: not_now("its vulnerabilities", &error),
                advisories: not_now("how recent advisories are", &error),
            },
        }
    }
}

impl VulnerabilityFacts {
    fn of(found: &ImageVulnerabilities) -> Self {
        let advisories = match found.newest_advisory {
            Some(newest) => {
                let compared_at = whole_minute(found.at);
                Known::Known(AdvisoryFacts { newest, compared_at })
            }
            None => Known::Absent(NO_ADVISORIES.to_owned()),
        };
        let unread = found.images.iter().find(|image| image.read_at.is_none());
        let problem = found.images.iter().find_map(|image| image.problem.as_ref());
        let vulnerabilities = match (unread, problem) {
            (Some(_), _) => Known::Waiting("its layers are being read".to_owned()),
            // What was found in the rest says nothing about what could not be read.
            (None, Some(problem)) => {
                Known::Absent(format!("not all of it could be read: {problem}"))
            }
            (None, None) if found.newest_advisory.is_none() => {
                Known::Absent(NO_ADVISORIES.to_owned())
            }
            (None, None) => Known::Known(found.vulnerabilities.iter().map(vulnerability).collect()),
        };
        Self { vulnerabilities, advisories }
    }
}

/// Facts that are the same are kept once; to the millisecond, they never would be.
fn whole_minute(at: Timestamp) -> Timestamp {
    let seconds = at.as_second().rem_euclid(60);
    at.checked_sub(seconds.seconds())
        .and_then(|at| at.round(jiff::Unit::Second))
        .unwrap_or(at)
        .min(at)
}

fn vulnerability(found: &FoundVulnerability) -> Vulnerability {
    Vulnerability {
        id: found.id.clone(),
        aliases: found.aliases.clone(),
        severity: severity(&found.severity),
        package: found.package.name.clone(),
        version: found.package.version.clone(),
        fixed_in: found.fixed.first().cloned(),
        first_seen: found.first_seen_at,
        treatment: treatment(found),
    }
}

fn severity(name: &str) -> Severity {
    Severity::ALL.into_iter().find(|one| one.as_str() == name).unwrap_or(Severity::Unknown)
}

fn treatment(found: &FoundVulnerability) -> Treatment {
    match &found.suppressed {
        None => Treatment::Open,
        Some(by) => match by.by {
            SuppressionKind::Exception => {
                Treatment::Excepted { exception: by.name.clone(), expires: by.until }
            }
            SuppressionKind::Vex => {
                let statement = format!("{}: {}", by.name, by.reason);
                Treatment::NotAffected { statement }
            }
        },
    }
}
