//! What the symbols of the two alphabets mean (RFC 1951, section 3.2.5).

use super::table::{END, LITERAL, SPECIAL, template};

pub(super) const LITERALS: usize = 288;
pub(super) const DISTANCES: usize = 32;

const LENGTH_BASES: [u32; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 258,
];
const LENGTH_EXTRA: [u32; 29] =
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0];
const DISTANCE_BASES: [u32; 30] = [
    1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537,
    2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577,
];
const DISTANCE_EXTRA: [u32; 30] = [
    0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13,
    13,
];

/// Literals, the end of the block, lengths, and two symbols that no block may use.
pub(super) const LITERAL_TEMPLATES: [u32; LITERALS] = {
    let mut templates = [SPECIAL; LITERALS];
    let mut symbol = 0;
    while symbol < 256 {
        templates[symbol] = template(symbol as u32, 0, LITERAL);
        symbol += 1;
    }
    templates[256] = template(0, 0, SPECIAL | END);
    let mut length = 0;
    while length < 29 {
        templates[257 + length] = template(LENGTH_BASES[length], LENGTH_EXTRA[length], 0);
        length += 1;
    }
    templates
};

/// Distances, and two symbols that no block may use.
pub(super) const DISTANCE_TEMPLATES: [u32; DISTANCES] = {
    let mut templates = [SPECIAL; DISTANCES];
    let mut distance = 0;
    while distance < 30 {
        templates[distance] = template(DISTANCE_BASES[distance], DISTANCE_EXTRA[distance], 0);
        distance += 1;
    }
    templates
};

/// The alphabet in which the lengths of the codes are written.
pub(super) const LENGTH_CODE_TEMPLATES: [u32; 19] = {
    let mut templates = [0; 19];
    let mut symbol = 0;
    while symbol < 19 {
        templates[symbol] = template(symbol as u32, 0, 0);
        symbol += 1;
    }
    templates
};

/// The order in which the lengths of that alphabet's own codes are written.
pub(super) const LENGTH_CODE_ORDER: [usize; 19] =
    [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The lengths of the fixed code of literals (RFC 1951, section 3.2.6); those of distances are five.
pub(super) const FIXED_LITERALS: [u8; LITERALS] = {
    let mut lengths = [8; LITERALS];
    let mut symbol = 144;
    while symbol < 280 {
        lengths[symbol] = if symbol < 256 { 9 } else { 7 };
        symbol += 1;
    }
    lengths
};
