//! Reports of other scanners, and reports for other tools.

mod harbor;
mod json_schema;
mod sarif;
mod trivy;

use plura_advisories::{AdvisorySetBuilder, Match, Package};

/// Matches of several kinds: fixed and not, certain and not, scored and not.
fn matches() -> Vec<Match> {
    let mut builder = AdvisorySetBuilder::default();
    let alpine = include_str!("../osv/ALPINE-CVE-2025-26519.json");
    for record in include_str!("../osv/made.jsonl").lines().chain([alpine]) {
        builder.add_json(record.as_bytes()).expect(record);
    }
    let set = builder.finish();
    let packages = [
        Package::new("Alpine:v3.19", "musl", "1.2.4_git20230717-r4"),
        Package::new("Debian:12", "libssl3", "3.0.9-1").built_from("openssl", "3.0.9-1"),
        Package::new("Ubuntu:Pro:18.04:LTS", "curl", "7.58.0-2"),
        Package::new("NuGet", "Newtonsoft.Json", "12.0.3"),
        Package::new("PyPI", "strange", "1.0"),
    ];
    set.match_all(&packages).flat_map(|(_, matches)| matches).collect()
}
