//! Any text as what people and other scanners say about vulnerabilities: OpenVEX documents, ignore files and
//! reports of Trivy, reports of scanners by Harbor's API. What is refused is refused with a short reason, and
//! what was read can be written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use plura_advisories::{
    openvex::VexDocument,
    report::{
        harbor::{AdapterMetadata, ScanRequest, VulnerabilityReport},
        trivy,
    },
    trivyignore::TrivyIgnore,
};

/// However long what it is about.
const LONGEST_MESSAGE: usize = 1000;

fuzz_target!(|data: &[u8]| {
    match VexDocument::parse(data) {
        Ok(document) => assert!(document.signers.is_empty() && document.subject.is_none()),
        Err(error) => assert!(error.to_string().len() < LONGEST_MESSAGE, "{error}"),
    }
    match trivy::parse(data) {
        Ok(report) => {
            let json = serde_json::to_vec(&report).expect("a report can be written");
            serde_json::from_slice::<plura_advisories::report::ScannerReport>(&json)
                .expect("it can be read again");
        }
        Err(error) => assert!(error.to_string().len() < LONGEST_MESSAGE, "{error}"),
    }
    if let Ok(report) = serde_json::from_slice::<VulnerabilityReport>(data) {
        assert_eq!(report.findings().len(), report.vulnerabilities.map_or(0, |all| all.len()));
    }
    drop(serde_json::from_slice::<AdapterMetadata>(data));
    drop(serde_json::from_slice::<ScanRequest>(data));
    if let Ok(text) = std::str::from_utf8(data) {
        drop(TrivyIgnore::parse_yaml(text));
        drop(TrivyIgnore::parse_lines(text));
    }
});
