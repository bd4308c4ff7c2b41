//! `rpmvercmp` of rpm, for epoch, version and release as one text: `[epoch:]version[-release]`.

use super::{
    VersionKey,
    key::{KeyWriter, is_number, take, take_digits, take_while},
};

const TILDE: u8 = 1;
const END: u8 = 2;
const CARET: u8 = 3;
const LETTERS: u8 = 4;
const NUMBER: u8 = 5;

const NO_RELEASE: u8 = 0;
const RELEASE: u8 = 1;

pub(super) fn key(version: &str) -> VersionKey {
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) if epoch.is_empty() || is_number(epoch) => (epoch, rest),
        _ => ("", version),
    };
    let mut key = KeyWriter::default();
    key.number(epoch);
    if let Some((version, release)) = rest.rsplit_once('-') {
        segments(&mut key, version);
        key.tag(RELEASE);
        segments(&mut key, release);
    } else {
        // rpm takes a missing release for any; only as the lowest one is it part of an order.
        segments(&mut key, rest);
        key.tag(NO_RELEASE);
    }
    key.finish()
}

/// Runs of letters and of digits. Whatever else is between them separates and is nothing.
fn segments(key: &mut KeyWriter, mut text: &str) {
    loop {
        let separator = |c: char| !c.is_ascii_alphanumeric() && c != '~' && c != '^';
        text = text.trim_start_matches(separator);
        if text.is_empty() {
            return key.tag(END);
        }
        if take(&mut text, "~") {
            key.tag(TILDE);
        } else if take(&mut text, "^") {
            key.tag(CARET);
        } else if text.starts_with(|c: char| c.is_ascii_digit()) {
            key.tag(NUMBER);
            key.number(take_digits(&mut text));
        } else {
            key.tag(LETTERS);
            key.text(take_while(&mut text, |byte| byte.is_ascii_alphabetic()));
        }
    }
}
