//! `apk_version_compare` of apk-tools 3: `1.2.3b_alpha4_p5~abcdef-r6`. Version 2 differs in components
//! with a leading zero only, of which 1.010 was more than 1.09.

use super::{
    Parsed,
    key::{KeyWriter, take, take_digits, take_while},
};

/// What may follow a common beginning, in ascending order. A suffix that announces a release sorts
/// before the end, and everything else behind it.
mod tag {
    pub(super) const SUFFIXES_BEFORE: [(&str, u8); 4] =
        [("alpha", 1), ("beta", 2), ("pre", 3), ("rc", 4)];
    pub(super) const END: u8 = 5;
    pub(super) const REVISION: u8 = 6;
    pub(super) const COMMIT: u8 = 7;
    pub(super) const SUFFIX_NUMBER: u8 = 8;
    pub(super) const SUFFIXES_BEHIND: [(&str, u8); 5] =
        [("cvs", 9), ("svn", 10), ("git", 11), ("hg", 12), ("p", 13)];
    pub(super) const LETTER: u8 = 14;
    pub(super) const NUMBER: u8 = 15;
}

/// A component with a leading zero is compared as text, and is less than one without.
const WITH_LEADING_ZERO: u8 = 0;
const WITHOUT: u8 = 1;

pub(super) fn key(version: &str) -> Parsed {
    let mut text = version;
    let mut key = KeyWriter::default();
    let first = take_digits(&mut text);
    if first.is_empty() {
        return Err("it does not begin with a number");
    }
    key.number(first);
    components(&mut key, &mut text)?;
    letter(&mut key, &mut text)?;
    while take(&mut text, "_") {
        suffix(&mut key, &mut text)?;
    }
    commit(&mut key, &mut text)?;
    revision(&mut key, &mut text)?;
    if !text.is_empty() {
        return Err("it goes on behind what apk reads as a version");
    }
    key.tag(tag::END);
    Ok(key.finish())
}

fn components(key: &mut KeyWriter, text: &mut &str) -> Result<(), &'static str> {
    while take(text, ".") {
        let digits = take_digits(text);
        if digits.is_empty() {
            return Err("a dot is not followed by a number");
        }
        key.tag(tag::NUMBER);
        if digits.starts_with('0') {
            key.tag(WITH_LEADING_ZERO);
            key.text(digits);
        } else {
            key.tag(WITHOUT);
            key.number(digits);
        }
    }
    Ok(())
}

/// One letter; apk-tools 2 also took numbers and letters behind it.
fn letter(key: &mut KeyWriter, text: &mut &str) -> Result<(), &'static str> {
    while text.starts_with(|c: char| c.is_ascii_lowercase()) {
        let letters = take_while(text, |byte| byte.is_ascii_lowercase());
        let [letter] = letters.as_bytes() else {
            return Err("there is more than one letter behind a number");
        };
        key.tag(tag::LETTER);
        key.tag(*letter);
        let digits = take_digits(text);
        if !digits.is_empty() {
            key.tag(tag::NUMBER);
            key.tag(WITHOUT);
            key.number(digits);
        }
    }
    Ok(())
}

fn suffix(key: &mut KeyWriter, text: &mut &str) -> Result<(), &'static str> {
    let name = take_while(text, |byte| byte.is_ascii_lowercase());
    let mut known = tag::SUFFIXES_BEFORE.iter().chain(&tag::SUFFIXES_BEHIND);
    let Some((_, tag)) = known.find(|(known, _)| *known == name) else {
        return Err("the suffix behind `_` is none that apk knows");
    };
    key.tag(*tag);
    let digits = take_digits(text);
    if !digits.is_empty() {
        key.tag(tag::SUFFIX_NUMBER);
        key.number(digits);
    }
    Ok(())
}

fn commit(key: &mut KeyWriter, text: &mut &str) -> Result<(), &'static str> {
    if take(text, "~") {
        let hash = take_while(text, |b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if hash.is_empty() {
            return Err("`~` is not followed by a commit");
        }
        key.tag(tag::COMMIT);
        key.text(hash);
    }
    Ok(())
}

fn revision(key: &mut KeyWriter, text: &mut &str) -> Result<(), &'static str> {
    if take(text, "-r") {
        let digits = take_digits(text);
        if digits.is_empty() {
            return Err("`-r` is not followed by a number");
        }
        key.tag(tag::REVISION);
        key.number(digits);
    }
    Ok(())
}
