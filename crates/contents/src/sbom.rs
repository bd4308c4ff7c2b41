//! SBOMs of images, made of what is known of them.

use std::{fmt, str::FromStr};

use plura_inventory::{SbomSubject, cyclonedx, spdx};
use plura_oci::RepositoryName;
use plura_registry::ImageQuery;
use serde::Serialize;

use crate::{Contents, Error, ask::KnownImage, blocking};

/// The form of an SBOM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SbomFormat {
    /// `CycloneDX` 1.6, in JSON.
    CycloneDx,
    /// SPDX 2.3, in JSON.
    Spdx,
}

/// An SBOM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sbom {
    /// Its form.
    pub format: SbomFormat,
    /// The document. Of one reading of an image, it is the same to the byte.
    pub bytes: Vec<u8>,
}

/// Text is no form of SBOM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `cyclonedx` or `spdx`")]
pub struct ParseSbomFormatError;

impl SbomFormat {
    /// The media type of its documents.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::CycloneDx => "application/vnd.cyclonedx+json",
            Self::Spdx => "application/spdx+json",
        }
    }

    /// As it is asked for.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CycloneDx => "cyclonedx",
            Self::Spdx => "spdx",
        }
    }
}

impl fmt::Display for SbomFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for SbomFormat {
    type Err = ParseSbomFormatError;

    fn from_str(text: &str) -> Result<Self, ParseSbomFormatError> {
        let known = [Self::CycloneDx, Self::Spdx];
        known.into_iter().find(|format| format.as_str() == text).ok_or(ParseSbomFormatError)
    }
}

impl Contents {
    /// The SBOM of the one image that is meant.
    pub async fn sbom(&self, query: &ImageQuery, format: SbomFormat) -> Result<Sbom, Error> {
        let known = self.known(query).await?;
        let (digest, name) = (known.manifest.digest, query.repository.clone());
        let sbom = blocking(move || write(&name, &known, format)).await;
        sbom.ok_or(Error::Sbom(digest))
    }
}

/// The SBOM of an image that is known.
pub(crate) fn write(
    repository: &RepositoryName,
    known: &KnownImage,
    format: SbomFormat,
) -> Option<Sbom> {
    let created = known.read_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let subject = SbomSubject {
        name: repository.as_str(),
        digest: known.manifest.digest,
        created: &created,
        tool_version: env!("CARGO_PKG_VERSION"),
    };
    let facts = &known.document.facts;
    let bytes = match format {
        SbomFormat::CycloneDx => json(&cyclonedx(facts, &subject)),
        SbomFormat::Spdx => json(&spdx(facts, &subject)),
    };
    Some(Sbom { format, bytes: bytes? })
}

fn json<T: Serialize>(document: &T) -> Option<Vec<u8>> {
    serde_json::to_vec(document).ok()
}
