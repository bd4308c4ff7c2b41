//! Keys that sign: in a file, or kept by Vault.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::Context;
use plura_trust::{PrivateKey, PublicKey, Refusal};

use crate::cli::KeyArgs;
use crate::exit::Hint;
use crate::printer::Printer;
use crate::prompt;
use crate::secret::Secret;
use crate::text_file;
use crate::transit::TransitKey;

/// The most bytes of a private key.
const LONGEST: usize = 32 * 1024;
/// What cosign calls it, so that both are told once.
const PASSWORD: &str = "COSIGN_PASSWORD";
const DEFAULT_MOUNT: &str = "transit";

/// Where a private key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyPlace {
    /// In a file, in PEM.
    File(PathBuf),
    /// In the transit engine of Vault.
    Transit {
        /// Where the engine is mounted.
        mount: String,
        /// What the key is called there.
        name: String,
    },
}

impl FromStr for KeyPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some(path) = text.strip_prefix("vault://") else {
            if text.contains("://") || text.is_empty() {
                return Err(format!("expected a file or \"vault://transit/KEY\", found {text:?}"));
            }
            return Ok(Self::File(PathBuf::from(text)));
        };
        let (mount, name) = path.rsplit_once('/').unwrap_or((DEFAULT_MOUNT, path));
        let moves = |segment: &str| matches!(segment, "" | "." | "..");
        if moves(name) || mount.split('/').any(moves) {
            return Err(format!("expected \"vault://transit/KEY\", found {text:?}"));
        }
        Ok(Self::Transit { mount: mount.to_owned(), name: name.to_owned() })
    }
}

impl Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "`{}`", path.display()),
            Self::Transit { mount, name } => write!(f, "vault://{mount}/{name}"),
        }
    }
}

/// A key that signs.
pub(crate) enum SigningKey {
    /// It is here.
    Local(Box<PrivateKey>),
    /// It stays where it is.
    Transit(Box<TransitKey>),
}

impl SigningKey {
    /// Opens the key that was named, asking for its password if it has one.
    pub(crate) async fn open(args: &KeyArgs, printer: &Printer) -> anyhow::Result<Self> {
        match &args.key {
            KeyPlace::File(path) => {
                let key = local(path, args.password_file.as_deref(), printer);
                Ok(Self::Local(Box::new(key?)))
            }
            KeyPlace::Transit { mount, name } => {
                Ok(Self::Transit(Box::new(transit(mount, name).await?)))
            }
        }
    }

    /// The key that verifies what this one signs.
    pub(crate) fn public_key(&self) -> &PublicKey {
        match self {
            Self::Local(key) => key.public_key(),
            Self::Transit(key) => key.public_key(),
        }
    }

    /// The signature over the message.
    pub(crate) async fn sign(&self, message: &[u8]) -> anyhow::Result<Vec<u8>> {
        match self {
            Self::Local(key) => Ok(key.sign(message)?),
            Self::Transit(key) => key.sign(message).await.context("Vault does not sign"),
        }
    }
}

/// A key that Vault keeps.
pub(crate) async fn transit(mount: &str, name: &str) -> anyhow::Result<TransitKey> {
    let key = TransitKey::open(mount, name).await;
    key.with_context(|| format!("cannot use the key vault://{mount}/{name}"))
}

/// The password of a key that exists.
fn password_of(file: Option<&Path>, path: &Path, printer: &Printer) -> anyhow::Result<Secret> {
    match given_password(file)? {
        Some(password) => Ok(password),
        None => prompt::password(format_args!("Password of `{}`: ", path.display()), printer)
            .hint(format!("give it with `{PASSWORD}` or `--password-file FILE`")),
    }
}

/// The password for a key that is to be made.
pub(crate) fn new_password(file: Option<&Path>, printer: &Printer) -> anyhow::Result<Secret> {
    match given_password(file)? {
        Some(password) => Ok(password),
        None => prompt::new_password(printer)
            .hint(format!("give it with `{PASSWORD}` or `--password-file FILE`")),
    }
}

/// As for cosign, an empty password is one.
fn given_password(file: Option<&Path>) -> anyhow::Result<Option<Secret>> {
    match (file, std::env::var(PASSWORD)) {
        (Some(file), _) => prompt::secret_from_file(file).map(Some),
        (None, Ok(password)) => Ok(Some(Secret::new(password))),
        (None, Err(_)) => Ok(None),
    }
}

fn local(path: &Path, password: Option<&Path>, printer: &Printer) -> anyhow::Result<PrivateKey> {
    let pem = Secret::new(text_file::read(path, LONGEST)?);
    let failed = || format!("cannot use the key `{}`", path.display());
    let hint = "`plura trust key NAME` makes one";
    if !pem.expose().contains("-----BEGIN ENCRYPTED ") {
        return PrivateKey::from_pem(pem.expose(), None).with_context(failed).hint(hint);
    }
    let password = password_of(password, path, printer)?;
    let key = PrivateKey::from_pem(pem.expose(), Some(password.expose().as_bytes()));
    key.map_err(wrong).with_context(failed)
}

/// Of an encrypted key, the password is what is mostly wrong.
fn wrong(refusal: Refusal) -> anyhow::Error {
    let hinted: anyhow::Result<()> = Err(refusal)
        .hint(format!("is the password right? it is that of `{PASSWORD}`, if that is set"));
    hinted.err().unwrap_or_else(|| anyhow::anyhow!("the key cannot be opened"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_files_or_in_vault() {
        let transit = |mount: &str, name: &str| KeyPlace::Transit {
            mount: mount.to_owned(),
            name: name.to_owned(),
        };
        for (text, place) in [
            ("release.key", KeyPlace::File("release.key".into())),
            ("a/b.key", KeyPlace::File("a/b.key".into())),
            ("vault://release", transit("transit", "release")),
            ("vault://transit/release", transit("transit", "release")),
            ("vault://teams/a/release", transit("teams/a", "release")),
        ] {
            assert_eq!(text.parse(), Ok(place), "{text}");
        }
        for text in ["", "vault://", "vault://a/", "vault:///a", "vault://../a", "awskms://x"] {
            assert!(text.parse::<KeyPlace>().is_err(), "{text}");
        }
    }
}
