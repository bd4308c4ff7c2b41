//! `plura scanner`, `plura image scan`: other scanners.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{AdvisoriesArgs, ImageName, OutputArgs, ServerArgs};
use crate::settings::{BaseUrl, Span};

/// What can be done about scanners.
#[derive(Debug, Subcommand)]
pub(crate) enum ScannerCommand {
    /// Add a scanner that images may be shown to
    #[command(after_help = ADD_HELP)]
    Add(ScannerAddArgs),

    /// List the scanners that images may be shown to
    List(AdvisoriesArgs),

    /// Forget a scanner; what it said stays
    Remove(ScannerRemoveArgs),
}

const ADD_HELP: &str = "\
The scanner speaks the open API of pluggable scanners, version 1, as those for Harbor do. It is
`plura image scan` that asks it, and not the server.

Example:
  plura scanner add trivy http://scanner.example.com:8080
  plura image scan apps/web:1.0.0 --scanner trivy";

/// Which scanner to add
#[derive(Debug, Args)]
pub(crate) struct ScannerAddArgs {
    /// What to call it
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Where it is: what `/api/v1/metadata` follows
    #[arg(value_name = "URL")]
    pub(crate) url: reqwest::Url,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Which scanner
#[derive(Debug, Args)]
pub(crate) struct ScannerRemoveArgs {
    /// Its name
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Which image a scanner is to look at, and which scanner
#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    /// The image; without a tag or digest, `latest`
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    pub(crate) image: ImageName,

    #[command(flatten)]
    pub(crate) scanner: WhichScanner,

    /// What the scanner is shown as `Authorization` is in this file
    #[arg(long, value_name = "FILE")]
    pub(crate) authorization_file: Option<PathBuf>,

    /// Where the scanner reaches the registry, if that is another address than that of the server
    #[arg(long, value_name = "URL")]
    pub(crate) registry_url: Option<BaseUrl>,

    /// How long the scanner may take
    #[arg(long, value_name = "SPAN", default_value = "10m")]
    pub(crate) timeout: Span,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// A scanner, by name or address
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct WhichScanner {
    /// A scanner that `plura scanner add` added
    #[arg(long, value_name = "NAME")]
    pub(crate) scanner: Option<String>,

    /// Any scanner: what `/api/v1/metadata` follows
    #[arg(long, value_name = "URL")]
    pub(crate) adapter: Option<reqwest::Url>,
}

pub(super) const SCAN_HELP: &str = "\
The scanner speaks the open API of pluggable scanners, version 1, as those for Harbor do. It gets a
token that is good for pulling from this repository for some minutes. What it says is kept beside
what is found here, as with `plura image report`.

Example:
  plura image scan apps/web:1.0.0 --adapter http://scanner.example.com:8080";
