//! Semantic Versioning 2.0.0, section 11, read as OSV's tools read it: a leading `v` is nothing, and
//! there may be fewer or more than three numbers.

use super::{
    Parsed,
    key::{KeyWriter, is_number, take, take_digits},
};

const PRERELEASE: u8 = 1;
const RELEASE: u8 = 2;
const COMPONENT: u8 = 3;

const END_OF_LABELS: u8 = 0;
const NUMERIC_LABEL: u8 = 1;
const LABEL: u8 = 2;

pub(super) fn key(version: &str) -> Parsed {
    let mut text = version;
    take(&mut text, "v");
    let mut key = KeyWriter::default();
    components(&mut key, &mut text)?;
    match text.strip_prefix('-') {
        Some(rest) => prerelease(&mut key, without_build(rest))?,
        None if text.is_empty() || text.starts_with('+') => key.tag(RELEASE),
        None => return Err("expected numbers with dots, then `-` or `+`"),
    }
    Ok(key.finish())
}

/// `=v1.2.3beta` is a version too, of which `beta` is the prerelease.
pub(super) fn loose_key(version: &str) -> Parsed {
    let mut text = version.trim().trim_start_matches(['=', 'v', ' ']);
    let mut key = KeyWriter::default();
    components(&mut key, &mut text)?;
    take(&mut text, "-");
    match without_build(text) {
        "" => key.tag(RELEASE),
        labels => prerelease(&mut key, labels)?,
    }
    Ok(key.finish())
}

/// Bitnami's `1.2.3-rc.1-4`: a number behind the last hyphen is no prerelease but says how often this
/// version was packaged.
pub(super) fn key_with_revision(version: &str) -> Parsed {
    let mut text = version;
    take(&mut text, "v");
    let mut key = KeyWriter::default();
    components(&mut key, &mut text)?;
    let text = without_build(text);
    let (labels, revision) = match text.rsplit_once('-') {
        Some((labels, revision)) if is_number(revision) => (labels, revision),
        _ => (text, "0"),
    };
    match labels.strip_prefix('-') {
        Some(labels) => prerelease(&mut key, labels)?,
        None if labels.is_empty() => key.tag(RELEASE),
        None => return Err("expected numbers with dots, then `-` or `+`"),
    }
    key.number(revision);
    Ok(key.finish())
}

/// Numbers with dots between them; zeros at the end are nothing.
pub(super) fn components(key: &mut KeyWriter, text: &mut &str) -> Result<(), &'static str> {
    let mut numbers = Vec::new();
    loop {
        let digits = take_digits(text);
        if digits.is_empty() {
            return Err("expected numbers with dots between them");
        }
        numbers.push(digits);
        if !take(text, ".") {
            break;
        }
    }
    let is_zero = |digits: &&str| digits.bytes().all(|byte| byte == b'0');
    let kept = numbers.iter().rposition(|digits| !is_zero(digits)).map_or(0, |last| last + 1);
    for digits in &numbers[..kept] {
        key.tag(COMPONENT);
        key.number(digits);
    }
    Ok(())
}

pub(super) fn release(key: &mut KeyWriter) {
    key.tag(RELEASE);
}

pub(super) fn without_build(text: &str) -> &str {
    text.split_once('+').map_or(text, |(version, _)| version)
}

/// Labels with dots between them: numbers numerically and before others, fewer before more.
pub(super) fn prerelease(key: &mut KeyWriter, labels: &str) -> Result<(), &'static str> {
    key.tag(PRERELEASE);
    for label in labels.split('.') {
        if label.is_empty() {
            return Err("a label of the prerelease is empty");
        }
        if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err("a prerelease consists of letters, digits and hyphens");
        }
        if is_number(label) {
            key.tag(NUMERIC_LABEL);
            key.number(label);
        } else {
            key.tag(LABEL);
            key.text(label);
        }
    }
    key.tag(END_OF_LABELS);
    Ok(())
}
