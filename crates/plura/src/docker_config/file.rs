//! The file itself: read as a document, of which only what we know is touched.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::Credentials;
use super::host::{key_of, names};
use crate::exit::Hint;
use crate::secret::Secret;

/// What the file may have at most.
const LONGEST: u64 = 16 * 1024 * 1024;

/// As many links as the kernel follows.
const MOST_LINKS: usize = 40;

/// A file with logins. Its fields that we do not know stay as they are.
pub(super) struct ConfigFile {
    path: PathBuf,
    document: Map<String, Value>,
}

impl ConfigFile {
    /// Reads the file; one that is not there is empty.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let failed = || format!("cannot read `{}`", path.display());
        let mut text = Vec::new();
        match File::open(path) {
            Ok(file) => {
                file.take(LONGEST + 1).read_to_end(&mut text).with_context(failed)?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(failed),
        }
        ensure!(text.len() as u64 <= LONGEST, "`{}` is too large", path.display());
        let document = if text.trim_ascii().is_empty() { Ok(Map::new()) } else { parse(&text) };
        let document = document
            .with_context(failed)
            .hint("repair the file, or move it away; docker, podman and plura share it")?;
        Ok(Self { path: path.to_owned(), document })
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The helper that keeps the logins of a registry, if not the file does.
    pub(super) fn helper(&self, host: &str) -> Option<&str> {
        let own = self.table("credHelpers").find(|(key, _)| names(key, host));
        let helper = own.map(|(_, name)| name).or_else(|| self.document.get("credsStore"));
        helper.and_then(Value::as_str).filter(|name| !name.is_empty())
    }

    /// The login that the file itself has for a registry.
    pub(super) fn credentials(&self, host: &str) -> anyhow::Result<Option<Credentials>> {
        let exact = self.table("auths").find(|(key, _)| *key == key_of(host));
        let entry = exact.or_else(|| self.table("auths").find(|(key, _)| names(key, host)));
        let Some((_, entry)) = entry else { return Ok(None) };
        decode(entry)
            .with_context(|| format!("the login of {host} in `{}`", self.path.display()))
            .hint(format!("log in again: plura login {host}"))
    }

    /// Puts a login into the file, or, without one, the note that a helper keeps it.
    pub(super) fn insert(&mut self, host: &str, credentials: Option<&Credentials>) {
        let auths = self.document.entry("auths").or_insert_with(|| json!({}));
        if !auths.is_object() {
            *auths = json!({});
        }
        if let Value::Object(auths) = auths {
            auths.retain(|key, _| !names(key, host));
            auths.insert(key_of(host).to_owned(), credentials.map_or(json!({}), encode));
        }
    }

    /// Takes everything about a registry out of the file, and says whether there was anything.
    pub(super) fn remove(&mut self, host: &str) -> bool {
        let Some(Value::Object(auths)) = self.document.get_mut("auths") else { return false };
        let before = auths.len();
        auths.retain(|key, _| !names(key, host));
        auths.len() < before
    }

    /// Writes the file: all of it or nothing, for its owner alone. Behind a symbolic link it is the
    /// target that is replaced, for the link is somebody's way to keep the file elsewhere.
    pub(super) fn write(&self) -> anyhow::Result<()> {
        let failed = || format!("cannot write `{}`", self.path.display());
        let target = behind_links(&self.path).with_context(failed)?;
        let directory = target.parent().with_context(failed)?;
        let mut builder = DirBuilder::new();
        builder.recursive(true).mode(0o700).create(directory).with_context(failed)?;
        let mut file = tempfile::Builder::new()
            .prefix(".config.json.")
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(directory)
            .with_context(failed)?;
        file.write_all(&self.text()?).with_context(failed)?;
        file.as_file().sync_all().with_context(failed)?;
        file.persist(&target).map_err(|error| error.error).with_context(failed)?;
        Ok(())
    }

    /// Indented by tabs, as docker does, so that the file does not change more than it has to.
    fn text(&self) -> anyhow::Result<Vec<u8>> {
        let mut text = Vec::new();
        let tabs = serde_json::ser::PrettyFormatter::with_indent(b"\t");
        let mut writer = serde_json::Serializer::with_formatter(&mut text, tabs);
        serde::Serialize::serialize(&self.document, &mut writer).context("cannot print as JSON")?;
        text.push(b'\n');
        Ok(text)
    }

    fn table(&self, name: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.document.get(name).and_then(Value::as_object).into_iter().flatten()
    }
}

/// Errors of the parser name a line and a column; what is there they do not quote.
fn parse(text: &[u8]) -> anyhow::Result<Map<String, Value>> {
    match serde_json::from_slice(text)? {
        Value::Object(document) => Ok(document),
        _ => Err(anyhow!("it is JSON, but no object")),
    }
}

/// The path of the file itself, whether it exists or not.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match std::fs::read_link(&path) {
            // A relative link starts where it is; an absolute one replaces the whole path.
            Ok(next) => path = path.parent().unwrap_or(Path::new("")).join(next),
            Err(_) => return Ok(path),
        }
    }
    Err(io::Error::other("too many symbolic links"))
}

fn encode(credentials: &Credentials) -> Value {
    match credentials {
        Credentials::Password { name, password } => {
            json!({ "auth": BASE64_STANDARD.encode(format!("{name}:{}", password.expose())) })
        }
        Credentials::IdentityToken { name, token } => {
            let name = name.as_deref().unwrap_or_default();
            let auth = BASE64_STANDARD.encode(format!("{name}:"));
            json!({ "auth": auth, "identitytoken": token.expose() })
        }
    }
}

fn decode(entry: &Value) -> anyhow::Result<Option<Credentials>> {
    let text = |name: &str| entry[name].as_str().filter(|text| !text.is_empty());
    let pair = match text("auth") {
        Some(auth) => Some(decode_pair(auth).context("`auth` is not the base64 of NAME:PASSWORD")?),
        None => text("username")
            .map(|name| (name.to_owned(), Secret::new(text("password").unwrap_or_default()))),
    };
    if let Some(token) = text("identitytoken") {
        let name = pair.map(|(name, _)| name).filter(|name| !name.is_empty());
        return Ok(Some(Credentials::IdentityToken { name, token: Secret::new(token) }));
    }
    Ok(pair.map(|(name, password)| Credentials::Password { name, password }))
}

fn decode_pair(auth: &str) -> Option<(String, Secret)> {
    let bytes = BASE64_STANDARD.decode(auth.trim()).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (name, password) = text.split_once(':')?;
    // Some clients pad the password.
    Some((name.to_owned(), Secret::new(password.trim_matches('\0'))))
}
