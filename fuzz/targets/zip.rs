//! Any bytes as a Java archive: no more comes out than is allowed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plura_inventory::{
    Limits,
    parse::{Found, java, zip},
};

fuzz_target!(|data: &[u8]| {
    let read = zip(data, 100, |member| {
        if let Ok(data) = member.data(1000) {
            assert!(data.len() <= 1000);
        }
        true
    });
    let _ = read;
    let limits = Limits { archive_expanded_bytes: 1 << 20, ..Limits::default() };
    let _ = java("a-1.jar", data, &limits, &mut Found::with_room(1000, 1 << 20));
});
