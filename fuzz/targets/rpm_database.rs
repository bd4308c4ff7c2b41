//! Any bytes as an rpm database of each kind, the first bytes put right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plura_inventory::parse::{Found, rpm_bdb, rpm_ndb, rpm_sqlite};

fuzz_target!(|data: &[u8]| {
    let found = || Found::with_room(1000, 1 << 20);
    let _ = rpm_bdb(data, &mut found());
    let _ = rpm_ndb(data, &mut found());
    let _ = rpm_sqlite(data, &mut found());

    let mut changed = data.to_vec();
    if changed.len() >= 32 {
        changed[..16].copy_from_slice(b"SQLite format 3\0");
        let _ = rpm_sqlite(&changed, &mut found());
        changed[..4].copy_from_slice(b"RpmP");
        let _ = rpm_ndb(&changed, &mut found());
        changed[12..16].copy_from_slice(&0x0006_1561_u32.to_le_bytes());
        let _ = rpm_bdb(&changed, &mut found());
    }
});
