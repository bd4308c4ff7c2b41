//! PEP 440, appendix B (the grammar) and "Summary of permitted suffixes and relative ordering".

use super::{
    Parsed,
    key::{KeyWriter, is_number, take, take_digits},
};

pub(super) fn key(version: &str) -> Parsed {
    let lower = version.trim().to_ascii_lowercase();
    let mut text = lower.as_str();
    take(&mut text, "v");
    let (public, local) = match text.split_once('+') {
        Some((public, local)) => (public, Some(local)),
        None => (text, None),
    };
    let mut key = KeyWriter::default();
    let mut text = epoch(&mut key, public);
    release(&mut key, &mut text)?;
    suffixes(&mut key, &mut text);
    if !text.is_empty() {
        return Err("expected a version of PEP 440 such as `1!2.0rc1.post2.dev3`");
    }
    local_version(&mut key, local)?;
    Ok(key.finish())
}

fn epoch<'a>(key: &mut KeyWriter, text: &'a str) -> &'a str {
    match text.split_once('!') {
        Some((epoch, rest)) if is_number(epoch) => {
            key.number(epoch);
            rest
        }
        _ => {
            key.number("0");
            text
        }
    }
}

/// Numbers with dots between them; zeros at the end are nothing.
fn release(key: &mut KeyWriter, text: &mut &str) -> Result<(), &'static str> {
    let mut numbers = vec![take_digits(text)];
    while text.starts_with('.') && text[1..].starts_with(|c: char| c.is_ascii_digit()) {
        *text = &text[1..];
        numbers.push(take_digits(text));
    }
    if numbers[0].is_empty() {
        return Err("it does not begin with a number");
    }
    let is_zero = |number: &&str| number.bytes().all(|byte| byte == b'0');
    let kept = numbers.iter().rposition(|number| !is_zero(number)).map_or(0, |last| last + 1);
    for number in &numbers[..kept] {
        key.tag(1);
        key.number(number);
    }
    key.tag(0);
    Ok(())
}

/// Prerelease, post-release and development release, each of which may be missing. A development
/// release alone comes before all prereleases.
fn suffixes(key: &mut KeyWriter, text: &mut &str) {
    const PRERELEASES: [(&str, u8); 8] = [
        ("alpha", 1),
        ("a", 1),
        ("beta", 2),
        ("b", 2),
        ("preview", 3),
        ("pre", 3),
        ("rc", 3),
        ("c", 3),
    ];
    const POST_RELEASES: [(&str, u8); 3] = [("post", 1), ("rev", 1), ("r", 1)];
    let pre = suffix(text, &PRERELEASES);
    let post = implicit_post(text).or_else(|| suffix(text, &POST_RELEASES).map(|found| found.1));
    let dev = suffix(text, &[("dev", 1)]).map(|found| found.1);
    match pre {
        Some((stage, number)) => {
            key.tag(stage);
            key.number(number);
        }
        None if post.is_none() && dev.is_some() => key.tag(0),
        None => key.tag(4),
    }
    match post {
        Some(number) => {
            key.tag(1);
            key.number(number);
        }
        None => key.tag(0),
    }
    match dev {
        Some(number) => {
            key.tag(0);
            key.number(number);
        }
        None => key.tag(1),
    }
}

/// `.rc-1`, `rc1`, `_rc`: separators are optional, and so is the number.
fn suffix<'a>(text: &mut &'a str, names: &[(&str, u8)]) -> Option<(u8, &'a str)> {
    let behind_separator = text.strip_prefix(['-', '_', '.']).unwrap_or(text);
    let found =
        names.iter().find_map(|(name, tag)| Some((tag, behind_separator.strip_prefix(name)?)));
    let (tag, mut rest) = found?;
    // A separator belongs to the suffix only if a number follows.
    if let Some(behind) = rest.strip_prefix(['-', '_', '.'])
        && behind.starts_with(|c: char| c.is_ascii_digit())
    {
        rest = behind;
    }
    let number = take_digits(&mut rest);
    *text = rest;
    Some((*tag, number))
}

/// `1.0-1` is `1.0.post1`.
fn implicit_post<'a>(text: &mut &'a str) -> Option<&'a str> {
    let mut rest = text.strip_prefix('-')?;
    let number = take_digits(&mut rest);
    if number.is_empty() {
        return None;
    }
    *text = rest;
    Some(number)
}

/// Numbers and words, the words being less; a version without is less than with.
fn local_version(key: &mut KeyWriter, local: Option<&str>) -> Result<(), &'static str> {
    let Some(local) = local else {
        key.tag(0);
        return Ok(());
    };
    key.tag(1);
    for segment in local.split(['.', '-', '_']) {
        if segment.is_empty() || !segment.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err("the local version behind `+` has a segment without letters and digits");
        }
        if is_number(segment) {
            key.tag(2);
            key.number(segment);
        } else {
            key.tag(1);
            key.text(segment);
        }
    }
    key.tag(0);
    Ok(())
}
