//! `plura trust policy`, `plura trust root` and `plura trust key`: whose signatures count.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use reqwest::Url;

use super::{OutputArgs, ServerArgs};
use crate::predicate::PredicateType;
use crate::signing_key::KeyPlace;

/// What can be done about trust policies.
#[derive(Debug, Subcommand)]
pub(crate) enum TrustPolicyCommand {
    /// List trust policies
    #[command(after_help = LIST_HELP)]
    List(PolicyListArgs),

    /// Show a trust policy
    #[command(after_help = SHOW_HELP)]
    Show(PolicyArgs),

    /// Put a trust policy in force
    #[command(after_help = SET_HELP)]
    Set(Box<PolicySetArgs>),

    /// Take a trust policy out of force
    #[command(after_help = REMOVE_HELP)]
    Remove(PolicyArgs),

    /// Say whether a trust policy is valid, without a server
    #[command(after_help = CHECK_HELP)]
    Check(PolicyCheckArgs),
}

const LIST_HELP: &str = "\
Example:
  plura trust policy list";

/// How to list trust policies
#[derive(Debug, Args)]
pub(crate) struct PolicyListArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const SHOW_HELP: &str = "\
Example:
  plura trust policy show release --json > release.json     A file for `plura trust policy set`";

const REMOVE_HELP: &str = "\
Example:
  plura trust policy remove release";

/// Which trust policy
#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// The name of the trust policy
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const SET_HELP: &str = "\
A trust policy says whose signatures count in which repositories, and how many different signers it takes. \
It is read from a file, JSON or TOML, that has its name in it; or made of the options here, which are then \
all it says. A policy of that name is replaced, and everything that it is about is verified anew.

Examples:
  plura trust policy set release.toml
  plura trust policy set release --repositories 'apps/**' --key release=release.pub
  plura trust policy set release --repositories 'apps/**' --key release=vault://transit/release
  plura trust policy set both --repositories 'apps/**' --key a.pub --key b.pub --required 2
  plura trust policy set ci --repositories 'apps/web' --identity ci \\
      --issuer https://token.actions.githubusercontent.com \\
      --subject https://github.com/acme/web/.github/workflows/release.yml@refs/heads/main";

/// What to put in force
#[derive(Debug, Args)]
pub(crate) struct PolicySetArgs {
    /// The file, `-` being standard input; or the name, where options say the rest
    #[arg(value_name = "FILE|NAME")]
    pub(crate) policy: String,

    /// For repositories like this: `*` is any part of a name between slashes, `**` any part; can be
    /// repeated
    #[arg(long, value_name = "PATTERN", requires = "trusted")]
    pub(crate) repositories: Vec<String>,

    #[command(flatten)]
    pub(crate) trusted: TrustedArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const CHECK_HELP: &str = "\
Exit status: 0 valid, 1 not, 2 it cannot be read as one.

Example:
  plura trust policy check release.toml";

/// What to check
#[derive(Debug, Args)]
pub(crate) struct PolicyCheckArgs {
    /// The trust policy in JSON or TOML; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Whose signatures count, as options say it.
#[derive(Debug, Args)]
#[group(id = "trusted", multiple = true)]
pub(crate) struct TrustedArgs {
    /// Trust a public key, whose holder is called NAME: a file in PEM, or `vault://[MOUNT/]KEY`; can be
    /// repeated
    #[arg(long = "key", value_name = "[NAME=]KEY")]
    pub(crate) keys: Vec<NamedKey>,

    /// What to call the identity that the next options describe
    #[arg(long, value_name = "NAME")]
    pub(crate) identity: Option<String>,

    /// Trust an identity that this issuer vouches for
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,

    /// The issuer as an anchored pattern: `^https://.*\.example\.com$`
    #[arg(long, value_name = "PATTERN", conflicts_with = "issuer")]
    pub(crate) issuer_pattern: Option<String>,

    /// Who the identity is: a workflow, an email address, a SPIFFE ID
    #[arg(long, value_name = "TEXT")]
    pub(crate) subject: Option<String>,

    /// Who the identity is, as an anchored pattern
    #[arg(long, value_name = "PATTERN", conflicts_with = "subject")]
    pub(crate) subject_pattern: Option<String>,

    /// How many different signers it takes; otherwise 1
    #[arg(long, value_name = "N")]
    pub(crate) required: Option<usize>,

    /// A statement that must be there, signed by somebody trusted: a type as for `plura attest`; can be
    /// repeated
    #[arg(long = "attestation", value_name = "TYPE")]
    pub(crate) attestations: Vec<PredicateType>,
}

impl TrustedArgs {
    /// Whether nothing is said.
    pub(crate) fn is_empty(&self) -> bool {
        let nobody = self.keys.is_empty() && !self.has_identity();
        nobody && self.required.is_none() && self.attestations.is_empty()
    }

