//! Layers that were made to cost more than they should, or to be read differently than unpacked.

use std::io::Write as _;

use plura_inventory::{LayerError, LayerFacts, Limit, Limits, Place, read_layer};

use crate::{
    archive::{Archive, Header},
    facts, fixture,
};

fn read(archive: Archive, limits: &Limits) -> Result<LayerFacts, LayerError> {
    read_layer(&archive.finish()[..], limits)
}

#[track_caller]
fn check_limit(archive: Archive, limits: &Limits, expected: Limit) -> Place {
    match read(archive, limits) {
        Err(LayerError::LimitExceeded { limit, place, .. }) if limit == expected => place,
        other => panic!("{other:?} instead of {expected:?}"),
    }
}

#[track_caller]
fn check_damage(bytes: &[u8], expected: &str) -> Place {
    match read_layer(bytes, &Limits::default()) {
        Err(LayerError::Damaged { what, place }) if what.contains(expected) => place,
        other => panic!("{other:?} instead of: {expected}"),
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).expect("memory takes all");
    encoder.finish().expect("memory takes all")
}

const NPM: &str = r#"{"name": "left-pad", "version": "1.3.0"}"#;

#[test]
fn every_limit_stops_the_reading_and_says_where() {
    let limits = Limits { entries: 2, ..Limits::default() };
    let three = Archive::default().file("a", "").file("b", "").file("c", "");
    assert_eq!(check_limit(three, &limits, Limit::Entries).entry, 3);

    let limits = Limits { path_bytes: 200, ..Limits::default() };
    let long = "a/".repeat(150);
    let place = check_limit(Archive::default().file(&long, ""), &limits, Limit::Path);
    assert!(place.path.ends_with("a/a") && place.path.len() == 160);
    let link = Archive::default().pax(&[("linkpath", &long)]).link("a", "b");
    check_limit(link, &limits, Limit::LinkTarget);
    let link = Archive::default().header(Header::new(b'K', "x", 300)).data(long.as_bytes());
    check_limit(link, &limits, Limit::LinkTarget);

    let limits = Limits { whiteouts: 2, ..Limits::default() };
    let removes = Archive::default().file(".wh.a", "").file(".wh.b", "").file(".wh..wh..opq", "");
    check_limit(removes, &limits, Limit::Whiteouts);

    let limits = Limits { packages: 1, ..Limits::default() };
    let two = Archive::default().file("a/package.json", NPM).file("b/package.json", NPM);
    assert_eq!(check_limit(two, &limits, Limit::Packages).path, "b/package.json");

    let limits = Limits { kept_bytes: 100, ..Limits::default() };
    check_limit(Archive::default().file("package.json", NPM), &limits, Limit::KeptBytes);

    let limits = Limits { expanded_bytes: 10_000, ..Limits::default() };
    check_limit(Archive::default().file("a", vec![1; 20_000]), &limits, Limit::ExpandedBytes);
}

#[test]
fn a_header_of_an_impossible_size_is_refused_before_it_is_read() {
    for kind in [b'x', b'g', b'L', b'K'] {
        let archive = Archive::default().header(Header::new(kind, "x", 1 << 32));
        check_limit(archive, &Limits::default(), Limit::Extension);
    }
    // Blocks about holes could go on for ever.
    let sparse = Header::new(b'S', "a", 0).set(257, b"ustar  \0").set(482, b"\x01");
    let mut holes = [0; 512];
    holes[504] = 1;
    let archive = (0..3000).fold(Archive::default().header(sparse), |a, _| a.data(&holes));
    check_limit(archive, &Limits::default(), Limit::Extension);
}

