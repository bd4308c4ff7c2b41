//! Versions of Go modules, which are semantic versions (pseudo-versions too), and of the toolchain,
//! which are not: `go1.21rc2` stands for `1.21.0-rc.2`.

use super::{
    Parsed,
    key::{KeyWriter, is_number, take_while},
    semver,
};

pub(super) fn key(version: &str) -> Parsed {
    match version.strip_prefix("go") {
        Some(toolchain) => toolchain_key(toolchain),
        None => semver::key(version).or_else(|error| toolchain_key(version).map_err(|_| error)),
    }
}

/// `1.21`, `1.21.3`, `1.21rc2`, `1.21beta1`; experiments may follow behind a space or a hyphen.
fn toolchain_key(version: &str) -> Parsed {
    let mut text = version.split([' ', '-']).next().unwrap_or_default();
    let mut key = KeyWriter::default();
    semver::components(&mut key, &mut text)?;
    let stage = take_while(&mut text, |byte| byte.is_ascii_alphabetic());
    match stage {
        "" if text.is_empty() => semver::release(&mut key),
        "rc" | "beta" if is_number(text) => {
            semver::prerelease(&mut key, &format!("{stage}.{text}"))?;
        }
        _ => return Err("expected a release of Go such as `go1.21.3` or `go1.21rc2`"),
    }
    Ok(key.finish())
}
