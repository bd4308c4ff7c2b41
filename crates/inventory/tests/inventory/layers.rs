use std::io::{self, Read, Write as _};

use plura_inventory::{LayerError, LayerFacts, Limits, read_layer};

use crate::{
    archive::{Archive, Header},
    facts, packages,
};

const NPM: &str = r#"{"name": "left-pad", "version": "1.3.0"}"#;

fn small() -> Archive {
    Archive::default().directory("app").file("app/package.json", NPM).file("etc/motd", "hello")
}

fn read(bytes: &[u8]) -> LayerFacts {
    read_layer(bytes, &Limits::default()).expect("the layer is read")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

#[test]
fn the_compression_is_told_by_the_first_bytes() {
    let plain = small().finish();
    let expected = read(&plain);
    assert_eq!((expected.entries, expected.files, expected.evidence.len()), (3, 2, 1));
    assert_eq!(read(&gzip(&plain)), expected);
    assert_eq!(read(&zstd::encode_all(&plain[..], 3).unwrap()), expected);

    let (first, second) = plain.split_at(700);
    assert_eq!(read(&[gzip(first), gzip(second)].concat()), expected, "several members");
    let frames = [first, second].map(|part| zstd::encode_all(part, 3).unwrap()).concat();
    assert_eq!(read(&frames), expected, "several frames");
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &frames].concat();
    assert_eq!(read(&skipped), expected, "a frame that is to be skipped");
}

/// A byte at a time, with interruptions.
struct Trickle<'a>(&'a [u8], bool);

impl Read for Trickle<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let amount = into.len().min(1);
        self.0.read(&mut into[..amount])
    }
}

#[test]
fn how_the_bytes_arrive_makes_no_difference() {
    let plain = small().finish();
    for bytes in [gzip(&plain), zstd::encode_all(&plain[..], 3).unwrap(), plain.clone()] {
        let trickled = read_layer(Trickle(&bytes, false), &Limits::default()).unwrap();
        assert_eq!(trickled, read(&plain));
    }
}

/// Fails after its bytes.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.0.read(into)? {
            0 => Err(io::Error::other("the disk is gone")),
            read => Ok(read),
        }
    }
}

#[test]
fn a_source_that_fails_is_not_a_damaged_layer() {
    let plain = small().finish();
    for bytes in [gzip(&plain), zstd::encode_all(&plain[..], 3).unwrap(), plain.clone()] {
        let half = &bytes[..bytes.len() / 2];
        let failed = read_layer(Failing(half), &Limits::default());
        assert!(matches!(failed, Err(LayerError::Read(_))), "{failed:?}");
        if bytes != plain {
            let cut = read_layer(half, &Limits::default());
            assert!(matches!(cut, Err(LayerError::Damaged { .. })), "{cut:?}");
        }
    }
}

#[test]
fn an_empty_layer_has_nothing_in_it() {
    assert_eq!(read(&Archive::default().finish()).entries, 0);
    assert_eq!(read(b"").entries, 0);
}

#[test]
fn long_names_are_found_in_every_format() {
    let directory = "a".repeat(60);
    let path = format!("{directory}/{directory}/package.json");
    let size = NPM.len() as u64;

    let pax = Archive::default().file(&path, NPM);
    let prefixed = Header::new(b'0', "package.json", size)
        .set(345, format!("{directory}/{directory}").as_bytes());
    let prefixed = Archive::default().header(prefixed).data(NPM.as_bytes());
    let long = Header::new(b'L', "././@LongLink", path.len() as u64 + 1);
    let gnu = Header::new(b'0', "cut off", size).set(257, b"ustar  \0").set(345, b"not a prefix");
    let gnu = Archive::default()
        .header(long)
        .data(format!("{path}\0").as_bytes())
        .header(gnu)
        .data(NPM.as_bytes());
    for archive in [pax, prefixed, gnu] {
        let facts = facts(archive);
        assert_eq!(facts.evidence[0].path, path);
    }
}

