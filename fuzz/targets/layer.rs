//! Any bytes as a layer: they are read or refused, within the limits, and in the same way whatever the
//! size of the pieces that they arrive in. What was read can be stored and combined.
#![no_main]

use std::io::{self, Read};

use libfuzzer_sys::fuzz_target;
use plura_inventory::{ImageLayer, LayerFacts, Limits, combine, read_layer};
use plura_oci::Digest;

/// Few bytes at a time.
struct Pieces<'a>(&'a [u8]);

impl Read for Pieces<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let most = into.len().min(7);
        self.0.read(&mut into[..most])
    }
}

fuzz_target!(|data: &[u8]| {
    let limits = Limits {
        expanded_bytes: 8 << 20,
        ratio_from: 1 << 20,
        held_file_bytes: 1 << 20,
        text_file_bytes: 1 << 20,
        archive_expanded_bytes: 1 << 20,
        extension_bytes: 64 << 10,
        zstd_window_log: 20,
        ..Limits::default()
    };
    let whole = read_layer(data, &limits);
    let pieces = read_layer(Pieces(data), &limits);
    assert_eq!(whole.is_ok(), pieces.is_ok());
    if let (Ok(facts), Ok(pieces)) = (whole, pieces) {
        assert_eq!(facts, pieces);
        let stored = serde_json::to_vec(&facts).expect("facts are JSON");
        let read: LayerFacts = serde_json::from_slice(&stored).expect("what is stored is read");
        assert_eq!(read, facts);
        let layer = ImageLayer { digest: Digest::sha256(b"layer"), facts: &facts };
        let image = combine(&[layer, layer]);
        assert!(image.packages.iter().all(|package| !package.path.starts_with('/')));
    }
});
