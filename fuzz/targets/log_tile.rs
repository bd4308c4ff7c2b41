//! A tile, a bundle of entries, or the path of one: what is read is written as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plura_tlog::{Bundle, Frontier, Resource, Tile};

fuzz_target!(|input: &[u8]| {
    if let Ok(tile) = Tile::from_bytes(input) {
        assert_eq!(tile.to_bytes(), input);
        let _ = tile.root();
    }
    if let Ok(bundle) = Bundle::from_bytes(input) {
        let (log, writes) =
            Frontier::default().append(bundle.entries()).expect("entries are short");
        assert_eq!(writes[0].bytes, input);
        assert_eq!(log.root(), bundle.tile().root());
    }
    if let Ok(text) = std::str::from_utf8(input) {
        if let Ok(resource) = text.parse::<Resource>() {
            assert_eq!(resource.to_string(), text);
            assert!(!resource.is_within(0));
            assert!(resource.full().width() >= resource.width());
        }
    }
});
