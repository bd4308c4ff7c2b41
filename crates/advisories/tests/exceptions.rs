//! What somebody decided to live with, and what VEX says.

use jiff::{SignedDuration, Timestamp};
use plura_advisories::{
    AdvisorySetBuilder, Applied, Exception, ExceptionRules, ExceptionTerms, ImageNames, Match,
    Package, PackagePattern, RefusedException, Scope, SuppressedBy, apply,
    openvex::{Justification, ReadVexError, VexDocument, VexStatus},
    trivyignore::{ImportDefaults, ImportIgnoreError, TrivyIgnore},
};
use plura_oci::Digest;
use serde_json::json;

const DAY: SignedDuration = SignedDuration::from_hours(24);
const RULES: ExceptionRules = ExceptionRules { longest: SignedDuration::from_hours(90 * 24) };

fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

fn now() -> Timestamp {
    time("2026-11-21T00:00:00Z")
}

fn digest() -> Digest {
    Digest::sha256(b"the image")
}

fn terms(id: &str) -> ExceptionTerms {
    ExceptionTerms {
        id: id.into(),
        vulnerability: Some("CVE-2099-0008".into()),
        package: None,
        scope: Scope::Repositories("apps/**".parse().expect("a pattern")),
        reason: "no untrusted patterns".into(),
        owner: "ada".into(),
        approver: "grace".into(),
        granted_at: time("2026-11-01T00:00:00Z"),
        expires_at: time("2026-12-01T00:00:00Z"),
    }
}

/// Two matches: regex by CVE-2099-0008, libssl3 by CVE-2099-0001 and CVE-2099-0002.
fn matches() -> Vec<Match> {
    let mut builder = AdvisorySetBuilder::default();
    for record in include_str!("osv/made.jsonl").lines() {
        builder.add_json(record.as_bytes()).expect(record);
    }
    let packages = [
        Package::new("crates.io", "regex", "1.5.4"),
        Package::new("Debian:12", "libssl3", "3.0.9-1").built_from("openssl", "3.0.9-1"),
    ];
    builder.finish().match_all(&packages).flat_map(|(_, matches)| matches).collect()
}

fn applied<'a>(
    matches: &'a [Match],
    exceptions: &'a [Exception],
    documents: &'a [VexDocument],
) -> Applied<'a> {
    let digests = [digest()];
    let image = ImageNames { digests: &digests, repository: "apps/web", project: "apps" };
    apply(matches, exceptions, documents, &image, now(), 14 * DAY)
}

fn open(applied: &Applied<'_>) -> Vec<String> {
    applied.open.iter().map(|found| found.vulnerability.to_string()).collect()
}

fn ids(exceptions: &[&Exception]) -> Vec<String> {
    exceptions.iter().map(|exception| exception.terms().id.to_string()).collect()
}

#[test]
fn what_is_granted_is_no_longer_open() {
    let exceptions = [Exception::grant(terms("one"), RULES).unwrap()];
    let matches = matches();
    let applied = applied(&matches, &exceptions, &[]);
    assert_eq!(open(&applied), ["CVE-2099-0001", "CVE-2099-0002"]);
    let SuppressedBy::Exception(by) = applied.suppressed[0].by else { panic!() };
    assert_eq!(&*by.terms().id, "one");
    assert_eq!(ids(&applied.expiring), ["one"]);
    assert!(applied.unused.is_empty() && applied.expired.is_empty());
}

#[test]
fn any_name_of_the_vulnerability_does() {
    for name in ["RUSTSEC-2099-0008", "GHSA-test-0008-aaaa", "CVE-2099-0008"] {
        let mut terms = terms("one");
        terms.vulnerability = Some(name.into());
        let exceptions = [Exception::grant(terms, RULES).unwrap()];
        assert_eq!(applied(&matches(), &exceptions, &[]).suppressed.len(), 1, "{name}");
    }
}