#[test]
fn a_bomb_is_stopped_by_its_ratio() {
    let limits = Limits { ratio: 100, ratio_from: 1 << 20, ..Limits::default() };
    let zeros = Archive::default().file("zeros", vec![0; 32 << 20]).finish();
    for bomb in [gzip(&zeros), zstd::encode_all(&zeros[..], 3).unwrap()] {
        match read_layer(&bomb[..], &limits) {
            Err(LayerError::LimitExceeded { limit: Limit::Ratio, place, .. }) => {
                assert!(place.offset < 4 << 20, "it stops early: {place}");
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(read_layer(&zeros[..], &limits).is_ok(), "nothing was expanded");
}

#[test]
fn a_zstd_frame_may_not_ask_for_any_window() {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(27).unwrap();
    encoder.write_all(&Archive::default().file("a", "b").finish()).unwrap();
    let bytes = encoder.finish().unwrap();
    let error = read_layer(&bytes[..], &Limits::default()).unwrap_err();
    assert!(
        matches!(error, LayerError::LimitExceeded { limit: Limit::ZstdWindow, .. }),
        "{error:?}"
    );
}

#[test]
fn what_is_no_archive_is_damaged() {
    check_damage(b"not an archive", "inside of a header");
    check_damage(&[b'x'; 2048], "checksum");
    check_damage(&gzip(b"x")[..12], "gzip");
    check_damage(&[0x28, 0xb5, 0x2f, 0xfd, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "zstd");
    let mut corrupt = gzip(&Archive::default().file("a", "b").finish());
    let end = corrupt.len() - 6;
    corrupt[end] ^= 1;
    check_damage(&corrupt, "gzip");
}

#[test]
fn lying_sizes_end_in_an_error_that_says_where() {
    let lying = Archive::default().file("first", "x").header(Header::new(b'0', "big", 1 << 33));
    let place = check_damage(&lying.data(b"little").finish(), "inside of a file");
    assert_eq!((place.entry, place.path.as_str()), (2, "big"));

    // The claim alone allocates nothing.
    let lying = Archive::default().header(Header::new(b'0', "var/lib/rpm/Packages", 100 << 20));
    check_damage(&lying.data(b"little").finish(), "inside of a file");

    let negative = Header::new(b'0', "a", 0).set(124, &[0xff; 12]);
    check_damage(&Archive::default().header(negative).finish(), "not a number");
    let huge = Archive::default().pax(&[("size", "18446744073709551615")]);
    check_damage(&huge.header(Header::new(b'0', "a", 0)).finish(), "impossible size");
    let endless = Archive::default().pax(&[("size", "9223372036854775807")]);
    check_damage(&endless.header(Header::new(b'0', "a", 0)).finish(), "inside of a file");
}

#[test]
fn entries_behind_the_end_are_not_entries() {
    let mut bytes = Archive::default().file("a", "").finish();
    bytes.extend(Archive::default().file("package.json", NPM).finish());
    assert_eq!(read_layer(&bytes[..], &Limits::default()).unwrap().entries, 1);

    let mut bytes = Archive::default().file("a", "").bytes;
    bytes.extend([0; 512]);
    bytes.extend(Archive::default().file("package.json", NPM).finish());
    check_damage(&bytes, "between entries");
}

#[test]
fn names_and_links_that_lead_out_of_the_tree_lead_nowhere() {
    let archive = Archive::default()
        .file("../../../var/lib/dpkg/status", "Package: a\nVersion: 1\n")
        .link("escape", "../../../../etc")
        .file("..", "")
        .file("a/../../.wh.b", "");
    let facts = facts(archive);
    assert_eq!(facts.evidence[0].path, "var/lib/dpkg/status");
    assert_eq!(facts.removed, ["b"]);
}

#[test]
fn deep_json_is_an_unreadable_file_and_no_more() {
    let depth = 1_000_000;
    let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let object = format!("{}1{}", r#"{"license":"#.repeat(depth), "}".repeat(depth));
    let archive = Archive::default()
        .file("a/package.json", &nested)
        .file(
            "b/package.json",
            format!(r#"{{"name": "b", "version": "1.0.0", "license": {object}}}"#),
        )
        .file("c/package.json", format!(r#"{{"name": "c", "version": "1.0.0", "x": {nested}}}"#))
        .file("composer/installed.json", &nested)
        .file("x.deps.json", format!(r#"{{"libraries": {object}}}"#))
        .file("root/.docker/config.json", &nested[..200_000]);
    let facts = facts(archive);
    let packages: Vec<_> = facts.evidence.iter().map(|evidence| evidence.path.as_str()).collect();
    assert!(packages.iter().all(|path| path.ends_with("package.json")), "{packages:?}");
}

#[test]
fn lists_are_cut_to_what_can_be_meant() {
    let licenses = vec![r#""MIT""#; 100_000].join(",");
    let json = format!(r#"{{"name": "a", "version": "1.0.0", "license": [{licenses}]}}"#);
    let facts = facts(Archive::default().file("package.json", json));
    assert_eq!(facts.evidence[0].packages[0].licenses, ["MIT"]);
}

fn zip(members: &[(&str, &[u8])], repeat: usize) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    let mut count = 0_u16;
    for (name, data) in members {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).expect("memory takes all");
        let stored = encoder.finish().expect("memory takes all");
        let number = |size: usize| u32::try_from(size).expect("it is small");
        let offset = number(bytes.len());
        let name_length = u16::try_from(name.len()).expect("it is short");
        let sizes = [number(stored.len()), number(data.len())];
        let mut fields = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        fields.extend(sizes.iter().flat_map(|size| size.to_le_bytes()));
        fields.extend(name_length.to_le_bytes());
        fields.extend([0, 0]);
        bytes.extend([b"PK\x03\x04", &fields[..], name.as_bytes(), &stored].concat());
        for _ in 0..repeat {
            let head = [b"PK\x01\x02", &[20, 0][..], &fields, &[0; 10], &offset.to_le_bytes()];
            directory.extend(head.concat());
            directory.extend(name.as_bytes());
            count += 1;
        }
    }
    let (offset, size) = (bytes.len(), directory.len());
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count.to_le_bytes(), count.to_le_bytes()].concat());
    for number in [size, offset] {
        bytes.extend(u32::try_from(number).expect("it is small").to_le_bytes());
    }
    bytes.extend([0, 0]);
    bytes
}

const POM: &[u8] = b"groupId=a\nartifactId=b\nversion=1\n";
const POM_PATH: &str = "META-INF/maven/a/b/pom.properties";

#[test]
fn archives_inside_of_archives_are_inflated_only_so_far() {
    let limits = Limits { archive_expanded_bytes: 1 << 20, ..Limits::default() };
    let read = |bytes: Vec<u8>| read(Archive::default().file("x.jar", bytes), &limits).unwrap();

    let good = read(zip(&[(POM_PATH, POM)], 1));
    assert_eq!((good.evidence[0].packages.len(), good.notes.len()), (1, 0));

    let bomb = read(zip(&[(POM_PATH, POM), ("a.jar", &vec![0; 64 << 20])], 1));
    assert_eq!(bomb.evidence[0].packages.len(), 1, "what is good is kept");
    assert!(bomb.notes[0].reason.contains("too large"), "{:?}", bomb.notes);

    // Ten thousand members that are one: each is paid for.
    let text = vec![b'#'; 100 << 10];
    let same = read(zip(&[(POM_PATH, &text)], 10_000));
    assert_eq!(same.evidence.len(), 0);

    let mut nested = zip(&[(POM_PATH, POM)], 1);
    for _ in 0..10 {
        nested = zip(&[("inner.jar", &nested)], 1);
    }
    assert!(read(nested).notes[0].reason.contains("too deep"));

    let limits = Limits { archive_entries: 5, ..Limits::default() };
    let many = Archive::default().file("x.jar", zip(&[(POM_PATH, POM)], 10));
    assert!(crate::hostile::read(many, &limits).unwrap().notes[0].reason.contains("too many"));
}

#[test]
fn damaged_java_archives_are_noted() {
    for bytes in [b"PK\x03\x04".to_vec(), b"nothing".to_vec(), fixture("app.war")[..900].to_vec()] {
        assert_eq!(facts(Archive::default().file("x.jar", bytes)).notes.len(), 1);
    }
    let mut lying = zip(&[(POM_PATH, POM)], 1);
    let end = lying.len() - 22;
    lying[end + 10] = 200;
    assert_eq!(facts(Archive::default().file("x.jar", lying)).notes.len(), 1);
}

#[test]
fn every_byte_of_a_database_may_be_wrong() {
    for name in ["rpmdb.sqlite", "Packages.db", "Packages", "app.war", "auditable.elf"] {
        let good = fixture(name);
        let path = match name {
            "app.war" | "auditable.elf" => name.to_owned(),
            _ => format!("var/lib/rpm/{name}"),
        };
        for at in (0..good.len()).step_by(13) {
            let mut bytes = good.clone();
            bytes[at] ^= 0xff;
            // Nothing but that it comes to an end without a panic.
            drop(facts(Archive::default().file(&path, bytes)));
        }
    }
}

#[test]
fn files_that_are_too_large_are_noted_and_not_held() {
    let limits = Limits { text_file_bytes: 10, held_file_bytes: 10, ..Limits::default() };
    let archive = Archive::default()
        .file("package.json", NPM)
        .file("a.jar", fixture("app.war"))
        .program("bin/tool", fixture("auditable.elf"));
    let facts = read(archive, &limits).unwrap();
    assert_eq!(facts.evidence.len(), 1);
    assert!(facts.notes.iter().all(|note| note.reason.contains("larger than 10")));
    assert_eq!(facts.notes.len(), 2, "executables need not be held");
}

#[test]
fn findings_and_notes_are_cut_and_say_so() {
    let limits = Limits { findings: 2, notes: 2, ..Limits::default() };
    let secrets = "machine a login b password c\n".repeat(5);
    let archive = (0..9).fold(Archive::default(), |archive, number| {
        archive.file(&format!("{number}/.netrc"), &secrets).file(&format!("{number}.jar"), "x")
    });
    let facts = read(archive, &limits).unwrap();
    assert_eq!(facts.findings.len(), 2);
    assert_eq!(facts.notes.len(), 3);
    assert!(facts.notes[2].reason.contains("more files were not read"));
}
