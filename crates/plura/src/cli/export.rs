//! `plura export`.

use std::path::PathBuf;

use clap::Args;
use plura_registry::Exported;

use super::{InstallationArgs, OutputArgs};

const HELP: &str = "\
The server may run. If all that is named is of one repository, DIR becomes its layout; otherwise each \
repository has one below it, under its name, as zot keeps them and `plura adopt --from oci-layout:DIR` \
takes them. What is in DIR already is kept and not copied again, so an export that was interrupted is \
simply run again.

Exit status: 0 exported; 1 something that a manifest names is not in its repository.

Examples:
  plura export apps/web --to web && skopeo inspect oci:web:1.0.0
  plura export apps/web:1.0.0 apps/api:2.1.0 --referrers --to /mnt/usb";

/// What to export, and where to
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct ExportArgs {
    /// A repository with all its tags, or one tag or digest of it
    #[arg(value_name = "REPOSITORY[:TAG|@DIGEST]", required = true)]
    pub(crate) wanted: Vec<Exported>,

    /// The directory to write into
    #[arg(long, value_name = "DIR")]
    pub(crate) to: PathBuf,

    /// Also what is about it: signatures, attestations, lists of contents
    #[arg(long)]
    pub(crate) referrers: bool,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) installation: InstallationArgs,
}