#[test]
fn the_size_of_pax_counts_and_that_of_a_link_does_not() {
    let inner = Archive::default().file("hidden/package.json", NPM).bytes;
    let size = inner.len().to_string();
    // A reader that believes the header's zero would take the file's data for entries.
    let archive = Archive::default()
        .pax(&[("size", &size)])
        .header(Header::new(b'0', "data", 0))
        .data(&inner)
        .file("package.json", NPM);
    assert_eq!(packages(archive), ["npm left-pad 1.3.0"]);

    let archive = Archive::default()
        .header(Header::new(b'2', "link", inner.len() as u64))
        .file("package.json", NPM);
    assert_eq!(packages(archive), ["npm left-pad 1.3.0"]);
}

#[test]
fn global_records_do_not_rename_anything() {
    let record = b"19 path=etc/passwd\n";
    let archive = Archive::default()
        .header(Header::new(b'g', "global", record.len() as u64))
        .data(record)
        .file("package.json", NPM);
    assert_eq!(facts(archive).evidence[0].path, "package.json");
}

#[test]
fn only_the_header_right_in_front_of_an_entry_describes_it() {
    let record = b"10 path=x\n";
    let global = |archive: Archive| archive.header(Header::new(b'g', "g", 10)).data(record);
    let npm = Header::new(b'0', "package.json", NPM.len() as u64);
    let archive = global(Archive::default().pax(&[("path", "hidden")]));
    let archive = archive.header(npm).data(NPM.as_bytes());
    assert_eq!(facts(archive).evidence[0].path, "package.json");

    let npm = Header::new(b'0', "package.json", NPM.len() as u64);
    let archive = Archive::default().pax(&[("path", "hidden")]).pax(&[("mtime", "1")]);
    let archive = archive.header(npm).data(NPM.as_bytes());
    assert_eq!(facts(archive).evidence[0].path, "package.json");
}

#[test]
fn the_last_of_two_entries_with_one_path_counts() {
    let other = NPM.replace("1.3.0", "2.0.0");
    let archive = Archive::default().file("package.json", NPM).file("./package.json", other);
    let facts = facts(archive);
    assert_eq!((facts.duplicates, facts.evidence.len()), (1, 1));
    assert_eq!(facts.evidence[0].packages[0].version, "2.0.0");

    let archive = Archive::default().file("package.json", NPM).link("package.json", "other");
    assert_eq!(facts_evidence(archive), 0, "a link took its place");
}

fn facts_evidence(archive: Archive) -> usize {
    facts(archive).evidence.len()
}

#[test]
fn whiteouts_and_opaque_directories_are_recorded() {
    let archive = Archive::default()
        .file("etc/.wh.passwd", "")
        .file(".wh.opt", "")
        .file("var/lib/.wh..wh..opq", "")
        .file(".wh..wh.plnk", "");
    let facts = facts(archive);
    assert_eq!(facts.removed, ["etc/passwd", "opt"]);
    assert_eq!(facts.opaque, ["var/lib"]);
}

#[test]
fn what_could_hide_evidence_below_is_covered() {
    let archive = Archive::default()
        .program("usr/bin/tool", "#!/bin/sh")
        .link("lib", "usr/lib")
        .file("app/package.json", "{}")
        .file("app/readme", "text");
    let covers = facts(archive).covers;
    assert!(["usr/bin/tool", "lib", "app/package.json"].iter().all(|path| covers.contains(path)));
    assert!(!covers.contains("app/readme"));
}

#[test]
fn facts_are_the_same_after_they_were_stored() {
    let facts = facts(small().file("a/.wh.b", "").program("x", "y"));
    let stored = serde_json::to_string(&facts).unwrap();
    assert_eq!(serde_json::from_str::<LayerFacts>(&stored).unwrap(), facts);
}

#[test]
fn sparse_files_are_noted_and_skipped() {
    let sparse =
        Header::new(b'S', "app/package.json", 512).set(257, b"ustar  \0").set(482, b"\x01");
    let mut holes = [0; 512];
    holes[504] = 0;
    let archive =
        Archive::default().header(sparse).data(&holes).data(&[b'x'; 512]).file("package.json", NPM);
    let facts = facts(archive);
    assert_eq!(facts.evidence.len(), 1);
    assert_eq!(facts.notes[0].path, "app/package.json");
}
