//! `plura trust`: tokens of other systems that plura accepts, from CI jobs and workloads. Whose signatures
//! count is in [`super::trust_policy`].

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{OutputArgs, Role, ServerArgs, TrustKeyArgs, TrustPolicyCommand, TrustRootCommand};
use crate::settings::PositiveSpan;

/// What can be done about trust.
#[derive(Debug, Subcommand)]
pub(crate) enum TrustCommand {
    /// Whose signatures count, in which repositories
    #[command(subcommand)]
    Policy(TrustPolicyCommand),

    /// Who vouches for the identities of signers
    #[command(subcommand)]
    Root(TrustRootCommand),

    /// Make a pair of keys that signs and verifies
    Key(TrustKeyArgs),

    /// List whose tokens are trusted
    #[command(after_help = LIST_HELP)]
    List(TrustListArgs),

    /// Trust the tokens of an issuer that fulfil conditions
    #[command(after_help = ADD_HELP)]
    Add(Box<TrustAddArgs>),

    /// Show whose tokens are trusted, with the conditions
    #[command(after_help = SHOW_HELP)]
    Show(TrustArgs),

    /// Trust the tokens no more
    #[command(after_help = REMOVE_HELP)]
    Remove(TrustArgs),
}

const LIST_HELP: &str = "\
Example:
  plura trust list";

/// How to list what is trusted
#[derive(Debug, Args)]
pub(crate) struct TrustListArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const SHOW_HELP: &str = "\
Example:
  plura trust show github-main --json > trust.json     A file for `plura trust add --file`";

const REMOVE_HELP: &str = "\
Example:
  plura trust remove github-main";

/// What is trusted
#[derive(Debug, Args)]
pub(crate) struct TrustArgs {
    /// The name of the trust
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const ADD_HELP: &str = "\
A token must fulfil every condition; a condition that is given several times, one of its values. `*` in a \
value stands for anything, but not in ids. Repositories, owners and accounts are named by ids, because \
names can be taken over by others.

Examples:
  plura trust add github-main --github --repository-id 1296269 --owner-id 9919 \\
      --ref refs/heads/main --role developer --project apps
  plura trust add gitlab-tags --gitlab --issuer https://gitlab.example.com --project-id 42 \\
      --namespace-id 7 --ref-type tag --role promoter --project apps
  plura trust add puller --kubernetes --issuer https://kubernetes.default.svc \\
      --service-account-uid $(kubectl get sa puller -o jsonpath={.metadata.uid}) \\
      --role reader --project apps
  plura trust add github-main --file trust.json --replace";

/// What to trust
#[derive(Debug, Args)]
pub(crate) struct TrustAddArgs {
    /// What to call it
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) kind: TrustKind,

    #[command(flatten)]
    pub(crate) terms: TrustTerms,

    /// Replace the trust of that name, if there is one
    #[arg(long)]
    pub(crate) replace: bool,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Whose tokens they are.
#[derive(Debug, Args)]
#[group(id = "kind", required = true, multiple = false)]
#[expect(clippy::struct_excessive_bools, reason = "one of them is set; the parser sees to it")]
pub(crate) struct TrustKind {
    /// Of jobs of GitHub Actions
    #[arg(long)]
    pub(crate) github: bool,

    /// Of jobs of GitLab CI
    #[arg(long)]
    pub(crate) gitlab: bool,

    /// Of service accounts of a Kubernetes cluster
    #[arg(long)]
    pub(crate) kubernetes: bool,

    /// Of any other issuer
    #[arg(long)]
    pub(crate) generic: bool,

    /// As a JSON file says that has everything; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
}

/// Which of the tokens, and what they allow.
#[derive(Debug, Args)]
#[group(id = "terms", multiple = true, conflicts_with = "file")]
pub(crate) struct TrustTerms {
    /// Who signs the tokens; known for github.com and gitlab.com
    #[arg(long, value_name = "URL", required_if_eq_any([("kubernetes", "true"), ("generic", "true")]))]
    pub(crate) issuer: Option<String>,

