use std::{fmt, path::PathBuf, str::FromStr};

/// What to take over, as it is typed: `registry:` or `oci-layout:`, and then the path of a directory or
/// `s3://BUCKET/PREFIX`; or `registry-config:FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The storage tree of registry:2 (Docker distribution, version 2 and 3).
    Registry(Location),
    /// The storage tree that the configuration file of a registry:2 names.
    RegistryConfiguration(PathBuf),
    /// An OCI image layout, or a tree of them, one a repository, as zot keeps.
    Layout(Location),
}

/// Where a tree is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In a directory.
    Directory(PathBuf),
    /// In a bucket.
    Bucket {
        /// The bucket.
        bucket: String,
        /// What its keys begin with; empty, or without a slash at either end.
        prefix: String,
    },
}

/// The text names nothing that can be taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected `registry:DIRECTORY`, `registry:s3://BUCKET/PREFIX`, `registry-config:FILE`, \
     `oci-layout:DIRECTORY` or `oci-layout:s3://BUCKET/PREFIX`"
)]
pub struct ParseSourceError;

impl FromStr for Source {
    type Err = ParseSourceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, rest) = text.split_once(':').ok_or(ParseSourceError)?;
        match kind {
            "registry" => location(rest).map(Self::Registry),
            "registry-config" => path(rest).map(Self::RegistryConfiguration),
            "oci-layout" => location(rest).map(Self::Layout),
            _ => Err(ParseSourceError),
        }
    }
}

fn location(text: &str) -> Result<Location, ParseSourceError> {
    match text.strip_prefix("s3://") {
        Some(rest) => bucket(rest),
        None => path(text).map(Location::Directory),
    }
}

fn path(text: &str) -> Result<PathBuf, ParseSourceError> {
    if text.is_empty() || text.contains('\0') { Err(ParseSourceError) } else { Ok(text.into()) }
}

fn bucket(text: &str) -> Result<Location, ParseSourceError> {
    let (bucket, prefix) = text.split_once('/').unwrap_or((text, ""));
    let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.' || b == b'_';
    let prefix = prefix.trim_matches('/');
    let inside = prefix.is_empty()
        || prefix.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0'));
    if bucket.is_empty() || !bucket.bytes().all(valid) || !inside {
        return Err(ParseSourceError);
    }
    Ok(Location::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(location) => write!(f, "registry:{location}"),
            Self::RegistryConfiguration(path) => write!(f, "registry-config:{}", path.display()),
            Self::Layout(location) => write!(f, "oci-layout:{location}"),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => path.display().fmt(f),
            Self::Bucket { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_print_as_they_were_read() {
        for text in [
            "registry:/var/lib/registry",
            "registry:relative/path",
            "registry:s3://bucket/",
            "registry:s3://bucket/some/prefix",
            "registry-config:/etc/docker/registry/config.yml",
            "oci-layout:/var/lib/zot",
            "oci-layout:s3://bucket/zot",
        ] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "registry",
            "registry:",
            "registry:s3://",
            "registry:s3:///x",
            "s3://bucket",
            "registry:s3://bucket/../x",
            "zot:/x",
            "oci-layout:",
        ] {
            assert_eq!(text.parse::<Source>(), Err(ParseSourceError), "{text}");
        }
    }
}
