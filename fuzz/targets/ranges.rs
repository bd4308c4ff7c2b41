//! `SIZE HEADER`: a range lies inside the content, a chunk inside what can be counted, and both are
//! read again from what is printed of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plura_oci::{ByteRange, ContentRange, location};

fuzz_target!(|input: &str| {
    let Some((size, header)) = input.split_once(' ') else { return };
    let Ok(size) = size.parse::<u64>() else { return };
    range(header, size);
    chunk(header);
});

fn range(header: &str, size: u64) {
    match ByteRange::parse(header, size) {
        Ok(None) => {}
        Ok(Some(range)) => {
            assert!(range.start < range.end && range.end <= size, "{range:?} of {size}");
            assert_eq!(range.length(), range.end - range.start);
            let again = format!("bytes={}-{}", range.start, range.end - 1);
            assert_eq!(ByteRange::parse(&again, size), Ok(Some(range)));
            let printed = range.content_range(size);
            assert!(printed.ends_with(&format!("/{size}")));
            let chunk: ContentRange =
                printed.parse().expect("a chunk may be written like an answer");
            assert_eq!((chunk.start, chunk.length), (range.start, range.length()));
        }
        Err(error) => assert_eq!(error.size, size),
    }
}

fn chunk(header: &str) {
    let Ok(chunk) = header.parse::<ContentRange>() else { return };
    let end = chunk.start.checked_add(chunk.length).expect("the end of a chunk can be counted");
    let last = i128::from(end) - 1;
    assert_eq!(format!("{}-{last}", chunk.start).parse(), Ok(chunk));
    if chunk.start == 0 && chunk.length > 0 {
        assert_eq!(location::upload_range(end).parse(), Ok(chunk));
    }
}