    /// Whom the tokens are meant for; otherwise this server, as `--server` names it
    #[arg(long, value_name = "TEXT")]
    pub(crate) audience: Option<String>,

    /// GitHub: the id of the repository; can be repeated
    #[arg(
        long,
        value_name = "ID",
        required_if_eq("github", "true"),
        conflicts_with_all = ["gitlab", "kubernetes", "generic"]
    )]
    pub(crate) repository_id: Vec<String>,

    /// GitHub: the id of the owner of the repository; can be repeated
    #[arg(
        long,
        value_name = "ID",
        required_if_eq("github", "true"),
        conflicts_with_all = ["gitlab", "kubernetes", "generic"]
    )]
    pub(crate) owner_id: Vec<String>,

    /// GitLab: the id of the project; can be repeated
    #[arg(
        long,
        value_name = "ID",
        required_if_eq("gitlab", "true"),
        conflicts_with_all = ["github", "kubernetes", "generic"]
    )]
    pub(crate) project_id: Vec<String>,

    /// GitLab: the id of the group or user that the project is in; can be repeated
    #[arg(
        long,
        value_name = "ID",
        required_if_eq("gitlab", "true"),
        conflicts_with_all = ["github", "kubernetes", "generic"]
    )]
    pub(crate) namespace_id: Vec<String>,

    /// GitLab: `branch` or `tag`
    #[arg(long, value_name = "TYPE", conflicts_with_all = ["github", "kubernetes", "generic"])]
    pub(crate) ref_type: Vec<String>,

    /// GitHub and GitLab: the branch or tag; can be repeated
    #[arg(long = "ref", value_name = "REF")]
    pub(crate) git_ref: Vec<String>,

    /// GitHub and GitLab: the deployment environment; can be repeated
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Vec<String>,

    /// Kubernetes: the uid of the service account; can be repeated
    #[arg(
        long,
        value_name = "UID",
        required_if_eq("kubernetes", "true"),
        conflicts_with_all = ["github", "gitlab", "generic"]
    )]
    pub(crate) service_account_uid: Vec<String>,

    /// Kubernetes: the namespace of the service account; can be repeated
    #[arg(long, value_name = "NAME", conflicts_with_all = ["github", "gitlab", "generic"])]
    pub(crate) namespace: Vec<String>,

    /// Others: the subject of the tokens; can be repeated
    #[arg(
        long,
        value_name = "SUB",
        required_if_eq("generic", "true"),
        conflicts_with_all = ["github", "gitlab", "kubernetes"]
    )]
    pub(crate) subject: Vec<String>,

    /// What any other claim of the token must be; can be repeated; `/` leads into a claim, as in
    /// `kubernetes.io/node/name=n1`
    #[arg(long, value_name = "CLAIM=VALUE", value_parser = condition)]
    pub(crate) condition: Vec<(String, String)>,

    /// GitHub: also accept jobs that run for pull requests from elsewhere with the rights of the
    /// repository
    #[arg(long, conflicts_with_all = ["gitlab", "kubernetes", "generic"])]
    pub(crate) allow_pull_request_target: bool,

    /// The keys of the issuer in a file on the server, which then does not fetch them
    #[arg(long, value_name = "FILE")]
    pub(crate) jwks_file: Option<String>,

    /// How long a token of plura lasts that is given for one of theirs
    #[arg(long, value_name = "DURATION")]
    pub(crate) token_lifetime: Option<PositiveSpan>,

    /// What the tokens allow; can be repeated
    #[arg(long, value_name = "ROLE", required_unless_present = "file")]
    pub(crate) role: Vec<Role>,

    /// In this project; otherwise everywhere
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,

    /// Only in repositories like this: `*` is any part of a name between slashes, `**` any part
    #[arg(long, value_name = "PATTERN")]
    pub(crate) repositories: Option<String>,
}

fn condition(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(claim, _)| !claim.is_empty());
    let (claim, value) =
        pair.ok_or(format!("expected a claim and a value such as \"sub=deploy\", found {text:?}"))?;
    Ok((claim.to_owned(), value.to_owned()))
}
