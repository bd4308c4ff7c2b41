//! `plura image`: looking at images.

use std::fmt;
use std::str::FromStr;

use clap::{Args, Subcommand};
use plura_oci::image::Platform;
use plura_oci::{Reference, RepositoryName};

use super::{OutputArgs, ServerArgs};
use crate::docker_config::host_of;

/// What can be asked about images.
#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Show what an image is: platforms, configuration, labels, tags, what is about it
    #[command(after_help = INSPECT_HELP)]
    Inspect(ImageArgs),

    /// Show how an image came to be, the first step first
    #[command(after_help = HISTORY_HELP)]
    History(HistoryArgs),

    /// Show the layers of an image, the lowest first
    #[command(after_help = LAYERS_HELP)]
    Layers(ImageArgs),

    /// Print a manifest or a configuration, byte for byte
    #[command(after_help = MANIFEST_HELP)]
    Manifest(ManifestArgs),

    /// Show what belongs to an image: children, attestations, signatures
    #[command(after_help = TREE_HELP)]
    Tree(ImageArgs),

    /// Show in what two images differ
    #[command(after_help = DIFF_HELP)]
    Diff(DiffArgs),
}

const INSPECT_HELP: &str = "\
Of an index, its children are shown, and what all of them say alike; with `--platform`, one of them. \
Artifacts that are no images are shown with what they are.

Examples:
  plura image inspect apps/web:1.0.0
  plura image inspect apps/web:1.0.0 --platform linux/arm64
  plura image inspect apps/web@sha256:... --json | jq -r '.config.labels'";

const LAYERS_HELP: &str = "\
Sizes are those of the layers as they are stored and pulled, mostly compressed.

Examples:
  plura image layers apps/web:1.0.0
  plura image layers apps/web:1.0.0 --platform linux/arm64 --json | jq -r '.[].digest'";

const TREE_HELP: &str = "\
Signatures and attestations that cosign keeps under tags (`sha256-....sig`) are shown where they belong.

Example:
  plura image tree apps/web:1.0.0";

/// Which image
#[derive(Debug, Args)]
pub(crate) struct ImageArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Which image.
#[derive(Debug, Args)]
pub(crate) struct WhichArgs {
    /// The image; without a tag or digest, `latest`
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    pub(crate) image: ImageName,

    /// For which platform, if it is for several
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(crate) platform: Option<Platform>,
}

const HISTORY_HELP: &str = "\
Steps that made no layer are marked `empty`.

Examples:
  plura image history apps/web:1.0.0
  plura image history apps/web:1.0.0 --platform linux/arm64 --no-trunc";

/// Whose history to show
#[derive(Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

    /// Show whole commands and digests
    #[arg(long)]
    pub(crate) no_trunc: bool,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const MANIFEST_HELP: &str = "\
What is printed is what was pushed, so that its digest can be computed from it.

Examples:
  plura image manifest apps/web:1.0.0 | sha256sum
  plura image manifest apps/web:1.0.0 --platform linux/arm64 --config --pretty";

/// What to print
#[derive(Debug, Args)]
pub(crate) struct ManifestArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

    /// The configuration that the manifest names, instead of the manifest
    #[arg(long)]
    pub(crate) config: bool,

    /// Indented for reading; these are other bytes than were pushed
    #[arg(long)]
    pub(crate) pretty: bool,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const DIFF_HELP: &str = "\
Compared are platform, configuration, environment, labels, layers and history. Of images for several \
platforms, `--platform` says which to compare.

Examples:
  plura image diff apps/web:1.0.0 apps/web:1.1.0
  plura image diff base/debian:12 apps/web:1.0.0 --platform linux/arm64 --json";

/// Which images to compare
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// The one, which is taken to be the older
    #[arg(value_name = "A")]
    pub(crate) from: ImageName,

    /// The other
    #[arg(value_name = "B")]
    pub(crate) to: ImageName,

    /// For which platform, if they are for several
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(crate) platform: Option<Platform>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// The name of an image as it is typed: perhaps with the server in front, as container clients want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageName {
    /// The repository, and what may stand in front of it.
    name: String,
    /// The tag or digest.
    pub(crate) reference: Reference,
}

impl ImageName {
    /// Another image of the same repository.
    pub(crate) fn with(&self, reference: Reference) -> Self {
        Self { reference, ..self.clone() }
    }

    /// The repository, on the server at this address.
    pub(crate) fn repository(&self, server: &reqwest::Url) -> Result<RepositoryName, BadName> {
        let own = format!("{}/", host_of(server));
        let name = self.name.strip_prefix(&own).unwrap_or(&self.name);
        let first = name.split('/').next().unwrap_or_default();
        if first.contains(':') {
            return Err(BadName::OtherServer(first.to_owned()));
        }
        name.parse().map_err(|error| BadName::Name(name.to_owned(), error))
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if matches!(self.reference, Reference::Digest(_)) { '@' } else { ':' };
        write!(f, "{}{separator}{}", self.name, self.reference)
    }
}

/// Why a text is no name of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadName {
    /// Not that of a repository.
    #[error("`{0}` is no name of a repository: {1}")]
    Name(String, plura_oci::ParseNameError),
    /// It begins with another server than the one that is asked.
    #[error("`{0}` is not the server that is asked")]
    OtherServer(String),
    /// Neither a tag nor a digest stands behind it.
    #[error("`{0}`: {1}")]
    Reference(String, String),
}

impl FromStr for ImageName {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        const USUAL: &str = "latest";
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        let path = name.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match name[path..].split_once(':') {
            Some((last, tag)) => (&name[..path + last.len()], Some(tag)),
            None => (name, None),
        };
        // With both, the digest decides, as for container clients.
        let reference = digest.or(tag).unwrap_or(USUAL);
        let parsed = match digest {
            Some(digest) => digest.parse().map(Reference::Digest).map_err(|e| e.to_string()),
            None => reference.parse().map(Reference::Tag).map_err(|e| e.to_string()),
        };
        let reference = parsed.map_err(|e| BadName::Reference(reference.to_owned(), e))?;
        Ok(Self { name: name.to_owned(), reference })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart_as_container_clients_do() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let server: reqwest::Url = "http://127.0.0.1:5000".parse().expect("an address");
        for (text, repository, reference) in [
            ("web".to_owned(), "web", "latest"),
            ("apps/web:1.0".to_owned(), "apps/web", "1.0"),
            ("127.0.0.1:5000/apps/web:1.0".to_owned(), "apps/web", "1.0"),
            ("127.0.0.1:5000/apps/web".to_owned(), "apps/web", "latest"),
            (format!("apps/web@{digest}"), "apps/web", &digest),
            (format!("apps/web:1.0@{digest}"), "apps/web", &digest),
        ] {
            let name: ImageName = text.parse().expect("a name");
            assert_eq!(name.reference.to_string(), reference, "{text}");
            let found = name.repository(&server).expect("a repository");
            assert_eq!(found.as_str(), repository, "{text}");
        }
        for text in ["apps/web:", "apps/web@x", "apps/web:a:b", "web@"] {
            assert!(text.parse::<ImageName>().is_err(), "{text}");
        }
        for text in ["localhost:6000/apps/web", "Apps/web", ""] {
            let name: ImageName = text.parse().expect("it is looked at later");
            assert!(name.repository(&server).is_err(), "{text}");
        }
    }
}
