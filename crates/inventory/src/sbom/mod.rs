//! Documents that list what is in an image: those that are made of [`ImageFacts`], and those that
//! came from elsewhere.

mod cyclonedx;
mod difference;
mod license;
mod read;
mod spdx;

pub use cyclonedx::document as cyclonedx;
pub use difference::{Difference, VersionDifference, difference};
pub use read::{ForeignPackage, SbomError, read_sbom};
pub use spdx::document as spdx;

use plura_oci::Digest;

use crate::ImagePackage;

/// What a document is about, and when it is made. The same subject and time give the same document,
/// to the byte.
#[derive(Clone, Copy, Debug)]
pub struct SbomSubject<'a> {
    /// The repository's name, or another that people know.
    pub name: &'a str,
    /// The manifest.
    pub digest: Digest,
    /// Now, in RFC 3339 with whole seconds and `Z`.
    pub created: &'a str,
    /// The version of what makes it.
    pub tool_version: &'a str,
}

impl SbomSubject<'_> {
    /// A UUID (RFC 9562, version 8: of our own making) that follows from the digest.
    fn uuid(&self) -> String {
        let hex = Digest::sha256(self.digest.to_string().as_bytes()).hex();
        let (a, b, c, d) = (&hex[..8], &hex[8..12], &hex[13..16], &hex[17..20]);
        format!("{a}-{b}-8{c}-8{d}-{}", &hex[20..32])
    }
}

/// What a package is called inside of a document.
fn identifier(package: &ImagePackage) -> String {
    let text = format!("{}\n{}", package.purl, package.path);
    Digest::sha256(text.as_bytes()).hex()[..20].to_owned()
}
