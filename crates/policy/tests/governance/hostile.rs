//! Documents that were written to do harm are read in no time, and refused.

use plura_policy::{Governance, GovernanceDocument, document::MAX_SIZE};

fn refused(text: &str) {
    let error = Governance::from_toml(text).expect_err("it is refused");
    let most = 100;
    assert!(!error.problems.is_empty() && error.problems.len() <= most, "{}", error.problems.len());
    let length = error.to_string().len();
    assert!(length < 100_000, "an error of {length} bytes");
}

#[test]
fn deep_documents_are_refused() {
    for depth in [100, 1_000, 100_000] {
        refused(&format!("channels = {}{}", "[".repeat(depth), "]".repeat(depth)));
        refused(&format!("gates = {}{}", "{a=".repeat(depth), "}".repeat(depth)));
        refused(&format!("gates{} = 1", ".a".repeat(depth)));
        refused(&format!("[gates{}]", ".a".repeat(depth)));
        let json = format!("{{\"channels\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
        GovernanceDocument::from_json(json.as_bytes()).expect_err("too deep");
    }
}

#[test]
fn large_documents_are_refused() {
    refused(&"#".repeat(MAX_SIZE + 1));
    let many = |entry: &str| entry.repeat(MAX_SIZE / entry.len());
    refused(&many("[[channels]]\nname = \"Ä\"\n"));
    refused(&many("[[tags]]\nname = \"a\"\nrepositories = [\"**\"]\n"));
    refused(&format!("[[channels]]\nname=\"a\"\ngates = [{}]", "\"a\",".repeat(100_000)));
    let names = (0..20_000).map(|i| format!("[gates.g{i}.non_root]\n"));
    refused(&names.collect::<Vec<_>>().concat());
    let predicates = (0..101).map(|i| format!("predicates.p{i}.expression = \"true\"\n"));
    refused(&format!("[gates.g]\n{}", predicates.collect::<Vec<_>>().concat()));
}

#[test]
fn texts_of_all_kinds_are_refused_and_not_repeated_at_length() {
    let long = "x".repeat(100_000);
    refused(&format!("[[channels]]\nname = \"{long}\"\n"));
    refused(&format!("[windows.w]\ntime_zone = \"{long}\"\nfrom = \"{long}\"\nto = \"{long}\"\n"));
    refused(&format!("[[tags]]\nname = \"a\"\nrepositories = [\"**\"]\nshapes = [\"{long}\"]\n"));
    refused(&format!("[gates.g.predicates.p]\nexpression = \"{long}\"\n"));
    refused(&format!("{long} = 1"));
    refused(&format!("[gates.g.age]\nmax = \"{}d\"\n", "9".repeat(10_000)));
}
