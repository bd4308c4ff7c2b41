//! `plura log`: the log of what was decided, for everybody to verify.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use plura_tlog::VerifierKey;

use super::{OutputArgs, ServerArgs};

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Show how far the log is, and which keys sign it
    #[command(after_help = STATUS_HELP)]
    Status(LogStatusArgs),

    /// List entries, the newest first
    #[command(after_help = LIST_HELP)]
    List(LogListArgs),

    /// Get the proof that an entry is part of the log
    #[command(after_help = PROVE_HELP)]
    Prove(LogProveArgs),

    /// Verify that the log is what was signed, and that it only grew
    #[command(after_help = VERIFY_HELP)]
    Verify(LogVerifyArgs),
}

const STATUS_HELP: &str = "\
Example:
  plura log status";

const LIST_HELP: &str = "\
Examples:
  plura log list --subject CVE-2024-3094
  plura log list --kind exception. --limit 1000 --json";

const PROVE_HELP: &str = "\
The proof is JSON: the entry, its way to the root of the tree, and the checkpoint that signs the root. It \
needs no server to be verified, only the key of the log.

Example:
  plura log prove 42 > entry-42.json
  plura log verify --offline entry-42.json";

const VERIFY_HELP: &str = "\
Everything is read and hashed here, nothing is believed: signatures, all entries, and that the log continues \
what was seen of it before. Then the server is asked to compare its database with the log. Keys and \
checkpoint are remembered where the log was sound; without `--key`, the keys that the server names are \
believed the first time, and no others after that.

Exit status: 0, or 1 if something is not what was signed.

Examples:
  plura log verify
  plura log verify --key 'registry.example.com+2b9cf1a8+AZ...'
  plura log verify --offline entry-42.json
  plura log verify --directory ./copy-of-the-log";

/// How to print the state of the log
#[derive(Debug, Args)]
pub(crate) struct LogStatusArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Which entries
#[derive(Debug, Args)]
pub(crate) struct LogListArgs {
    /// About this: a digest, a channel, a vulnerability
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) subject: Option<String>,

    /// Of this kind, such as `exception.granted`, or with a dot at the end, all that begin so
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,

    /// At most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Which entry
#[derive(Debug, Args)]
pub(crate) struct LogProveArgs {
    /// The number of the entry
    #[arg(value_name = "INDEX")]
    pub(crate) index: u64,

    /// Seconds to wait for it to become part of the log
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(..=30))]
    pub(crate) wait: u64,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What to verify, and by which keys
#[derive(Debug, Args)]
pub(crate) struct LogVerifyArgs {
    /// A key of the log, as `plura log status` prints it; instead of those that are remembered
    #[arg(long = "key", value_name = "KEY")]
    pub(crate) keys: Vec<VerifierKey>,

    /// Verify this proof alone; no server is asked
    #[arg(long, value_name = "FILE", conflicts_with = "directory")]
    pub(crate) offline: Option<PathBuf>,

    /// Verify the copy of the log in this directory; no server is asked
    #[arg(long, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,

    /// Where to remember what was seen, instead of `plura/log` in your cache directory
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
