//! `plura adopt`.

use clap::Args;
use plura_adopt::Source;

use super::{InstallationArgs, OutputArgs};

const HELP: &str = "\
Blobs stay where they are and are served from there; only metadata is written. Both registries can read \
the same tree, so the other one may go on while you try: run the command again to catch up, which adds \
what is new and moves tags that moved. Nothing in the tree is changed until `--finalise`; what is deleted \
here until then is only forgotten, and comes back with the next run. No plura server of the installation \
may run meanwhile, on no replica.

To move for good: stop the other registry, run once more with `--finalise`. From then on, collection \
deletes blobs from the tree that nothing needs any more. It is refused when something is lost, or when \
the tree was written to within the last 10 minutes; `--force` insists.

Sources:
  registry:DIR              The storage tree of registry:2 or registry:3 (its `rootdirectory`)
  registry:s3://BUCKET/DIR  The same in the bucket that plura itself stores in (`storage.s3.bucket`)
  registry-config:FILE      The tree that the configuration of a registry names
  oci-layout:DIR            OCI image layouts, one a repository (zot, olareg); or s3://BUCKET/DIR

A tree in a bucket and plura's own objects (`storage.s3.prefix`) must not be below each other.

Exit status: 0 all of it can be pulled; 1 something is lost, as the list of findings says.

Examples:
  plura adopt --from registry:/var/lib/registry --dry-run
  plura adopt --from registry:/var/lib/registry --verify
  plura adopt --from registry:/var/lib/registry --finalise
  plura adopt --from registry:s3://images/rootdirectory --dry-run";

/// What to take over, and how
#[derive(Debug, Args)]
#[command(after_help = HELP)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct AdoptArgs {
    /// What to take over
    #[arg(long, value_name = "SOURCE")]
    pub(crate) from: Source,

    /// Where the tree was when it was adopted before, if it is elsewhere now
    #[arg(long, value_name = "DIR")]
    pub(crate) moved_from: Option<String>,

    /// Only say what would be found and done; the server may run
    #[arg(long, conflicts_with = "finalise")]
    pub(crate) dry_run: bool,

    /// Read every blob and compare it with its digest
    #[arg(long)]
    pub(crate) verify: bool,

    /// Also link blobs that a manifest needs and that its repository had lost the link to
    #[arg(long)]
    pub(crate) relink: bool,

    /// Hand the tree over: plura may delete from it from then on
    #[arg(long)]
    pub(crate) finalise: bool,

    /// Hand it over although something is lost, or was written a moment ago
    #[arg(long, requires = "finalise")]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) installation: InstallationArgs,
}
