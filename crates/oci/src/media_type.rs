use std::{fmt, str::FromStr, sync::Arc};

/// A media type without parameters, in lower case: `type/subtype`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MediaType(Arc<str>);

/// The text is not `type/subtype` of RFC 6838 characters, or is longer than 255 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a media type such as `application/vnd.oci.image.manifest.v1+json`")]
pub struct ParseMediaTypeError;

pub(crate) mod known {
    /// An OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// The artifact manifest that OCI image-spec 1.1 withdrew; still found in old registries.
    pub const OCI_ARTIFACT: &str = "application/vnd.oci.artifact.manifest.v1+json";
    /// A Docker image manifest, schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A Docker manifest list.
    pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// A Docker image manifest, schema 1, unsigned.
    pub const DOCKER_SCHEMA_1: &str = "application/vnd.docker.distribution.manifest.v1+json";
    /// A Docker image manifest, schema 1, signed.
    pub const DOCKER_SCHEMA_1_SIGNED: &str =
        "application/vnd.docker.distribution.manifest.v1+prettyjws";
    /// The configuration of an OCI image.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// The configuration of a Docker image.
    pub const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";
    /// A gzip layer of an OCI image.
    pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// An uncompressed layer of an OCI image.
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// The empty descriptor's `{}` (image-spec, "Guidance for an Empty Descriptor").
    pub const OCI_EMPTY: &str = "application/vnd.oci.empty.v1+json";
}

impl MediaType {
    /// The media type as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a layer of this type need not be in the registry (image-spec, "Non-distributable
    /// layers"; Docker calls them foreign).
    pub fn is_non_distributable(&self) -> bool {
        self.0.starts_with("application/vnd.oci.image.layer.nondistributable.v1.")
            || self.0.starts_with("application/vnd.docker.image.rootfs.foreign.diff.")
    }
}

impl FromStr for MediaType {
    type Err = ParseMediaTypeError;

    /// Parameters behind a semicolon are dropped.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let part = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
        };
        match essence.split_once('/') {
            Some((kind, subtype)) if part(kind) && part(subtype) && essence.len() <= 255 => {
                Ok(Self(essence.into()))
            }
            _ => Err(ParseMediaTypeError),
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_dropped_and_case_is_folded() {
        let parsed: MediaType = "Application/JSON; charset=utf-8".parse().unwrap();
        assert_eq!(parsed.as_str(), "application/json");
        for text in ["", "json", "/", "a/", "/b", "a/b c", "a/b/c", "a\r\n/b"] {
            assert!(text.parse::<MediaType>().is_err(), "{text:?}");
        }
    }
}
