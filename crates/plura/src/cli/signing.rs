//! `plura sign`, `plura attest` and `plura verify`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{ImageName, OutputArgs, ServerArgs, TrustedArgs};
use crate::predicate::PredicateType;
use crate::signing_key::KeyPlace;

const SIGN_HELP: &str = "\
A tag is resolved once; what is signed is the digest, which is printed. The signature is stored beside the \
image, where cosign finds it. The password of an encrypted key is that of `COSIGN_PASSWORD` or \
`--password-file`, or asked for. A name that begins with a registry's host asks that registry.

A key in the transit engine of HashiCorp Vault or OpenBao is named `vault://[MOUNT/]KEY`; `VAULT_ADDR`, \
`VAULT_TOKEN` (or the file `~/.vault-token`), `VAULT_NAMESPACE` and `VAULT_CACERT` say how to reach it.

Examples:
  plura sign apps/web:1.0.0 --key release.key
  plura sign registry.example.com/apps/web:1.0.0 --key vault://transit/release -a stage=prod
  plura sign apps/web:1.0.0 --key release.key --recursive     An index, and every image in it
  plura sign apps/web:1.0.0 --key release.key --form tag      For cosign before version 3";

/// What to sign, and with which key
#[derive(Debug, Args)]
#[command(after_help = SIGN_HELP)]
pub(crate) struct SignArgs {
    /// The image; without a tag or digest, `latest`
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    pub(crate) image: ImageName,

    #[command(flatten)]
    pub(crate) key: KeyArgs,

    #[command(flatten)]
    pub(crate) form: FormArgs,

    /// What to say with the signature; can be repeated
    #[arg(long = "annotation", short = 'a', value_name = "KEY=VALUE", value_parser = annotation)]
    pub(crate) annotations: Vec<(String, String)>,

    /// Of an index, also sign what is in it
    #[arg(long)]
    pub(crate) recursive: bool,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const ATTEST_HELP: &str = "\
The types have cosign's names: `slsaprovenance` (or `slsaprovenance02`), `slsaprovenance1`, `cyclonedx`, \
`spdx`, `openvex`, `vuln`, `link` and `custom`; any other type is named by its URI. With `--verdict`, the \
server is asked whether the image is verified, and its answer becomes a verification summary (VSA).

Keys and their passwords are named as `plura sign --help` says.

Examples:
  plura attest apps/web:1.0.0 --predicate sbom.cdx.json --type cyclonedx --key release.key
  plura attest apps/web:1.0.0 --predicate test.json --type https://example.com/tests/v1 --key ci.key
  plura attest apps/web:1.0.0 --verdict --policy release --key registry.key";

/// What to state, about which image, and with which key
#[derive(Debug, Args)]
#[command(after_help = ATTEST_HELP)]
pub(crate) struct AttestArgs {
    /// The image; without a tag or digest, `latest`
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    pub(crate) image: ImageName,

    #[command(flatten)]
    pub(crate) statement: StatementArgs,

    #[command(flatten)]
    pub(crate) key: KeyArgs,

    #[command(flatten)]
    pub(crate) form: FormArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What is stated.
#[derive(Debug, Args)]
pub(crate) struct StatementArgs {
    /// What to state, as JSON; `-` is standard input
    #[arg(
        long,
        value_name = "FILE",
        requires = "predicate_type",
        required_unless_present = "verdict"
    )]
    pub(crate) predicate: Option<PathBuf>,

    /// What kind of statement it is
    #[arg(long = "type", value_name = "TYPE", requires = "predicate")]
    pub(crate) predicate_type: Option<PredicateType>,

    /// State what the server's trust policy says of the image
    #[arg(long, conflicts_with_all = ["predicate", "predicate_type"])]
    pub(crate) verdict: bool,

    /// Which trust policy, if several are about the image
    #[arg(long, value_name = "NAME", requires = "verdict")]
    pub(crate) policy: Option<String>,
}

/// Who signs.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    /// The private key: a file, or `vault://[MOUNT/]KEY`
    #[arg(long, value_name = "KEY")]
    pub(crate) key: KeyPlace,

    /// Read the password of the key from the first line of this file
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
}

/// How it is stored.
#[derive(Debug, Args)]
pub(crate) struct FormArgs {
    /// How to store it
    #[arg(long, value_enum, value_name = "FORM", default_value_t)]
    pub(crate) form: Form,
}

/// How something signed is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum Form {
    /// A Sigstore bundle that refers to the image, as cosign 3 writes it
    #[default]
    Bundle,
    /// Under a tag beside the image, as cosign 1 and 2 write it
    Tag,
}

impl Form {
    /// The form, as it is typed.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::Tag => "tag",
        }
    }
}

const VERIFY_HELP: &str = "\
The server's trust policies decide, all that are about the repository. With keys, an identity or a policy \
in a file, the question is what these would say; nothing on the server changes. Exit status: 0 verified, 1 \
not verified, or no trust policy is about the repository.

Examples:
  plura verify apps/web:1.0.0
  plura verify apps/web:1.0.0 --explain          Every signature, and why it counts or not
  plura verify apps/web:1.0.0 --key release.pub
  plura verify apps/web:1.0.0 --issuer https://token.actions.githubusercontent.com \\
      --subject-pattern '^https://github\\.com/acme/web/.*$'
  plura verify apps/web:1.0.0 --policy release.toml --json";

/// What to verify
#[derive(Debug, Args)]
#[command(after_help = VERIFY_HELP)]
pub(crate) struct VerifyArgs {
    /// The image; without a tag or digest, `latest`
    #[arg(value_name = "NAME[:TAG|@DIGEST]")]
    pub(crate) image: ImageName,

    /// Also show every signature and statement, and why each counts or not
    #[arg(long)]
    pub(crate) explain: bool,

    /// Ask what this trust policy would say, in JSON or TOML; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "trusted")]
    pub(crate) policy: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) trusted: TrustedArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

fn annotation(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) =
        pair.ok_or(format!("expected a key and a value such as \"stage=prod\", found {text:?}"))?;
    Ok((key.to_owned(), value.to_owned()))
}
