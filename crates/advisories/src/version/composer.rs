//! Composer: a version is brought into its normal form, four numbers and a stability, as
//! `VersionParser::normalize` does, and then ordered as PHP's `version_compare` does.

use super::{
    Parsed,
    key::{KeyWriter, take, take_digits, take_while},
};

/// `version_compare`'s ranks. Nothing at all is between a release candidate and a number.
const DEV: u8 = 1;
const ALPHA: u8 = 2;
const BETA: u8 = 3;
const CANDIDATE: u8 = 4;
const END: u8 = 5;
const NUMBER: u8 = 6;
const PATCH: u8 = 7;

pub(super) fn key(version: &str) -> Parsed {
    let lower = version.trim().to_ascii_lowercase();
    let text = without_flags(&lower);
    if text.starts_with("dev-") || ["master", "trunk", "default"].contains(&text) {
        return Err("a branch has no place among versions");
    }
    let mut key = KeyWriter::default();
    let text = text.strip_prefix('v').unwrap_or(text);
    if let Some(branch) = branch(text) {
        numbers(&mut key, &branch);
        key.tag(DEV);
    } else {
        let rest = release(&mut key, text)?;
        modifiers(&mut key, rest)?;
    }
    key.tag(END);
    Ok(key.finish())
}

/// Without an alias (`x as y`), a stability flag (`@beta`) and build metadata (`+build`).
fn without_flags(text: &str) -> &str {
    let text = text.split_once(" as ").map_or(text, |(version, _)| version.trim_end());
    let text = text.split_once('@').map_or(text, |(version, _)| version);
    text.split_once('+').map_or(text, |(version, _)| version)
}

/// `2.x-dev`: the branch stands behind everything released from it.
fn branch(text: &str) -> Option<Vec<String>> {
    let name = text.strip_suffix("-dev").or_else(|| text.strip_suffix(".dev"))?;
    if !name.contains(['x', '*']) {
        return None;
    }
    let mut parts: Vec<String> = Vec::new();
    for part in name.split('.') {
        let number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let wild = part == "x" || part == "*";
        if !(number || wild) || parts.len() == 4 {
            return None;
        }
        parts.push(if wild { "9999999".into() } else { part.into() });
    }
    parts.resize(4, "9999999".into());
    Some(parts)
}

/// One to four numbers with dots, or a date whose parts have any separator; answers what follows.
fn release<'a>(key: &mut KeyWriter, mut text: &'a str) -> Result<&'a str, &'static str> {
    let mut parts = vec![take_digits(&mut text).to_owned()];
    if parts[0].is_empty() {
        return Err("it does not begin with a number");
    }
    let dated = parts[0].len() >= 4;
    let mut dots = true;
    loop {
        let separated = text.starts_with('.') || dated && text.starts_with(['-', ':']);
        let behind = text.get(1..).unwrap_or_default();
        if !separated || !behind.starts_with(|c: char| c.is_ascii_digit()) {
            break;
        }
        dots &= text.starts_with('.');
        text = behind;
        parts.push(take_digits(&mut text).to_owned());
    }
    // A date is kept as it is, unless it could be a version of four numbers as well.
    if dots && parts.len() <= 4 && parts[0].len() <= 5 {
        parts.resize(4, "0".into());
    } else if !dated {
        return Err("there are more than four numbers");
    }
    numbers(key, &parts);
    Ok(text)
}

fn numbers(key: &mut KeyWriter, parts: &[String]) {
    for part in parts {
        key.tag(NUMBER);
        key.number(part);
    }
}

/// `-beta2`, `RC1-dev`, `-p3`: a stability with its numbers, then perhaps `dev`.
fn modifiers(key: &mut KeyWriter, mut text: &str) -> Result<(), &'static str> {
    if text.is_empty() {
        return Ok(());
    }
    separator(&mut text);
    let rank = match take_while(&mut text, |byte| byte.is_ascii_alphabetic()) {
        "stable" => return if text.is_empty() { Ok(()) } else { Err(UNKNOWN) },
        "dev" if text.is_empty() => {
            key.tag(DEV);
            return Ok(());
        }
        "alpha" | "a" => ALPHA,
        "beta" | "b" => BETA,
        "rc" => CANDIDATE,
        "patch" | "pl" | "p" => PATCH,
        _ => return Err(UNKNOWN),
    };
    key.tag(rank);
    stability_numbers(key, &mut text);
    if text.is_empty() {
        return Ok(());
    }
    separator(&mut text);
    if text != "dev" {
        return Err(UNKNOWN);
    }
    key.tag(DEV);
    Ok(())
}

const UNKNOWN: &str = "expected numbers, then a stability such as `-beta2`, `-RC1` or `-dev`";

fn separator(text: &mut &str) {
    *text = text.strip_prefix(['-', '.', '_']).unwrap_or(text);
}

fn stability_numbers(key: &mut KeyWriter, text: &mut &str) {
    loop {
        let mut rest = *text;
        let _ = take(&mut rest, ".") || take(&mut rest, "-");
        let digits = take_digits(&mut rest);
        if digits.is_empty() {
            return;
        }
        key.tag(NUMBER);
        key.number(digits);
        *text = rest;
    }
}
