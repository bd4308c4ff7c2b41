//! Commands that open an installation.

use std::path::PathBuf;

use clap::Args;

use super::{InstallationArgs, OutputArgs};

const CHECK_HELP: &str = "\
Without `--repair` nothing is changed, and the server may run. Exit status: 0 sound, or everything was \
mended; 1 something is wrong.

Examples:
  plura check                       Rows against files, quickly
  plura check --rehash              Read every byte
  plura check --repair              Stop the server first";

/// What to check, and whether to mend it
#[derive(Debug, Args)]
#[command(after_help = CHECK_HELP)]
pub(crate) struct CheckArgs {
    /// Read every blob and compare its digest
    #[arg(long)]
    pub(crate) rehash: bool,

    /// Mend what can be mended; the server must not run
    #[arg(long)]
    pub(crate) repair: bool,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) installation: InstallationArgs,
}

const BACKUP_HELP: &str = "\
The backup holds the metadata: repositories, tags, manifests, and which blobs they need. Blobs are files \
that never change: copy `blobs/` afterwards, with rsync for example, within the grace time of collection \
(`collection.grace`), and the two together are a complete backup.

Example:
  plura backup /srv/backup/plura-monday.db && rsync -a plura-data/blobs /srv/backup/";

/// Where to put the backup
#[derive(Debug, Args)]
#[command(after_help = BACKUP_HELP)]
pub(crate) struct BackupArgs {
    /// The file to write; it must not exist
    #[arg(value_name = "FILE")]
    pub(crate) target: PathBuf,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) installation: InstallationArgs,
}

const RESTORE_HELP: &str = "\
The server must not run. Metadata that is there stays beside the restored one, under another name. \
Afterwards the installation is checked; exit status 1 says that blobs are missing.

Example:
  rsync -a /srv/backup/blobs plura-data/ && plura restore /srv/backup/plura-monday.db";

/// Which backup to restore
#[derive(Debug, Args)]
#[command(after_help = RESTORE_HELP)]
pub(crate) struct RestoreArgs {
    /// The backup
    #[arg(value_name = "FILE")]
    pub(crate) source: PathBuf,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) installation: InstallationArgs,
}
