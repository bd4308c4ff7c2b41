//! `NAME@VERSION`, a line feed, and lines of JSON: records are read, or refused with a short reason,
//! and what they say about the package does not depend on their order.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plura_advisories::{Advisory, AdvisorySet, AdvisorySetBuilder, Decision, Package};

/// However long what it is about.
const LONGEST_MESSAGE: usize = 1000;

const ECOSYSTEMS: [&str; 12] = [
    "Debian:12",
    "Alpine:v3.19",
    "AlmaLinux:9",
    "npm",
    "PyPI",
    "crates.io",
    "Go",
    "Maven",
    "RubyGems",
    "NuGet",
    "Packagist",
    "Unknown",
];

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (package, records) = text.split_once('\n').unwrap_or((text, ""));
    let (name, version) = package.split_once('@').unwrap_or((package, "1"));
    let mut advisories = Vec::new();
    for record in records.lines() {
        match Advisory::parse(record.as_bytes()) {
            Ok(advisory) => advisories.push(reduced(advisory)),
            Err(error) => assert!(error.to_string().len() < LONGEST_MESSAGE, "{error}"),
        }
    }
    let forth = set(advisories.iter());
    let back = set(advisories.iter().rev());
    assert_eq!((forth.digest(), forth.counts()), (back.digest(), back.counts()));
    for ecosystem in ECOSYSTEMS {
        let package = Package::new(ecosystem, name, version);
        let matches = forth.match_package(&package);
        assert_eq!(matches, back.match_package(&package));
        assert!(matches.windows(2).all(|pair| pair[0].vulnerability < pair[1].vulnerability));
        for found in &matches {
            assert!(!found.advisories.is_empty() && !found.reason().is_empty());
            if let Decision::Undecided { reason } = &found.decision {
                assert!(!reason.is_empty() && reason.len() < LONGEST_MESSAGE);
            }
            assert_eq!(forth.canonical(&found.vulnerability), Some(&*found.vulnerability));
        }
    }
});

fn set<'a>(advisories: impl Iterator<Item = &'a Advisory>) -> AdvisorySet {
    let mut builder = AdvisorySetBuilder::default();
    advisories.for_each(|advisory| builder.add(advisory));
    builder.finish()
}

/// What a record was reduced to is stored, and read again as the same.
fn reduced(advisory: Advisory) -> Advisory {
    let json = serde_json::to_vec(&advisory).expect("a record can be written");
    assert_eq!(Advisory::parse(&json).expect("it can be read again"), advisory);
    advisory
}
