//! Versions that are lists of numbers, more of them being more: R's `package_version`, Haskell's
//! package versioning policy.

use super::{
    Parsed,
    key::{KeyWriter, is_number},
};

const END: u8 = 0;
const NUMBER: u8 = 1;

pub(super) fn key(version: &str) -> Parsed {
    let mut key = KeyWriter::default();
    for number in version.split(['.', '-']) {
        if !is_number(number) {
            return Err("expected numbers with dots or hyphens between them");
        }
        key.tag(NUMBER);
        key.number(number);
    }
    key.tag(END);
    Ok(key.finish())
}
