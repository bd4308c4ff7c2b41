//! `plura image`: looking at images.

use clap::{Args, Subcommand};
use plura_oci::image::Platform;

use super::vulnerabilities::{ImageVulnerabilitiesArgs, ReportArgs};
use super::{ImageName, OutputArgs, ServerArgs};

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

    /// Show which vulnerabilities an image has, now
    #[command(after_help = super::vulnerabilities::IMAGE_HELP)]
    Vulns(Box<ImageVulnerabilitiesArgs>),

    /// Keep what another scanner says about an image
    #[command(after_help = super::vulnerabilities::REPORT_HELP)]
    Report(ReportArgs),
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
