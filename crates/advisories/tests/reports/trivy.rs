use plura_advisories::{
    Band, Decision, SeveritySource,
    report::trivy::{ReadTrivyError, parse},
};

// Made for the test after what Trivy writes with `--format json --list-all-pkgs --show-suppressed`.
const REPORT: &str = r#"{
  "SchemaVersion": 2,
  "Trivy": {"Version": "0.69.3", "VulnerabilityDB": {"Version": 2, "UpdatedAt": "2026-11-20T18:27:32.1Z"}},
  "ReportID": "0197", "CreatedAt": "2026-11-21T10:00:00.123456789+01:00",
  "ArtifactName": "registry.example/apps/web:1.0", "ArtifactType": "container_image",
  "Metadata": {
    "Size": 1, "OS": {"Family": "debian", "Name": "12.5", "EOSL": true},
    "RepoDigests": ["registry.example/apps/web@sha256:aaaa"], "ImageConfig": {"architecture": "amd64"}
  },
  "Results": [
    {
      "Target": "registry.example/apps/web:1.0 (debian 12.5)", "Class": "os-pkgs", "Type": "debian",
      "Vulnerabilities": [{
        "VulnerabilityID": "CVE-2023-5678", "VendorIDs": ["DSA-5678-1"], "PkgID": "libssl3@3.0.11-1~deb12u1",
        "PkgName": "libssl3",
        "PkgIdentifier": {"PURL": "pkg:deb/debian/libssl3@3.0.11-1~deb12u1?arch=amd64&distro=debian-12.5"},
        "InstalledVersion": "3.0.11-1~deb12u1", "FixedVersion": "3.0.13-1~deb12u1", "Status": "fixed",
        "SeveritySource": "nvd", "Title": "openssl: slow", "Severity": "MEDIUM", "CweIDs": ["CWE-754"],
        "VendorSeverity": {"nvd": 2, "redhat": 1},
        "CVSS": {"nvd": {"V3Vector": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:L", "V3Score": 5.3}}
      }],
      "ExperimentalModifiedFindings": [{
        "Type": "vulnerability", "Status": "not_affected", "Statement": "vulnerable_code_not_present",
        "Source": "OpenVEX", "Finding": {"VulnerabilityID": "CVE-2023-0001", "PkgName": "zlib1g"}
      }, {"Type": "secret", "Status": "ignored", "Finding": {}}]
    },
    {
      "Target": "Java", "Class": "lang-pkgs", "Type": "jar",
      "Vulnerabilities": [{
        "VulnerabilityID": "GHSA-aaaa-bbbb-cccc", "PkgName": "org.example:thing", "InstalledVersion": "1.0",
        "FixedVersion": "1.0.1, 1.1.2", "Severity": "STRANGE"
      }]
    },
    {"Target": "config", "Class": "config", "Type": "dockerfile"}
  ]
}"#;

#[test]
fn a_report_says_who_found_what_from_which_data() {
    let report = parse(REPORT.as_bytes()).unwrap();
    assert_eq!((&*report.scanner.name, &*report.scanner.version), ("Trivy", "0.69.3"));
    let database = report.database.unwrap();
    assert_eq!(&*database.version, "2");
    assert_eq!(database.updated_at.unwrap().to_string(), "2026-11-20T18:27:32.1Z");
    assert_eq!(report.created_at.unwrap().to_string(), "2026-11-21T09:00:00.123456789Z");
    assert_eq!(report.digests, ["sha256:aaaa".into()]);
    assert!(report.system.unwrap().end_of_life);
}

#[test]
fn findings_are_matches() {
    let findings = parse(REPORT.as_bytes()).unwrap().findings;
    let [openssl, zlib, java] = &findings[..] else { panic!("{findings:?}") };
    let found = &openssl.found;
    assert_eq!(found.package.ecosystem.to_string(), "Debian:12");
    assert_eq!((&*openssl.status, &openssl.suppressed), ("fixed", &None));
    assert!(found.is_called("DSA-5678-1") && found.is_fixable());
    assert_eq!(found.decision, Decision::Reported);
    assert_eq!(found.severity.band, Band::Medium);
    assert_eq!(found.severity.source, SeveritySource::Scanner);
    assert_eq!(found.severity.score.unwrap().to_string(), "5.3");
    assert_eq!(found.severity.stated_by.as_deref(), Some("nvd"));

    assert_eq!(zlib.found.package.ecosystem.to_string(), "Debian:12");
    let reason = "not_affected: vulnerable_code_not_present: OpenVEX";
    assert_eq!(zlib.suppressed.as_deref(), Some(reason));

    assert_eq!(java.found.package.ecosystem.to_string(), "Maven");
    assert_eq!(java.found.fixed, ["1.0.1".into(), "1.1.2".into()]);
    assert_eq!(java.found.severity.band, Band::Unknown);
}

#[test]
fn a_report_may_be_empty() {
    let report = parse(br#"{"SchemaVersion": 2, "Results": null}"#).unwrap();
    assert!(report.findings.is_empty() && report.database.is_none());
}

#[test]
fn what_is_no_report_says_why() {
    let version = parse(br#"{"SchemaVersion": 1}"#);
    assert!(matches!(version, Err(ReadTrivyError::SchemaVersion(1))), "{version:?}");
    assert!(matches!(parse(b"7"), Err(ReadTrivyError::Malformed(_))));
    let wrong = parse(br#"{"SchemaVersion": 2, "Results": [{"Vulnerabilities": 7}]}"#);
    assert!(matches!(wrong, Err(ReadTrivyError::Malformed(_))));
}
