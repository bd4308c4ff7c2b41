//! An in-toto statement with what it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plura_trust::{OpenVex, PredicateKind, Statement};

fuzz_target!(|input: &[u8]| {
    let _ = OpenVex::read(input);
    let Ok(statement) = Statement::read(input) else { return };
    assert!(!statement.subjects.is_empty());
    for digest in statement.digests() {
        assert!(statement.is_about(&digest), "{digest}");
    }
    if let Ok(Some(provenance)) = statement.provenance() {
        assert_eq!(statement.kind(), PredicateKind::Provenance);
        assert_eq!(provenance.predicate_type, statement.predicate_type);
    }
    if let Ok(Some(_)) = statement.open_vex() {
        assert_eq!(statement.kind(), PredicateKind::OpenVex);
    }
});
