//! `plura trust key`.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use plura_trust::PrivateKey;
use serde_json::json;

use crate::cli::TrustKeyArgs;
use crate::exit::{ExitStatus, Hint, SaidNo};
use crate::printer::Printer;
use crate::signing_key::new_password;

/// Whoever else is on the machine is not to read it.
const PRIVATE: u32 = 0o600;
const PUBLIC: u32 = 0o644;

pub(super) fn run(args: &TrustKeyArgs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let (private, public) = (with(&args.name, ".key"), with(&args.name, ".pub"));
    // Asked before a password is typed.
    for path in [&private, &public] {
        if path.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
    }
    let password = new_password(args.password_file.as_deref(), printer)?;
    let key = PrivateKey::generate()?;
    let pem = key.to_encrypted_pem(password.expose().as_bytes())?;
    write_new(&private, PRIVATE, pem.as_bytes())?;
    if let Err(error) = write_new(&public, PUBLIC, key.public_key().to_pem().as_bytes()) {
        // Half of a pair would be in the way of the next try.
        drop(fs::remove_file(&private));
        return Err(error);
    }
    let fingerprint = key.public_key().fingerprint();
    if args.output.json {
        let (private, public) = (private.to_string_lossy(), public.to_string_lossy());
        printer.json(&json!({
            "private_key": private, "public_key": public, "fingerprint": fingerprint,
        }))?;
    }
    let (private, public) = (private.display(), public.display());
    printer.note(format_args!("wrote `{private}`, which signs, and `{public}`, which verifies"));
    Ok(ExitStatus::Done)
}

/// The name with something behind it; what looks like an extension already is a part of it.
fn with(name: &Path, end: &str) -> PathBuf {
    let mut name: OsString = name.as_os_str().to_owned();
    name.push(end);
    PathBuf::from(name)
}

fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> anyhow::Result<()> {
    let open = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let written = open.and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    match written {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists(path)),
        other => other.with_context(|| format!("cannot write `{}`", path.display())),
    }
}

fn exists(path: &Path) -> anyhow::Error {
    let text = format!("`{}` exists, and is left as it is", path.display());
    let refused: anyhow::Result<()> = Err(SaidNo(text)).hint("choose another name");
    refused.err().unwrap_or_else(|| anyhow!("it exists"))
}