    /// Whether an identity is described.
    pub(crate) fn has_identity(&self) -> bool {
        let all = [
            &self.identity,
            &self.issuer,
            &self.issuer_pattern,
            &self.subject,
            &self.subject_pattern,
        ];
        all.into_iter().any(Option::is_some)
    }
}

/// A public key, and who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedKey {
    /// The holder; if none is named, what the key is called where it is.
    pub(crate) name: String,
    /// Where it is.
    pub(crate) place: KeyPlace,
}

impl FromStr for NamedKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = text.split_once('=').filter(|(name, _)| !name.contains('/'));
        let place: KeyPlace = named.map_or(text, |(_, place)| place).parse()?;
        let own = match &place {
            KeyPlace::File(path) => {
                path.file_stem().map(|stem| stem.to_string_lossy().into_owned())
            }
            KeyPlace::Transit { name, .. } => Some(name.clone()),
        };
        let name = named.map(|(name, _)| name.to_owned()).or(own).unwrap_or_default();
        if name.is_empty() {
            return Err(format!("expected a key such as \"release=release.pub\", found {text:?}"));
        }
        Ok(Self { name, place })
    }
}

/// What can be done about the trust root.
#[derive(Debug, Subcommand)]
pub(crate) enum TrustRootCommand {
    /// Show who vouches for identities: certificate authorities, logs, timestamp authorities
    #[command(after_help = ROOT_SHOW_HELP)]
    Show(RootArgs),

    /// Put another trust root in force
    #[command(after_help = ROOT_SET_HELP)]
    Set(RootSetArgs),

    /// Put in force what its publisher says now
    #[command(after_help = ROOT_UPDATE_HELP)]
    Update(RootUpdateArgs),

    /// Go back to the trust root of Sigstore's public services that plura brings along
    #[command(after_help = ROOT_RESET_HELP)]
    Reset(RootArgs),
}

const ROOT_SHOW_HELP: &str = "\
Example:
  plura trust root show";

const ROOT_SET_HELP: &str = "\
The file is a `trusted_root.json`, as `cosign trusted-root create` writes it and Sigstore publishes it. \
Everything is verified anew.

Example:
  plura trust root set trusted_root.json";

const ROOT_UPDATE_HELP: &str = "\
The trust root is the `trusted_root.json` in a repository of The Update Framework (TUF), verified from its \
first root: Sigstore's, which plura brings along, or the one of `--first-root`. It is fetched from here, not \
by the server, which needs no way out. What was seen is remembered, so that no mirror can go back to what \
was withdrawn.

Examples:
  plura trust root update
  plura trust root update --mirror ./tuf-mirror --dry-run
  plura trust root update --mirror https://tuf.example.com --first-root root.json";

const ROOT_RESET_HELP: &str = "\
Example:
  plura trust root reset";

/// How to print the trust root
#[derive(Debug, Args)]
pub(crate) struct RootArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What to put in force
#[derive(Debug, Args)]
pub(crate) struct RootSetArgs {
    /// The trust root; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) root: RootArgs,
}

/// What to put in force, and how it is verified
#[derive(Debug, Args)]
pub(crate) struct RootUpdateArgs {
    /// The repository: its URL, or a directory that it was copied to
    #[arg(
        long,
        value_name = "URL|DIR",
        env = "PLURA_TUF_MIRROR",
        default_value = "https://tuf-repo-cdn.sigstore.dev"
    )]
    pub(crate) mirror: Mirror,

    /// The first root of the repository, if it is not Sigstore's
    #[arg(long, value_name = "FILE")]
    pub(crate) first_root: Option<PathBuf>,

    /// Where to remember what was seen, instead of `plura/tuf` in your cache directory
    #[arg(long, value_name = "DIR")]
    pub(crate) cache: Option<PathBuf>,

    /// Only say what is published; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) root: RootArgs,
}

/// Where a repository is.
#[derive(Debug, Clone)]
pub(crate) enum Mirror {
    Web(Url),
    Directory(PathBuf),
}

impl FromStr for Mirror {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str =
            "expected an http:// or https:// URL without a login, or a directory";
        if !text.contains("://") {
            return Ok(Self::Directory(PathBuf::from(text)));
        }
        let url: Url = text.parse().map_err(|_| EXPECTED)?;
        let is_plain = matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if is_plain { Ok(Self::Web(url)) } else { Err(EXPECTED) }
    }
}

const KEY_HELP: &str = "\
The private key is NAME.key, encrypted as cosign does it and readable by you only; the public key is \
NAME.pub. Files that exist are not touched. The password is that of `COSIGN_PASSWORD` or \
`--password-file`, or asked for.

Examples:
  plura trust key release
  plura trust policy set release --repositories 'apps/**' --key release.pub";

/// Where to put the keys
#[derive(Debug, Args)]
#[command(after_help = KEY_HELP)]
pub(crate) struct TrustKeyArgs {
    /// The files, without `.key` and `.pub`
    #[arg(value_name = "NAME")]
    pub(crate) name: PathBuf,

    /// Read the password from the first line of this file
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_named_or_have_a_name_where_they_are() {
        let transit = KeyPlace::Transit { mount: "transit".to_owned(), name: "b".to_owned() };
        for (text, name, place) in [
            ("release=a/b.pub", "release", KeyPlace::File("a/b.pub".into())),
            ("a/b.pub", "b", KeyPlace::File("a/b.pub".into())),
            ("./a=b/c.pub", "c", KeyPlace::File("./a=b/c.pub".into())),
            ("release=vault://b", "release", transit.clone()),
            ("vault://transit/b", "b", transit),
        ] {
            assert_eq!(text.parse(), Ok(NamedKey { name: name.to_owned(), place }), "{text}");
        }
        for text in ["", "=a", "a=", "..", "a=kms://b"] {
            assert!(text.parse::<NamedKey>().is_err(), "{text}");
        }
    }
}
