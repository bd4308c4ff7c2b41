//! `Gem::Version`: numbers and words with dots between them. A word sorts before a number, and whatever
//! is missing counts as 0.

use super::{
    Parsed,
    key::{KeyWriter, is_number, take, take_digits, take_while},
};

/// In ascending order. A zero says by what follows it whether it is more than nothing.
const WORD: u8 = 1;
const ZERO_BEFORE_WORD: u8 = 2;
const END: u8 = 3;
const ZERO_BEFORE_NUMBER: u8 = 4;
const NUMBER: u8 = 5;

pub(super) fn key(version: &str) -> Parsed {
    let segments = segments(version.trim())?;
    let mut key = KeyWriter::default();
    for (index, segment) in segments.iter().enumerate() {
        if !is_number(segment) {
            key.tag(WORD);
            key.text(segment);
        } else if !is_zero(segment) {
            key.tag(NUMBER);
            key.number(segment);
        } else {
            let next = segments[index..].iter().find(|segment| !is_zero(segment));
            match next {
                Some(next) if is_number(next) => key.tag(ZERO_BEFORE_NUMBER),
                Some(_) => key.tag(ZERO_BEFORE_WORD),
                // Only zeros follow, which are nothing.
                None => break,
            }
        }
    }
    key.tag(END);
    Ok(key.finish())
}

fn is_zero(segment: &str) -> bool {
    segment.bytes().all(|byte| byte == b'0')
}

/// Runs of digits and of letters, a hyphen being `.pre.`; without the zeros in front of the first word.
fn segments(version: &str) -> Result<Vec<&str>, &'static str> {
    let mut text = version;
    let mut segments: Vec<&str> = Vec::new();
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("it does not begin with a number");
    }
    let mut words = false;
    while !text.is_empty() {
        let number = take_digits(&mut text);
        if number.is_empty() {
            let word = take_while(&mut text, |byte| byte.is_ascii_alphabetic());
            if word.is_empty() {
                return Err("expected letters and digits with dots or hyphens between them");
            }
            push_word(&mut segments, word, &mut words);
        } else {
            segments.push(number);
        }
        if take(&mut text, "-") {
            push_word(&mut segments, "pre", &mut words);
        } else if take(&mut text, ".") && text.is_empty() {
            return Err("it ends with a dot");
        }
    }
    Ok(segments)
}

fn push_word<'a>(segments: &mut Vec<&'a str>, word: &'a str, words: &mut bool) {
    if !std::mem::replace(words, true) {
        let kept = segments.iter().rposition(|segment| !is_zero(segment)).map_or(0, |i| i + 1);
        segments.truncate(kept);
    }
    segments.push(word);
}
