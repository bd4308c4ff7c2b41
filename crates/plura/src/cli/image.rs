//! `plura image`: looking at images.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use plura_oci::image::Platform;

use super::scanner::ScanArgs;
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

    /// List the packages of an image
    #[command(after_help = PACKAGES_HELP)]
    Packages(PackagesArgs),

    /// Print the SBOM of an image, or compare it with those that came with it
    #[command(after_help = SBOM_HELP)]
    Sbom(SbomArgs),

    /// Show what an image stands on, or what stands on it
    #[command(after_help = BASE_HELP)]
    Base(BaseArgs),

    /// Show what is in an image: operating system, user, ports, secrets
    #[command(after_help = FACTS_HELP)]
    Facts(FactsArgs),

    /// Show which vulnerabilities an image has, now
    #[command(after_help = super::vulnerabilities::IMAGE_HELP)]
    Vulns(Box<ImageVulnerabilitiesArgs>),

    /// Keep what another scanner says about an image
    #[command(after_help = super::vulnerabilities::REPORT_HELP)]
    Report(ReportArgs),

    /// Let a scanner look at an image, and keep what it says
    #[command(after_help = super::scanner::SCAN_HELP)]
    Scan(Box<ScanArgs>),
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

const PACKAGES_HELP: &str = "\
Packages are read from the layers: databases of operating systems, metadata of languages, and what \
executables say they were built from.

Examples:
  plura image packages apps/web:1.0.0
  plura image packages apps/web:1.0.0 --kind npm --name react
  plura image packages apps/web:1.0.0 --json | jq -r '.[].purl'";

/// Which packages to list
#[derive(Debug, Args)]
pub(crate) struct PackagesArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

    /// Only those of this packaging: apk, deb, rpm, python, npm, go, cargo, java, gem, composer, nuget
    #[arg(long)]
    pub(crate) kind: Option<String>,

    /// Only those with this in their names
    #[arg(long, value_name = "TEXT")]
    pub(crate) name: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const SBOM_HELP: &str = "\
With `--compare`, the SBOMs that came with the image (referrers, cosign's tags, attestations in its \
index) are compared with what is in it; the exit status is 1 if one differs.

Examples:
  plura image sbom apps/web:1.0.0 --format spdx --output web.spdx.json
  plura image sbom apps/web:1.0.0 --platform linux/arm64 | jq '.components | length'
  plura image sbom apps/web:1.0.0 --compare";

/// Which SBOM to print
#[derive(Debug, Args)]
pub(crate) struct SbomArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

    /// The form of the SBOM
    #[arg(long, value_enum, default_value = "cyclonedx")]
    pub(crate) format: SbomForm,

    /// Write it to this file instead
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,

    /// Compare what is in the image with the SBOMs that came with it
    #[arg(long, conflicts_with_all = ["format", "output"])]
    pub(crate) compare: bool,

    /// Print the comparison as JSON
    #[arg(long, requires = "compare")]
    pub(crate) json: bool,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// The form of an SBOM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SbomForm {
    /// `CycloneDX` 1.6
    #[value(name = "cyclonedx")]
    CycloneDx,
    /// SPDX 2.3
    Spdx,
}

impl SbomForm {
    /// As the API calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CycloneDx => "cyclonedx",
            Self::Spdx => "spdx",
        }
    }
}

const BASE_HELP: &str = "\
What an image stands on is what it declares, or else the image of the registry with the most layers that \
are its first ones.

Examples:
  plura image base apps/web:1.0.0
  plura image base apps/web:1.0.0 --json | jq '.newer'
  plura image base base/debian:12 --images";

/// Which image to show the base of
#[derive(Debug, Args)]
pub(crate) struct BaseArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

    /// List the images that stand on it instead
    #[arg(long)]
    pub(crate) images: bool,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const FACTS_HELP: &str = "\
Of an index, each of its images is shown. Of secrets, never the value is shown: only where they are.

Examples:
  plura image facts apps/web:1.0.0
  plura image facts apps/web:1.0.0 --json | jq '.[].secrets'
  plura image facts apps/web:1.0.0 --again";

/// Which image to show
#[derive(Debug, Args)]
pub(crate) struct FactsArgs {
    #[command(flatten)]
    pub(crate) which: WhichArgs,

    /// Have it read again first, from its layers
    #[arg(long)]
    pub(crate) again: bool,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
