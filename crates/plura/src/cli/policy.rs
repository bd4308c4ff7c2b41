//! `plura policy`: the document that governs a registry.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::OutputArgs;

/// What can be done about the document that governs.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Print a document with every key and what it means
    #[command(after_help = EXAMPLE_HELP)]
    Example,

    /// Write a document to begin with
    #[command(after_help = INIT_HELP)]
    Init(PolicyInitArgs),

    /// Say whether a document is valid, without a server
    #[command(after_help = CHECK_HELP)]
    Check(DocumentArgs),

    /// Say what another document would make stricter and what laxer
    #[command(after_help = DIFF_HELP)]
    Diff(DocumentDiffArgs),

    /// Ask a document what it decides in cases whose answer is known, without a server
    #[command(after_help = TEST_HELP)]
    Test(PolicyTestArgs),
}

const EXAMPLE_HELP: &str = "\
Example:
  plura policy example | less";

const INIT_HELP: &str = "\
A file that is there already is not replaced.

Example:
  plura policy init && plura policy check policy.toml";

/// Where to write it
#[derive(Debug, Args)]
pub(crate) struct PolicyInitArgs {
    /// The file
    #[arg(value_name = "FILE", default_value = "policy.toml")]
    pub(crate) file: PathBuf,
}

const CHECK_HELP: &str = "\
Everything that is wrong is told, with its place and what would be right.

Exit status: 0 valid, 1 not, 2 the file could not be read.

Example:
  plura policy check policy.toml";

/// What to check
#[derive(Debug, Args)]
pub(crate) struct DocumentArgs {
    /// The document in TOML or JSON; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

const DIFF_HELP: &str = "\
Exit status: 0 whatever changes, 1 a document is not valid, 2 one could not be read.

Example:
  plura policy diff policy.toml new.toml";

/// What to compare
#[derive(Debug, Args)]
pub(crate) struct DocumentDiffArgs {
    /// The document before
    #[arg(value_name = "OLD")]
    pub(crate) old: PathBuf,

    /// The document after
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

const TEST_HELP: &str = "\
Each file of the directory that ends in `.toml` or `.json` is a case: facts about an image, a channel, a \
time, and what is expected.

  description = \"a critical vulnerability is not for production\"
  channel = \"prod:stable\"
  at = \"2026-07-01T10:00:00+09:00\"
  expect = \"deny\"                                  # allow, wait or deny
  blocking = [\"gates.security.vulnerabilities\"]    # rules that must stand in the way; may be left out

  [facts]
  repository = \"apps/web\"
  [facts.manifest]
  vulnerabilities = [{ id = \"CVE-2026-1\", severity = \"critical\", package = \"openssl\" }]

What a case does not say of an image is not there. `plura reg why REF --to CHANNEL --json` prints such \
facts of a real one under `facts`.

Exit status: 0 all is decided as expected, 1 not, 2 the files could not be read.

Example:
  plura policy test policy-tests --policy policy.toml";

/// What to test
#[derive(Debug, Args)]
pub(crate) struct PolicyTestArgs {
    /// The directory of the cases
    #[arg(value_name = "DIR")]
    pub(crate) directory: PathBuf,

    /// The document
    #[arg(long, value_name = "FILE", default_value = "policy.toml")]
    pub(crate) policy: PathBuf,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