#[test]
fn packages_are_named_by_pattern_ecosystem_and_version() {
    for (ecosystem, name, version, suppressed) in [
        (None, "lib*", None, 2),
        (None, "openssl", None, 2),
        (Some("Debian"), "openssl", Some("3.0.9-1"), 2),
        (Some("Debian:12"), "libssl3", None, 2),
        (Some("Debian:11"), "libssl3", None, 0),
        (Some("Alpine:v3.19"), "openssl", None, 0),
        (None, "openssl", Some("3.0.9-2"), 0),
        (None, "**", None, 3),
    ] {
        let package = PackagePattern {
            ecosystem: ecosystem.map(Into::into),
            name: name.parse().unwrap(),
            version: version.map(Into::into),
        };
        let terms = ExceptionTerms { vulnerability: None, package: Some(package), ..terms("one") };
        let exceptions = [Exception::grant(terms, RULES).unwrap()];
        let found = applied(&matches(), &exceptions, &[]).suppressed.len();
        assert_eq!(found, suppressed, "{ecosystem:?} {name} {version:?}");
    }
}

#[test]
fn an_exception_stays_in_its_scope() {
    for (scope, about) in [
        (Scope::Digest(digest()), true),
        (Scope::Digest(Digest::sha256(b"another")), false),
        (Scope::Repositories("apps/w*".parse().unwrap()), true),
        (Scope::Repositories("base/**".parse().unwrap()), false),
        (Scope::Project("apps".into()), true),
        (Scope::Project("base".into()), false),
    ] {
        let exceptions =
            [Exception::grant(ExceptionTerms { scope, ..terms("one") }, RULES).unwrap()];
        assert_eq!(applied(&matches(), &exceptions, &[]).suppressed.len(), usize::from(about));
    }
}

#[test]
fn exceptions_end_and_are_reported() {
    let of = |id: &str, name: &str, from: &str, until: &str| {
        let terms = ExceptionTerms {
            vulnerability: Some(name.into()),
            granted_at: time(from),
            expires_at: time(until),
            ..terms(id)
        };
        Exception::grant(terms, RULES).unwrap()
    };
    let exceptions = [
        of("over", "CVE-2099-0008", "2026-10-01T00:00:00Z", "2026-11-21T00:00:00Z"),
        of("not yet", "CVE-2099-0008", "2026-11-21T00:00:01Z", "2026-12-21T00:00:00Z"),
        of("long", "CVE-2099-0001", "2026-11-21T00:00:00Z", "2027-01-21T00:00:00Z"),
        of("unused", "CVE-2000-0001", "2026-11-20T00:00:00Z", "2027-01-21T00:00:00Z"),
        of("soon", "CVE-2099-0001", "2026-11-20T00:00:00Z", "2026-12-05T00:00:00Z"),
    ];
    let matches = matches();
    let applied = applied(&matches, &exceptions, &[]);
    assert_eq!(open(&applied), ["CVE-2099-0008", "CVE-2099-0002"]);
    assert_eq!(ids(&applied.expired), ["over"]);
    assert_eq!(ids(&applied.unused), ["unused"]);
    assert_eq!(ids(&applied.expiring), ["soon"]);
}

#[test]
fn what_may_not_be_granted_says_why() {
    let refused = |terms: ExceptionTerms| Exception::grant(terms, RULES).unwrap_err();
    let self_approved = ExceptionTerms { approver: " ada ".into(), ..terms("x") };
    assert_eq!(refused(self_approved), RefusedException::SelfApproved("ada".into()));
    let everything = ExceptionTerms { vulnerability: None, ..terms("x") };
    assert_eq!(refused(everything), RefusedException::Everything);
    let silent = ExceptionTerms { reason: " ".into(), ..terms("x") };
    assert_eq!(refused(silent), RefusedException::Missing("reason"));
    let backwards = ExceptionTerms { expires_at: terms("x").granted_at, ..terms("x") };
    assert!(matches!(refused(backwards), RefusedException::Expired(_)));
    let long = ExceptionTerms { expires_at: time("2027-01-30T00:00:01Z"), ..terms("x") };
    assert!(matches!(refused(long.clone()), RefusedException::TooLong { .. }));
    // What was granted under other rules stays.
    assert!(Exception::restore(long).is_ok());
}

