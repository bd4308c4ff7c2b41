//! `deb-version(7)` and `parseversion`, `verrevcmp` of dpkg: `[epoch:]upstream[-revision]`.

use super::{
    Parsed,
    key::{KeyWriter, is_number, take_digits, take_while},
};

/// The end of a run of characters: behind `~`, in front of everything else.
const END: u8 = 2;

pub(super) fn key(version: &str) -> Parsed {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    if !is_number(epoch) {
        return Err("the epoch in front of the colon is not a number");
    }
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
    if upstream.is_empty() {
        return Err("there is nothing between epoch and revision");
    }
    if revision.is_empty() {
        return Err("the revision behind the hyphen is empty");
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".+~:-".contains(&byte);
    if !rest.bytes().all(allowed) {
        return Err("it has a character other than letters, digits and `.+~:-`");
    }
    let mut key = KeyWriter::default();
    key.number(epoch);
    part(&mut key, upstream);
    part(&mut key, revision);
    Ok(key.finish())
}

/// Runs of other characters and numbers in turn. The first pair is always written, so that what comes
/// behind an empty part is never taken for its number.
fn part(key: &mut KeyWriter, mut text: &str) {
    loop {
        for byte in take_while(&mut text, |byte| !byte.is_ascii_digit()).bytes() {
            key.tag(weight(byte));
        }
        key.tag(END);
        key.number(take_digits(&mut text));
        if text.is_empty() {
            return key.tag(END);
        }
    }
}

/// `~` sorts before the end, the end before letters, letters before anything else.
fn weight(byte: u8) -> u8 {
    match byte {
        b'~' => 1,
        letter if letter.is_ascii_alphabetic() => letter,
        other => other | 0x80,
    }
}
