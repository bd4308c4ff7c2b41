//! Any bytes as an executable of each format.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plura_inventory::parse::{Found, executable};

fuzz_target!(|data: &[u8]| {
    let _ = executable(data, &mut Found::with_room(1000, 1 << 20));
    let mut changed = data.to_vec();
    for magic in [*b"\x7fELF", *b"MZ\0\0", [0xcf, 0xfa, 0xed, 0xfe], [0xfe, 0xed, 0xfa, 0xce]] {
        if changed.len() > 64 {
            changed[..4].copy_from_slice(&magic);
            let _ = executable(&changed, &mut Found::with_room(1000, 1 << 20));
        }
    }
});