#[test]
fn ignore_files_of_trivy_become_exceptions() {
    let file = "
vulnerabilities:
  - id: CVE-2099-0001
    purls:
      - pkg:deb/debian/openssl
      - pkg:deb/debian/libssl3@3.0.9-1
    expired_at: 2026-12-01
    statement: not reachable
  - id: CVE-2099-0008
  - id: CVE-2099-0009
    paths: [usr/lib/**]
misconfigurations:
  - id: AVD-DS-0001
secrets:
  - id: aws-access-key-id
    paths: [a]
";
    let ignored = TrivyIgnore::parse_yaml(file).unwrap();
    assert_eq!((ignored.entries.len(), ignored.other), (3, 2));
    let defaults = ImportDefaults {
        scope: Scope::Project("apps".into()),
        owner: "ada".into(),
        approver: "grace".into(),
        granted_at: now(),
        longest: RULES.longest,
    };
    let terms = ignored.entries[0].to_terms(&defaults).unwrap();
    let ids: Vec<_> = terms.iter().map(|terms| &*terms.id).collect();
    assert_eq!(ids, ["CVE-2099-0001-1", "CVE-2099-0001-2"]);
    assert_eq!(terms[0].expires_at, time("2026-12-01T00:00:00Z"));
    let exceptions: Vec<_> =
        terms.into_iter().map(|terms| Exception::grant(terms, RULES).unwrap()).collect();
    let matches = matches();
    assert_eq!(open(&applied(&matches, &exceptions, &[])), ["CVE-2099-0008", "CVE-2099-0002"]);
    let endless = &ignored.entries[1].to_terms(&defaults).unwrap()[0];
    assert_eq!(endless.expires_at, now() + RULES.longest);
    let by_path = ignored.entries[2].to_terms(&defaults).unwrap_err();
    assert!(matches!(by_path, ImportIgnoreError::Paths(_)), "{by_path}");
}

#[test]
fn lines_of_ignored_names_are_read() {
    let file = "# accepted\nCVE-2099-0001\n\nCVE-2099-0002 exp:2026-12-01 # soon\n";
    let ignored = TrivyIgnore::parse_lines(file).unwrap();
    let [first, second] = &ignored.entries[..] else { panic!("{ignored:?}") };
    assert_eq!((&*first.id, first.expired_at), ("CVE-2099-0001", None));
    assert_eq!(second.expired_at, Some(time("2026-12-01T00:00:00Z")));
    assert_eq!(&*second.statement, "soon");
    assert!(TrivyIgnore::parse_lines("CVE-1 exp:tomorrow").is_err());
}

#[test]
fn what_is_no_ignore_file_says_why() {
    for text in [
        "vulnerabilities: 7",
        "- a",
        "vulnerabilities:\n  - {}",
        "vulnerabilities: [{id: a, expired_at: never}]",
    ] {
        assert!(TrivyIgnore::parse_yaml(text).is_err(), "{text}");
    }
    let bomb = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    assert!(TrivyIgnore::parse_yaml(&bomb).is_err());
    assert!(TrivyIgnore::parse_yaml("").is_ok_and(|ignored| ignored.entries.is_empty()));
}

fn vex(statements: &serde_json::Value) -> Result<VexDocument, ReadVexError> {
    let document = json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "https://example.com/vex/1",
        "author": "ada",
        "timestamp": "2026-11-10T00:00:00Z",
        "version": 1,
        "statements": statements,
    });
    VexDocument::parse(document.to_string().as_bytes())
}

fn product(digest: &Digest) -> String {
    format!(
        "pkg:oci/web@{}?repository_url=registry.example/apps/web",
        digest.to_string().replace(':', "%3A")
    )
}

#[test]
fn vex_clears_what_the_image_does_not_have() {
    let clearing = |products: serde_json::Value| {
        vex(&json!([{
            "vulnerability": {"name": "CVE-2099-0001"},
            "products": products,
            "status": "not_affected",
            "justification": "vulnerable_code_not_in_execute_path",
        }]))
        .unwrap()
    };
    let image = product(&digest());
    let hex = digest().hex();
    for (products, clears) in [
        (json!([{"@id": image}]), true),
        (json!([image]), true),
        (json!([{"@id": format!("registry.example/apps/web@{}", digest())}]), true),
        (json!([{"@id": "web", "hashes": {"sha-256": hex}}]), true),
        (json!([{"@id": "x", "identifiers": {"purl": image}}]), true),
        (json!([{"@id": "pkg:oci/web?repository_url=other.example/apps/web"}]), true),
        (json!([{"@id": "pkg:oci/web?repository_url=other.example/web"}]), false),
        (json!([{"@id": product(&Digest::sha256(b"another"))}]), false),
        (json!([{"@id": image, "subcomponents": [{"@id": "pkg:deb/debian/openssl"}]}]), true),
        (json!([{"@id": image, "subcomponents": [{"@id": "pkg:deb/debian/curl"}]}]), false),
        (json!([{"@id": "pkg:deb/debian/libssl3@3.0.9-1"}]), true),
        (json!([{"@id": "pkg:deb/debian/libssl3@3.0.9-2"}]), false),
        (json!([]), false),
    ] {
        let documents = [clearing(products.clone())];
        let matches = matches();
        let applied = applied(&matches, &[], &documents);
        assert_eq!(applied.suppressed.len(), usize::from(clears), "{products}");
        if clears {
            let SuppressedBy::Vex(by, _) = applied.suppressed[0].by else { panic!() };
            assert_eq!(by.justification, Some(Justification::VulnerableCodeNotInExecutePath));
        }
    }
    // Without a product, it is about the image that it is attached to.
    let mut attached = clearing(json!([]));
    attached.subject = Some(digest());
    assert_eq!(applied(&matches(), &[], &[attached]).suppressed.len(), 1);
}

#[test]
fn the_newest_statement_counts() {
    let statement = |status: &str, at: &str| {
        json!({
            "vulnerability": {"name": "whatever", "aliases": ["RUSTSEC-2099-0008"]},
            "products": [product(&digest())],
            "status": status,
            "impact_statement": "see the ticket",
            "timestamp": at,
        })
    };
    let fixed = statement("fixed", "2026-11-11T00:00:00Z");
    let looking = statement("under_investigation", "2026-11-12T00:00:00Z");
    let later = statement("not_affected", "2026-11-22T00:00:00Z");
    for (statements, open_ones, noted) in [
        (vec![&fixed], 2, None),
        (vec![&fixed, &looking], 3, Some(VexStatus::UnderInvestigation)),
        (vec![&looking, &fixed, &later], 3, Some(VexStatus::UnderInvestigation)),
        (vec![&later], 3, None),
    ] {
        let documents = [vex(&json!(statements)).unwrap()];
        let matches = matches();
        let applied = applied(&matches, &[], &documents);
        assert_eq!(applied.open.len(), open_ones);
        assert_eq!(applied.noted.first().map(|noted| noted.statement.status), noted);
    }
}

#[test]
fn an_exception_for_what_vex_clears_is_not_unused() {
    let documents = [vex(&json!([{
        "vulnerability": "CVE-2099-0008", "products": [product(&digest())], "status": "fixed",
    }]))
    .unwrap()];
    let exceptions = [Exception::grant(terms("one"), RULES).unwrap()];
    let matches = matches();
    let applied = applied(&matches, &exceptions, &documents);
    assert!(matches!(applied.suppressed[0].by, SuppressedBy::Vex(..)));
    assert!(applied.unused.is_empty());
}

#[test]
fn what_is_no_vex_document_says_why() {
    let error = VexDocument::parse(br#"{"@context":"https://cyclonedx.org","timestamp":"2026-01-01T00:00:00Z","statements":[]}"#);
    assert!(matches!(error, Err(ReadVexError::Context(_))), "{error:?}");
    let unexcused = vex(&json!([{"vulnerability": "CVE-1", "status": "not_affected"}]));
    assert!(matches!(unexcused, Err(ReadVexError::Statement { number: 1, .. })), "{unexcused:?}");
    let nameless = vex(&json!([{"vulnerability": {}, "status": "affected"}]));
    assert!(matches!(nameless, Err(ReadVexError::Statement { .. })), "{nameless:?}");
    let unknown = vex(&json!([{"vulnerability": "CVE-1", "status": "maybe"}]));
    assert!(matches!(unknown, Err(ReadVexError::Malformed(_))), "{unknown:?}");
}
