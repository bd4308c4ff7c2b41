//! `NuGetVersion`: up to four numbers, then labels that are compared without case.

use super::{Parsed, key::KeyWriter, semver};

pub(super) fn key(version: &str) -> Parsed {
    let lower = version.trim().to_ascii_lowercase();
    let mut text = lower.as_str();
    let mut key = KeyWriter::default();
    semver::components(&mut key, &mut text)?;
    let numbers = lower.len() - text.len();
    if lower[..numbers].matches('.').count() > 3 {
        return Err("there are more than four numbers");
    }
    match text.strip_prefix('-') {
        Some(labels) => semver::prerelease(&mut key, semver::without_build(labels))?,
        None if text.is_empty() || text.starts_with('+') => semver::release(&mut key),
        None => return Err("expected at most four numbers with dots, then `-` or `+`"),
    }
    Ok(key.finish())
}
