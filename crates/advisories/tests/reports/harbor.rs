use plura_advisories::{
    Band,
    report::{
        Scanner,
        harbor::{AdapterMetadata, Artifact, HarborSeverity, ScanRequest, VulnerabilityReport},
    },
};
use serde_json::{Value, json};

use crate::matches;

fn scanner() -> Scanner {
    Scanner { name: "plura".into(), vendor: "plura".into(), version: "0.1.0".into() }
}

fn artifact() -> Artifact {
    let digest = "sha256:aaaa".to_owned();
    Artifact { repository: "apps/web".into(), digest, ..Artifact::default() }
}

#[test]
fn matches_become_a_report_and_findings_again() {
    let at = "2026-11-21T00:00:00Z".parse().unwrap();
    let matches = matches();
    let report = VulnerabilityReport::of(&matches, artifact(), scanner(), at);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["severity"], "High");
    assert_eq!(json["generated_at"], "2026-11-21T00:00:00Z");
    assert_eq!(
        json["vulnerabilities"][0],
        json!({
            "id": "CVE-2025-26519",
            "package": "musl",
            "version": "1.2.4_git20230717-r4",
            "fix_version": "1.2.4_git20230717-r5",
            "severity": "High",
            "description": "ALPINE-CVE-2025-26519: musl 1.2.4_git20230717-r4 is before \
                1.2.4_git20230717-r5, which fixes it, which began with 0.9.13",
            "links": ["https://nvd.nist.gov/vuln/detail/CVE-2025-26519"],
            "artifact_digests": ["sha256:aaaa"],
            "preferred_cvss": {
                "score_v3": 7.0,
                "vector_v3": "CVSS:3.1/AV:L/AC:H/PR:L/UI:N/S:U/C:H/I:H/A:H",
                "vector_v2": "",
            },
        })
    );
    let read: VulnerabilityReport = serde_json::from_value(json).unwrap();
    assert_eq!(read, report);
    let findings = read.findings();
    assert_eq!(findings.len(), matches.len());
    for (finding, found) in findings.iter().zip(&matches) {
        assert_eq!(finding.found.vulnerability, found.vulnerability);
        assert_eq!(finding.found.severity.band, found.severity.band);
        assert_eq!(finding.found.fixed, found.fixed);
    }
    let empty = VulnerabilityReport::of([], artifact(), scanner(), at);
    assert_eq!(empty.severity, HarborSeverity::None);
}

#[test]
fn reports_of_other_scanners_are_read() {
    // As harbor-scanner-trivy writes it.
    let report: VulnerabilityReport = serde_json::from_value(json!({
        "generated_at": "2026-11-20T07:27:13.8Z",
        "artifact": {"repository": "library/web", "digest": "sha256:bb", "mime_type": "x"},
        "scanner": {"name": "Trivy", "vendor": "Aqua Security", "version": "0.69.3"},
        "severity": "Excellent",
        "vulnerabilities": [{
            "id": "CVE-2017-8283", "package": "dpkg", "version": "1.17.27", "fix_version": "1.18.1, 1.19",
            "severity": "Unknown", "description": "...", "links": ["https://example.com"],
            "preferred_cvss": {"score_v3": 9.8, "score_v2": null, "vector_v3": "", "vector_v2": ""},
            "cwe_ids": ["CWE-22"], "vendor_attributes": {"CVSS": {}},
        }],
    }))
    .unwrap();
    assert_eq!(report.severity, HarborSeverity::Unknown);
    let found = &report.findings()[0].found;
    assert_eq!(found.severity.band, Band::Critical);
    assert_eq!(found.fixed, ["1.18.1".into(), "1.19".into()]);
}

#[test]
fn requests_and_metadata_are_read_as_they_are_written() {
    let request = json!({
        "registry": {"url": "https://registry.example", "authorization": "Basic eA==", "insecure": false},
        "artifact": {"repository": "apps/web", "digest": "sha256:aa", "tag": "1.0",
            "mime_type": "application/vnd.oci.image.manifest.v1+json", "size": 7},
        "enabled_capabilities": [{"type": "vulnerability", "produces_mime_types": ["a"], "parameters": {"x": 1}}],
    });
    let read: ScanRequest = serde_json::from_value(request.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), request);
    let metadata: Value = json!({
        "scanner": {"name": "Trivy", "vendor": "Aqua Security", "version": "0.69.3"},
        "capabilities": [{"consumes_mime_types": ["a"], "produces_mime_types": ["b"]}],
        "properties": {"harbor.scanner-adapter/scanner-type": "os-package-vulnerability"},
    });
    let read: AdapterMetadata = serde_json::from_value(metadata.clone()).unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), metadata);
}
