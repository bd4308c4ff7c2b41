//! `plura reg hold`, `holds` and `release-hold`.

use clap::Args;
use jiff::Timestamp;

use super::vulnerabilities::end;
use super::{OutputArgs, ServerArgs, WhichDigest};

pub(super) const HOLD_HELP: &str = "\
What is held is not deleted, by nobody and by no rule, and neither is what belongs to it: platforms, layers, \
signatures and whatever else is about it. A digest alone is meant in every repository, one behind a name \
there alone. It need not be there yet.

Examples:
  plura reg hold apps/web@sha256:4f53... --reason RCA-12
  plura reg hold sha256:4f53... --reason 'dispute 7' --until 2027-06-30
  plura reg holds
  plura reg release-hold 01997a62-5b0c-7d51-9a3e-6f6d2b1f2a11 --reason 'RCA-12 is closed'";

/// What to hold
#[derive(Debug, Args)]
pub(crate) struct HoldArgs {
    /// The digest
    #[arg(value_name = "[NAME@]DIGEST")]
    pub(crate) what: WhichDigest,

    /// Why: the case that needs it
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,

    /// Until when: a time, or for how long, such as `90d`; otherwise until it is released
    #[arg(long, value_name = "TIME", value_parser = end)]
    pub(crate) until: Option<Timestamp>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Which hold
#[derive(Debug, Args)]
pub(crate) struct ReleaseHoldArgs {
    /// The hold
    #[arg(value_name = "HOLD")]
    pub(crate) hold: String,

    /// Why it is needed no more
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
