//! `plura reg why`, and what people and robots say about images: approvals, checks, blocks, freezes.

use std::fmt;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use plura_oci::{Digest, Reference};
use plura_policy::ChannelName;

use super::vulnerabilities::end;
use super::{ImageName, OutputArgs, ServerArgs};

pub(super) const WHY_HELP: &str = "\
The policy is asked now, from what is known now: what is answered is what a promotion would be answered. \
What stands in the way comes first, each with what was found, what is asked for, what to do, and when time \
alone changes the answer.

Exit status: 0 it may, 1 it may not, 2 it could not be asked, 3 not yet.

Examples:
  plura reg why apps/web:1.0.0 --to prod:stable
  plura reg why apps/web:1.0.0 --to prod:stable --if-exception CVE-2026-1234";

/// What to explain
#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// The image
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    pub(crate) image: ImageName,

    /// The channel
    #[arg(long, value_name = "CHANNEL")]
    pub(crate) to: ChannelName,

    /// Also what would be different with an exception for this vulnerability
    #[arg(long, value_name = "NAME")]
    pub(crate) if_exception: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

pub(super) const APPROVE_HELP: &str = "\
What is approved is the digest that the tag points at now, for this channel alone. Who pushed it may approve \
it as well, which by itself is not enough.

Examples:
  plura reg approve apps/web:1.0.0 --to prod:stable --reason 'tested by hand'
  plura reg approve apps/web:1.0.0 --to prod:stable --expires 24h";

/// What to approve
#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// The image
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    pub(crate) image: ImageName,

    /// The channel
    #[arg(long, value_name = "CHANNEL")]
    pub(crate) to: ChannelName,

    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,

    /// Until when it counts: a time, or for how long, such as `24h`
    #[arg(long, value_name = "TIME", value_parser = end)]
    pub(crate) expires: Option<Timestamp>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

pub(super) const ABOUT_HELP: &str = "\
Examples:
  plura reg approvals apps/web:1.0.0
  plura reg checks apps/web:1.0.0";

/// Which image
#[derive(Debug, Args)]
pub(crate) struct ImageAboutArgs {
    /// The image
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    pub(crate) image: ImageName,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

pub(super) const REVOKE_HELP: &str = "\
Example:
  plura reg approvals apps/web:1.0.0
  plura reg revoke apps/web 01997a62-5b0c-7d51-9a3e-6f6d2b1f2a11";

/// Which approval
#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The repository of the image
    #[arg(value_name = "NAME")]
    pub(crate) image: ImageName,

    /// The approval
    #[arg(value_name = "APPROVAL")]
    pub(crate) approval: String,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

pub(super) const POST_HELP: &str = "\
The last result of each check counts, where the policy asks for it.

Example:
  plura reg post-check apps/web:1.0.0 smoke success";

/// What to post
#[derive(Debug, Args)]
pub(crate) struct PostCheckArgs {
    /// The image
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    pub(crate) image: ImageName,

    /// What the check is called
    #[arg(value_name = "CHECK")]
    pub(crate) check: String,

    /// How it went
    #[arg(value_name = "STATE", value_enum)]
    pub(crate) state: CheckStateArg,

    /// More about it
    #[arg(long, value_name = "TEXT")]
    pub(crate) detail: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckStateArg {
    /// Well
    Success,
    /// Not well
    Failure,
    /// It is not done yet
    Pending,
}

pub(super) const BLOCK_HELP: &str = "\
A digest alone is meant in every repository, one behind a name there alone. It need not be there yet.

Examples:
  plura reg block sha256:4f53... --reason 'leaks a key'
  plura reg block apps/web@sha256:4f53... --reason 'breaks payments'
  plura reg unblock apps/web@sha256:4f53... --reason 'the other side is mended'";

/// What to block or unblock
#[derive(Debug, Args)]
pub(crate) struct BlockArgs {
    /// The digest
    #[arg(value_name = "[NAME@]DIGEST")]
    pub(crate) what: WhichDigest,

    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// A digest, everywhere or in one repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WhichDigest {
    pub(crate) digest: Digest,
    pub(crate) image: Option<ImageName>,
}

impl FromStr for WhichDigest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.contains('@') {
            let digest = text.parse().map_err(|error| format!("{error}"))?;
            return Ok(Self { digest, image: None });
        }
        let image: ImageName = text.parse().map_err(|error| format!("{error}"))?;
        match image.reference {
            Reference::Digest(digest) => Ok(Self { digest, image: Some(image) }),
            Reference::Tag(_) => Err("expected a digest behind the `@`".to_owned()),
        }
    }
}

impl fmt::Display for WhichDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.image {
            Some(image) => image.fmt(f),
            None => self.digest.fmt(f),
        }
    }
}

pub(super) const LIST_HELP: &str = "\
Examples:
  plura reg blocks
  plura reg freezes";

/// How to list them
#[derive(Debug, Args)]
pub(crate) struct RulesArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

pub(super) const FREEZE_HELP: &str = "\
In patterns of channels, `*` stands for anything. Rollbacks are possible all the same.

Examples:
  plura reg freeze 'prod:*' --until 4h --reason 'the launch'
  plura reg freeze '*' --from 2026-12-24 --until 2026-12-27 --reason holidays";

/// What to freeze
#[derive(Debug, Args)]
pub(crate) struct FreezeArgs {
    /// The pattern of the channels
    #[arg(value_name = "CHANNELS")]
    pub(crate) channels: String,

    /// Until when: a time, or for how long, such as `4h`
    #[arg(long, value_name = "TIME", value_parser = end)]
    pub(crate) until: Timestamp,

    /// From when on: a time, or in how long; otherwise at once
    #[arg(long, value_name = "TIME", value_parser = end)]
    pub(crate) from: Option<Timestamp>,

    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

pub(super) const UNFREEZE_HELP: &str = "\
Example:
  plura reg freezes
  plura reg unfreeze 01997a62-5b0c-7d51-9a3e-6f6d2b1f2a11";

/// Which freeze
#[derive(Debug, Args)]
pub(crate) struct UnfreezeArgs {
    /// The freeze
    #[arg(value_name = "FREEZE")]
    pub(crate) freeze: String,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
