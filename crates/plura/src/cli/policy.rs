//! `plura policy`: the document that governs a registry.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use plura_oci::Digest;

use super::{OutputArgs, ServerArgs};
use crate::settings::Span;

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

    /// Say what a document makes stricter and what laxer
    #[command(after_help = DIFF_HELP)]
    Diff(DocumentDiffArgs),

    /// Ask a document what it decides in cases whose answer is known, without a server
    #[command(after_help = TEST_HELP)]
    Test(PolicyTestArgs),

    /// Put a document in force
    #[command(after_help = APPLY_HELP)]
    Apply(PolicyApplyArgs),

    /// Show the document in force, or one that was
    #[command(after_help = SHOW_HELP)]
    Show(PolicyShowArgs),

    /// List the documents that were in force: who applied them, when and why
    #[command(after_help = HISTORY_HELP)]
    History(PolicyHistoryArgs),

    /// Say what a document would have decided otherwise
    #[command(after_help = SIMULATE_HELP)]
    Simulate(PolicySimulateArgs),
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
With one file, it is compared with the document in force; with two, no server is asked.

Exit status: 0 whatever changes, 1 a document is not valid, 2 one could not be read.

Examples:
  plura policy diff new.toml
  plura policy diff policy.toml new.toml";

/// What to compare
#[derive(Debug, Args)]
pub(crate) struct DocumentDiffArgs {
    /// The document; or the one before, if another follows
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// The document after
    #[arg(value_name = "NEW")]
    pub(crate) new: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
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

const APPLY_HELP: &str = "\
The document is compared with the one in force first. If it makes something laxer, that is told and nothing \
is done without `--yes`. Nothing is done either if somebody else applied another one meanwhile.

Exit status: 0 it is in force, 1 it was refused, 2 it could not be asked.

Example:
  plura policy apply policy.toml --reason 'medium vulnerabilities need an exception'";

/// What to put in force
#[derive(Debug, Args)]
pub(crate) struct PolicyApplyArgs {
    /// The document in TOML or JSON; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Why, for those who read the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,

    /// The SHA-256 of the document that must be in force; otherwise the one that it is compared with
    #[arg(long, value_name = "DIGEST")]
    pub(crate) expect: Option<Digest>,

    /// Also if it makes something laxer
    #[arg(long)]
    pub(crate) yes: bool,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const SHOW_HELP: &str = "\
Example:
  plura policy show > policy.toml";

/// Which document
#[derive(Debug, Args)]
pub(crate) struct PolicyShowArgs {
    /// The version; otherwise the one in force
    #[arg(long, value_name = "N")]
    pub(crate) version: Option<u32>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const HISTORY_HELP: &str = "\
Example:
  plura policy history";

/// How to list them
#[derive(Debug, Args)]
pub(crate) struct PolicyHistoryArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const SIMULATE_HELP: &str = "\
Decisions about promotions are kept with the facts that they were made from. Each is made again by the \
document, at its own time.

Exit status: 0 whatever would be different, 1 the document is not valid, 2 it could not be asked.

Example:
  plura policy simulate new.toml --since 90d";

/// What to simulate
#[derive(Debug, Args)]
pub(crate) struct PolicySimulateArgs {
    /// The document in TOML or JSON; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Decisions of how long, in whole days
    #[arg(long, value_name = "SPAN", default_value = "90d")]
    pub(crate) since: Span,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
