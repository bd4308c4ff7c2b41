//! Any bytes as a deflate stream: it is decoded exactly as the decoder does that everybody uses, and
//! refused where that refuses it.
#![no_main]

use flate2::{Crc, Decompress, FlushDecompress, Status};
use libfuzzer_sys::fuzz_target;
use plura_inventory::parse::gunzip;

const MOST: usize = 4 << 20;
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

fuzz_target!(|data: &[u8]| {
    // Whatever the header is, it comes to an end.
    drop(gunzip(data, MOST));

    let mut decoder = Decompress::new(false);
    let mut expected = Vec::with_capacity(MOST);
    let status = decoder.decompress_vec(data, &mut expected, FlushDecompress::Finish);
    let whole = matches!(status, Ok(Status::StreamEnd));
    if !whole && expected.len() == MOST {
        return;
    }
    let taken =
        if whole { usize::try_from(decoder.total_in()).expect("a size") } else { data.len() };
    let mut crc = Crc::new();
    crc.update(&expected);
    let mut stream = [&HEADER, &data[..taken]].concat();
    stream.extend(crc.sum().to_le_bytes());
    stream.extend(crc.amount().to_le_bytes());
    let decoded = gunzip(&stream, MOST);
    if whole {
        assert_eq!(decoded.as_deref(), Some(&expected[..]));
    } else if status.is_err() {
        assert_eq!(decoded, None);
    }
});
