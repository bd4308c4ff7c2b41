//! `plura reg notes` and `plura reg evidence`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use plura_oci::{Reference, image::Platform};
use plura_tlog::VerifierKey;

use super::{ImageName, OutputArgs, ServerArgs};

pub(super) const NOTES_HELP: &str = "\
Compared are commits, packages, vulnerabilities as they are known now, what the images stand on, their \
configurations and sizes; without `--against`, with what the last stable channel of the service had before.

Examples:
  plura reg notes apps/search:1.5 > notes.md
  plura reg notes apps/search@sha256:... --against 1.4
  plura reg notes apps/search:1.5 --json | jq '.packages.changed'";

/// Which images to compare
#[derive(Debug, Args)]
pub(crate) struct NotesArgs {
    /// The image that is told about
    #[arg(value_name = "IMAGE")]
    pub(crate) image: ImageName,

    /// The tag or digest of the one before, in the same repository
    #[arg(long, value_name = "REFERENCE")]
    pub(crate) against: Option<Reference>,

    /// For which platform, if they are for several
    #[arg(long, value_name = "OS/ARCH[/VARIANT]")]
    pub(crate) platform: Option<Platform>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

pub(super) const EVIDENCE_HELP: &str = "\
The file is a tar with manifests, configurations, signatures, attestations, SBOMs, vulnerabilities, facts, \
the document in force, decisions, the key that they are signed with, and what the log has about the image, \
each entry with the proof that the log has it. It is checked without a server.

Examples:
  plura reg evidence apps/search@sha256:... -o evidence.tar
  plura reg evidence verify evidence.tar
  plura reg evidence verify evidence.tar --key installation.pub
  plura reg evidence verify evidence.tar --log-key 'registry.example.com+2b9cf1a8+AZ...'";

/// What to write, or to check
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct EvidenceArgs {
    #[command(subcommand)]
    pub(crate) command: Option<EvidenceCommand>,

    /// The image
    #[arg(value_name = "IMAGE", required = true)]
    pub(crate) image: Option<ImageName>,

    /// The file to write
    #[arg(short, long, value_name = "FILE", required = true)]
    pub(crate) output: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What can be done with such a file.
#[derive(Debug, Subcommand)]
pub(crate) enum EvidenceCommand {
    /// Check that everything in a file is what it says, without a server
    Verify(VerifyEvidenceArgs),
}

/// Which file to check
#[derive(Debug, Args)]
pub(crate) struct VerifyEvidenceArgs {
    /// The file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// A file with the public key of the installation; without, only that all is by one and the same key
    /// is shown
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,

    /// A key of the log, as `plura log status` prints it; without, those that the installation names in the
    /// file are believed
    #[arg(long = "log-key", value_name = "KEY")]
    pub(crate) log_keys: Vec<VerifierKey>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
