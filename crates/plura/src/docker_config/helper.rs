//! Credential helpers: programs called `docker-credential-NAME` that keep logins for docker.
//!
//! One word is the argument (`get`, `store`, `erase`), the rest goes through standard input and
//! output, so that secrets are in no list of processes.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, anyhow, bail, ensure};
use serde::Deserialize;
use serde_json::json;

use super::Credentials;
use crate::exit::Hint;
use crate::secret::Secret;
use crate::table::printable;

/// The user name that stands for: the secret is an identity token.
const TOKEN: &str = "<token>";

/// What a helper may print at most.
const LONGEST: u64 = 1024 * 1024;

/// What helpers say when they have nothing; it is the same for all of them.
const NOT_FOUND: &str = "credentials not found";

/// A helper, and the search path on which it is looked for, if that is not ours.
#[derive(Debug)]
pub(super) struct Helper<'a> {
    pub(super) name: &'a str,
    pub(super) search: Option<&'a OsStr>,
}

/// What helpers answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Kept {
    username: String,
    secret: String,
}

impl Helper<'_> {
    /// What the helper keeps for a registry.
    pub(super) fn get(&self, key: &str) -> anyhow::Result<Option<Credentials>> {
        let Some(output) = self.ask("get", key, None)? else { return Ok(None) };
        // What the parser would say about the answer is kept back: it may quote a secret.
        let kept: Kept = serde_json::from_str(&output).map_err(|_| {
            anyhow!("`{} get` answered something else than a login", self.program())
        })?;
        let (name, secret) = (kept.username, Secret::new(kept.secret));
        Ok(match name.as_str() {
            TOKEN => Some(Credentials::IdentityToken { name: None, token: secret }),
            _ if name.is_empty() && secret.is_empty() => None,
            _ => Some(Credentials::Password { name, password: secret }),
        })
    }

    /// Has the helper keep a login.
    pub(super) fn store(&self, key: &str, credentials: &Credentials) -> anyhow::Result<()> {
        let (name, secret) = match credentials {
            Credentials::Password { name, password } => (name.as_str(), password),
            Credentials::IdentityToken { token, .. } => (TOKEN, token),
        };
        let login = json!({ "ServerURL": key, "Username": name, "Secret": secret.expose() });
        self.ask("store", &login.to_string(), Some(secret)).map(drop)
    }

    /// Has the helper forget a login, and says whether it had one.
    pub(super) fn erase(&self, key: &str) -> anyhow::Result<bool> {
        Ok(self.ask("erase", key, None)?.is_some())
    }

    fn program(&self) -> String {
        format!("docker-credential-{}", self.name)
    }

    /// Runs the helper; nothing if it says that it has no such login. What it says otherwise is
    /// passed on unless it repeats the secret.
    fn ask(
        &self,
        action: &str,
        input: &str,
        secret: Option<&Secret>,
    ) -> anyhow::Result<Option<String>> {
        let program = self.program();
        // The name comes from a file. It names a program on the search path, never a path.
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        ensure!(self.name.chars().all(plain), "{:?} is not a credential helper", self.name);
        let (status, output) = match self.run(&program, action, input) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let error = anyhow!("the credential helper `{program}` is not installed");
                return Err(error).hint(missing(self.name));
            }
            result => result.with_context(|| format!("cannot run `{program} {action}`"))?,
        };
        if status.success() {
            return Ok(Some(output));
        }
        if output.to_lowercase().contains(NOT_FOUND) {
            return Ok(None);
        }
        let repeats = secret.is_some_and(|secret| output.contains(secret.expose()));
        bail!("`{program} {action}` failed{}", if repeats { String::new() } else { said(&output) });
    }

    fn run(&self, program: &str, action: &str, input: &str) -> io::Result<(ExitStatus, String)> {
        let mut command = Command::new(program);
        if let Some(search) = self.search {
            command.env("PATH", search);
        }
        // Standard error stays the user's: helpers ask there to unlock what they keep.
        let mut child = command.arg(action).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A helper may answer without having read anything.
            match stdin.write_all(input.as_bytes()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
                _ => {}
            }
        }
        let mut output = Vec::new();
        if let Some(stdout) = child.stdout.take() {
            stdout.take(LONGEST).read_to_end(&mut output)?;
        }
        let status = child.wait()?;
        Ok((status, String::from_utf8_lossy(&output).trim().to_owned()))
    }
}

fn said(output: &str) -> String {
    let line = output.lines().next().unwrap_or_default();
    let line: String = printable(line).chars().take(200).collect();
    if line.is_empty() { line } else { format!(": {line}") }
}

fn missing(name: &str) -> String {
    format!(
        "install it, or take `{name}` out of `credsStore` or `credHelpers` in docker's config.json"
    )
}
