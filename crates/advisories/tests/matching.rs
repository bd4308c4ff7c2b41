//! What advisories say about packages, with versions on both sides of every bound.

use plura_advisories::{
    Advisory, AdvisorySet, AdvisorySetBuilder, Band, Decision, Match, MatchedAs, Package,
    SeveritySource,
};

const GENUINE: &[&str] = &[
    include_str!("osv/ALPINE-CVE-2025-26519.json"),
    include_str!("osv/DLA-3022-1.json"),
    include_str!("osv/GHSA-269g-pwp5-87pp.json"),
    include_str!("osv/GHSA-5crp-9r3c-p9vr.json"),
    include_str!("osv/GHSA-9f46-5r25-5wfm.json"),
    include_str!("osv/GHSA-j6gc-792m-qgm2.json"),
    include_str!("osv/GHSA-wcg3-cvx6-7396.json"),
    include_str!("osv/GHSA-whgm-jr23-g3j9.json"),
    include_str!("osv/GO-2022-0493.json"),
    include_str!("osv/PYSEC-2023-74.json"),
    include_str!("osv/RHSA-2025-9978.json"),
];

fn records() -> impl DoubleEndedIterator<Item = &'static str> {
    let made: Vec<_> = include_str!("osv/made.jsonl").lines().collect();
    GENUINE.iter().copied().chain(made)
}

fn set_of<'a>(records: impl IntoIterator<Item = &'a str>) -> AdvisorySet {
    let mut builder = AdvisorySetBuilder::default();
    for record in records {
        builder.add_json(record.as_bytes()).expect(record);
    }
    builder.finish()
}

fn set() -> AdvisorySet {
    set_of(records())
}

/// `vulnerability fixed,fixed` of each match, `?` behind what could not be judged.
fn matches(set: &AdvisorySet, package: &Package) -> Vec<String> {
    let line = |found: &Match| {
        let doubt = if found.is_certain() { "" } else { "?" };
        format!("{}{doubt} {}", found.vulnerability, found.fixed.join(","))
    };
    set.match_package(package).iter().map(line).collect()
}

#[track_caller]
fn check(ecosystem: &str, name: &str, version: &str, expected: &[&str]) {
    let package = Package::new(ecosystem, name, version);
    assert_eq!(matches(&set(), &package), expected, "{ecosystem} {name} {version}");
}

#[test]
fn alpine() {
    let affected = &["CVE-2025-26519 1.2.4_git20230717-r5"];
    check("Alpine:v3.19", "musl", "0.9.12", &[]);
    check("Alpine:v3.19", "musl", "0.9.13", affected);
    check("Alpine:v3.19", "musl", "1.2.4_git20230717-r4", affected);
    check("Alpine:v3.19", "musl", "1.2.4_git20230717-r5", &[]);
    check("Alpine:3.19.1", "musl", "1.2.4_git20230717-r4", affected);
    check("Alpine:v3.18", "musl", "1.2.4-r2", &["CVE-2025-26519 1.2.4-r3"]);
    check("Alpine:v3.18", "musl", "1.2.4-r3", &[]);
    check("Alpine:v3.21", "musl", "1.2.4-r2", &[]);
}

#[test]
fn debian_by_source() {
    let set = set();
    check("Debian:9", "dpkg", "1.18.25", &["CVE-2022-1664 1.18.26"]);
    check("Debian:9", "dpkg", "1.18.26", &[]);
    check("Debian:9", "dpkg", "1.18.26~rc1", &["CVE-2022-1664 1.18.26"]);
    check("Debian:10", "dpkg", "1.18.25", &[]);
    let libssl = Package::new("Debian:12", "libssl3", "3.0.11-1~deb12u1")
        .built_from("openssl", "3.0.11-1~deb12u1");
    let fix = "3.0.11-1~deb12u2";
    let both = [format!("CVE-2099-0001 {fix}"), format!("CVE-2099-0002 {fix}")];
    assert_eq!(matches(&set, &libssl), both);
    let found = &set.match_package(&libssl)[0];
    assert_eq!(found.matched_as, MatchedAs::Source);
    assert_eq!(found.advisories, ["DEBIAN-CVE-2099-0001".into(), "DSA-9999-1".into()]);
    assert_eq!(
        found.reason(),
        "DEBIAN-CVE-2099-0001, DSA-9999-1: openssl 3.0.11-1~deb12u1 (the source of libssl3) is before \
         3.0.11-1~deb12u2, which fixes it"
    );
    // A binary package that is called like a source of something else is not that.
    let other = Package::new("Debian:12", "openssl", "1.0").built_from("else", "1.0");
    assert_eq!(matches(&set, &other), [""; 0]);
    // Its vendor says that it never was affected.
    check("Debian:13", "openssl", "3.0.11-1", &[]);
    check("Debian:13", "openssl", "0~git20200101", &[]);
}

#[test]
fn ubuntu_and_its_paid_releases() {
    check("Ubuntu:22.04", "curl", "7.81.0-1ubuntu1.13", &["CVE-2099-0003 7.81.0-1ubuntu1.14"]);
    check("Ubuntu:22.04:LTS", "curl", "7.81.0-1ubuntu1.14", &[]);
    check("Ubuntu:18.04:LTS", "curl", "7.58.0-2", &[]);
    check("Ubuntu:Pro:18.04:LTS", "curl", "7.58.0-2", &["CVE-2099-0003 "]);
}

#[test]
fn rpm_distributions() {
    check("Red Hat:9", "sudo", "1.9.5p2-10.el9_6", &["CVE-2025-32462 0:1.9.5p2-10.el9_6.1"]);
    check("Red Hat:9", "sudo", "1.9.5p2-10.el9_6.1", &[]);
    check("Red Hat:8", "sudo", "1.9.5p2-10.el9_6", &[]);
    check("AlmaLinux:9", "kernel", "5.14.0-362.8.1.el9_2", &["CVE-2099-0004 5.14.0-362.8.1.el9_3"]);
    check("AlmaLinux:9", "kernel", "5.14.0-362.8.1.el9_3", &[]);
    check("Rocky Linux:8", "openssl", "1:1.1.1k-9.el8_7", &["CVE-2099-0005 1:1.1.1k-12.el8_9"]);
    check("Rocky Linux:8", "openssl", "1:1.1.1k-12.el8_9", &[]);
    check("Rocky Linux:8", "openssl", "1.1.1k-12.el8_9", &["CVE-2099-0005 1:1.1.1k-12.el8_9"]);
    let suse = Package::new(
        "SUSE:Linux Enterprise Server 15 SP4",
        "libopenssl1_1",
        "1.1.1l-150400.7.50.1",
    )
    .built_from("openssl-1_1", "1.1.1l-150400.7.50.1");
    assert_eq!(matches(&set(), &suse), ["CVE-2099-0006 1.1.1l-150400.7.53.1"]);
}

#[test]
fn rolling_distributions() {
    check("Wolfi", "curl", "8.3.0-r5", &["CVE-2099-0007 8.4.0-r0"]);
    check("Wolfi:20230201", "curl", "8.3.0-r5", &["CVE-2099-0007 8.4.0-r0"]);
    check("Chainguard", "curl", "8.4.0-r0", &[]);
    let library = Package::new("Wolfi", "libcurl", "8.3.0-r5").built_from("curl", "8.3.0-r5");
    assert_eq!(matches(&set(), &library), ["CVE-2099-0007 8.4.0-r0"]);
}

#[test]
fn npm() {
    check("npm", "ansi-html", "0.0.7", &["CVE-2021-23424 0.0.8"]);
    check("npm", "ansi-html", "0.0.8-rc.1", &["CVE-2021-23424 0.0.8"]);
    check("npm", "ansi-html", "0.0.8", &[]);
    check("npm", "@babel/traverse", "7.23.1", &["TEST-0012 8.0.0-alpha.4"]);
    check("npm", "@babel/traverse", "7.23.2", &[]);
    check("npm", "@babel/traverse", "8.0.0-alpha.3", &["TEST-0012 8.0.0-alpha.4"]);
    check("npm", "@babel/traverse", "8.0.0-alpha.4", &[]);
    check("npm", "@babel/traverse", "file:../x", &["TEST-0012? 8.0.0-alpha.4"]);
}

#[test]
fn pypi() {
    for name in ["requests", "Requests"] {
        check("PyPI", name, "2.2.1", &[]);
        check("PyPI", name, "2.3", &["CVE-2023-32681 2.31.0"]);
        check("PyPI", name, "2.30.0", &["CVE-2023-32681 2.31.0"]);
        check("PyPI", name, "2.31.0.dev1", &["CVE-2023-32681 2.31.0"]);
        check("PyPI", name, "2.31.0", &[]);
    }
}

#[test]
fn crates() {
    check("crates.io", "regex", "1.5.4", &["CVE-2099-0008 1.5.5"]);
    check("crates.io", "regex", "1.5.5", &[]);
    check("crates.io", "regex", "1.5.5-beta", &["CVE-2099-0008 1.5.5"]);
    check("crates.io", "time", "0.0.9", &[]);
    check("crates.io", "time", "0.2.6", &[]);
    check("crates.io", "time", "0.2.7", &["CVE-2020-26235 0.2.23"]);
    check("crates.io", "time", "0.2.22", &["CVE-2020-26235 0.2.23"]);
    check("crates.io", "time", "0.2.23", &[]);
}

/// What GitHub knows not to be affected although nobody has fixed it, and says beside the events.
#[test]
fn a_range_ends_where_its_database_knows_of_no_more() {
    check("crates.io", "time", "0.1.0", &["CVE-2020-26235 "]);
    check("crates.io", "time", "0.1.45", &["CVE-2020-26235 "]);
    check("crates.io", "time", "0.2.0", &[]);
    check("crates.io", "time", "0.3.36", &[]);
    let open = r#"{"id": "TEST-0100", "modified": "2026-01-01T00:00:00Z", "affected": [{
        "package": {"ecosystem": "npm", "name": "left"},
        "ranges": [{"type": "SEMVER", "events": [{"introduced": "1.0.0"}]}],
        "database_specific": {"last_known_affected_version_range": "<= 1.4.2"}
    }]}"#;
    // What is kept of a record says the same.
    let kept = serde_json::to_string(&Advisory::parse(open.as_bytes()).unwrap()).unwrap();
    for record in [open, &kept] {
        let set = set_of([record]);
        let found = |version| matches(&set, &Package::new("npm", "left", version));
        assert_eq!(found("1.4.2"), ["TEST-0100 "]);
        assert_eq!(found("1.4.3"), [] as [&str; 0]);
    }
}

#[test]
fn go_modules_and_the_standard_library() {
    check("Go", "stdlib", "go1.17.9", &["CVE-2022-29526 1.17.10,1.18.2"]);
    check("Go", "stdlib", "1.17.10", &[]);
    check("Go", "stdlib", "go1.18beta1", &["CVE-2022-29526 1.18.2"]);
    check("Go", "stdlib", "go1.18.1", &["CVE-2022-29526 1.18.2"]);
    check("Go", "stdlib", "go1.18.2", &[]);
    let fix = "0.0.0-20220412211240-33da011f77ad";
    let module = "golang.org/x/sys";
    check("Go", module, "v0.0.0-20220412211239-aaaaaaaaaaaa", &[&format!("CVE-2022-29526 {fix}")]);
    check("Go", module, "v0.0.0-20220412211240-33da011f77ad", &[]);
    check("Go", module, "v0.1.0", &[]);
    check("Go", module, "(devel)", &[&format!("CVE-2022-29526? {fix}")]);
}

#[test]
fn maven() {
    check("Maven", "junit:junit", "4.6", &[]);
    check("Maven", "junit:junit", "4.7", &["CVE-2020-15250 4.13.1"]);
    check("Maven", "junit/junit", "4.13", &["CVE-2020-15250 4.13.1"]);
    check("Maven", "junit:junit", "4.13.1-rc1", &["CVE-2020-15250 4.13.1"]);
    check("Maven", "junit:junit", "4.13.1", &[]);
    check("Maven", "com.google.guava:guava", "31.1-jre", &["TEST-0016 32.0.0-android"]);
    check("Maven", "com.google.guava:guava", "32.0.0-jre", &[]);
}

#[test]
fn ruby_php_and_dotnet() {
    check("RubyGems", "rack", "2.0.9.3", &["CVE-2099-0009 2.0.9.4"]);
    check("RubyGems", "rack", "2.0.9.4", &[]);
    check("RubyGems", "rack", "3.0.0.beta1", &["CVE-2099-0009 3.0.9.1"]);
    check("RubyGems", "rack", "3.0.9.1", &[]);
    check("RubyGems", "activesupport", "5.2.8.14", &["CVE-2023-22796 5.2.8.15"]);
    check("RubyGems", "activesupport", "5.2.8.15", &[]);
    check("RubyGems", "activesupport", "6.0.0.rc1", &[]);
    check("RubyGems", "activesupport", "6.0.0", &["CVE-2023-22796 6.1.7.1"]);
    check("RubyGems", "activesupport", "6.1.7", &["CVE-2023-22796 6.1.7.1"]);
    check("RubyGems", "activesupport", "6.1.7.1", &[]);
    check("RubyGems", "activesupport", "7.0.4.1.pre", &["CVE-2023-22796 7.0.4.1"]);
    check("RubyGems", "activesupport", "7.0.4.1", &[]);
    check("Packagist", "league/flysystem", "1.1.3", &["CVE-2021-32708 1.1.4"]);
    check("Packagist", "League/Flysystem", "v1.1.4", &[]);
    check("Packagist", "league/flysystem", "2.0.0-beta.1", &[]);
    check("Packagist", "league/flysystem", "2.0.0", &["CVE-2021-32708 2.1.1"]);
    check("Packagist", "league/flysystem", "2.1.1", &[]);
    check("Packagist", "league/flysystem", "dev-master", &["CVE-2021-32708? 1.1.4,2.1.1"]);
    check("NuGet", "newtonsoft.json", "12.0.3", &["GHSA-5crp-9r3c-p9vr 13.0.1"]);
    check("NuGet", "Newtonsoft.Json", "13.0.1-beta1", &["GHSA-5crp-9r3c-p9vr 13.0.1"]);
    check("NuGet", "Newtonsoft.Json", "13.0.1.0", &[]);
}

#[test]
fn bitnami_packages_have_revisions() {
    check("Bitnami", "nginx", "1.5.12-3", &[]);
    check("Bitnami", "nginx", "1.5.13-0", &["TEST-0017 1.23.2"]);
    check("Bitnami", "nginx", "1.23.1-7", &["TEST-0017 1.23.2"]);
    check("Bitnami", "nginx", "1.23.2-0", &[]);
}

#[test]
fn behind_a_limit_nothing_is_said() {
    check("Hex", "plug", "0.9.9", &[]);
    check("Hex", "plug", "1.99.0", &["TEST-0013 "]);
    check("Hex", "plug", "2.0.0", &[]);
}

#[test]
fn what_cannot_be_judged_is_not_left_out() {
    // Without an order, a list of versions decides, and nothing else does.
    check("A new one:7", "thing", "1.0 final", &["TEST-0014 "]);
    check("A new one:7", "thing", "1.2", &[]);
    check("A new one:8", "thing", "1.1", &[]);
    check("A new one:7", "other", "1.0", &["TEST-0014? "]);
    // A bound that is no version.
    check("PyPI", "some-thing", "1.0", &["TEST-0015 "]);
    check("PyPI", "some-thing", "1.5", &["TEST-0015? "]);
    // A kind of range and a kind of event that nobody knows.
    check("PyPI", "strange", "1.0", &["TEST-0015? "]);
    let found = &set().match_package(&Package::new("PyPI", "some-thing", "1.5"))[0];
    let Decision::Undecided { reason } = &found.decision else { panic!("{found:?}") };
    assert!(reason.contains("not a version"), "{reason}");
}

#[test]
fn withdrawn_advisories_say_nothing() {
    let set = set();
    assert_eq!(set.counts().withdrawn, 1);
    assert_eq!(set.canonical("CVE-2099-0011"), None);
    // A newer record that withdraws takes back what an older one said, in whichever order they come.
    let old = r#"{"id":"X-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":
        {"ecosystem":"npm","name":"x"},"versions":["1.0.0"]}]}"#;
    let new =
        r#"{"id":"X-1","modified":"2026-01-02T00:00:00Z","withdrawn":"2026-01-02T00:00:00Z"}"#;
    let package = Package::new("npm", "x", "1.0.0");
    assert_eq!(matches(&set_of([old]), &package).len(), 1);
    assert_eq!(matches(&set_of([old, new]), &package), [""; 0]);
    assert_eq!(matches(&set_of([new, old]), &package), [""; 0]);
}

#[test]
fn names_of_one_vulnerability_are_brought_together() {
    let set = set();
    let found = &set.match_package(&Package::new("crates.io", "regex", "1.5.4"))[0];
    assert_eq!(found.aliases, ["GHSA-test-0008-aaaa".into(), "RUSTSEC-2099-0008".into()]);
    assert_eq!(found.advisories, found.aliases);
    assert!(found.is_called("RUSTSEC-2099-0008") && !found.is_called("CVE-2099-0009"));
    for name in ["CVE-2099-0008", "GHSA-test-0008-aaaa", "RUSTSEC-2099-0008"] {
        assert_eq!(set.canonical(name), Some("CVE-2099-0008"));
    }
    // An advisory about one vulnerability leads there; one about several is none of them.
    assert_eq!(set.canonical("DEBIAN-CVE-2099-0001"), Some("CVE-2099-0001"));
    assert_eq!(set.canonical("DSA-9999-1"), None);
    // Two CVEs stay two, even where one advisory is about both.
    assert_eq!(set.names_of("CVE-2099-0001"), ["CVE-2099-0001"]);
    assert_eq!(set.names_of("CVE-2022-29526")[0], "CVE-2022-29526");
}

#[test]
fn two_cves_are_never_one() {
    let set = set_of([
        r#"{"id":"GHSA-a","modified":"2026-01-01T00:00:00Z","aliases":["CVE-1","CVE-2"],"affected":[
            {"package":{"ecosystem":"npm","name":"x"},"versions":["1.0.0"]}]}"#,
        r#"{"id":"GHSA-b","modified":"2026-01-01T00:00:00Z","aliases":["CVE-2","OTHER-2"],"affected":[
            {"package":{"ecosystem":"npm","name":"y"},"versions":["1.0.0"]}]}"#,
        r#"{"id":"OTHER-2","modified":"2026-01-01T00:00:00Z","aliases":["CVE-3"],"affected":[
            {"package":{"ecosystem":"npm","name":"z"},"versions":["1.0.0"]}]}"#,
    ]);
    assert_eq!(matches(&set, &Package::new("npm", "x", "1.0.0")), ["CVE-1 ", "CVE-2 "]);
    assert_eq!(matches(&set, &Package::new("npm", "y", "1.0.0")), ["CVE-2 "]);
    assert_eq!(set.canonical("OTHER-2"), Some("CVE-2"));
}

#[test]
fn severities_say_where_they_are_from() {
    let set = set();
    for (package, band, source, score, stated_by) in [
        // The vendor's word counts for an operating system, CVSS elsewhere.
        (
            Package::new("Debian:12", "openssl", "3.0.9-1"),
            Band::Negligible,
            SeveritySource::Vendor,
            None,
            "DEBIAN-CVE-2099-0001",
        ),
        (
            Package::new("Ubuntu:22.04", "curl", "7.81.0-1"),
            Band::Medium,
            SeveritySource::Vendor,
            None,
            "UBUNTU-CVE-2099-0003",
        ),
        (
            Package::new("AlmaLinux:9", "kernel", "5.14.0-1"),
            Band::High,
            SeveritySource::Vendor,
            None,
            "ALSA-2099:0004",
        ),
        (
            Package::new("Alpine:v3.19", "musl", "1.2.4-r1"),
            Band::High,
            SeveritySource::CvssV3,
            Some("7.0"),
            "ALPINE-CVE-2025-26519",
        ),
        (
            Package::new("Maven", "junit:junit", "4.8"),
            Band::Medium,
            SeveritySource::CvssV3,
            Some("4.4"),
            "GHSA-269g-pwp5-87pp",
        ),
        (
            Package::new("NuGet", "Example.Json", "12.0.3"),
            Band::High,
            SeveritySource::CvssV4,
            Some("8.7"),
            "GHSA-test-0010-aaaa",
        ),
        (
            Package::new("RubyGems", "rack", "1.0"),
            Band::Low,
            SeveritySource::Vendor,
            None,
            "GHSA-test-0009-aaaa",
        ),
    ] {
        let severity = &set.match_package(&package)[0].severity;
        let found = (severity.band, severity.source, severity.score.map(|s| s.to_string()));
        assert_eq!(found, (band, source, score.map(str::to_owned)), "{package:?}");
        assert_eq!(severity.stated_by.as_deref(), Some(stated_by));
    }
}

#[test]
fn a_set_is_what_its_advisories_are() {
    let set = set();
    assert_eq!(set_of(records().rev()).digest(), set.digest());
    assert_ne!(set_of(records().skip(1)).digest(), set.digest());
    assert_eq!(set.newest().unwrap().to_string(), "2026-07-08T06:28:00.604230885Z");
    let counts = set.counts();
    assert_eq!((counts.advisories, counts.withdrawn, counts.undecidable), (28, 1, 3));
    // What a record is reduced to is a record of the same, so that it can be stored.
    let reduced = records()
        .map(|record| serde_json::to_string(&Advisory::parse(record.as_bytes()).unwrap()).unwrap());
    let reduced: Vec<_> = reduced.collect();
    let again = set_of(reduced.iter().map(String::as_str));
    assert_eq!((again.digest(), again.counts()), (set.digest(), counts));
    let package = Package::new("Go", "stdlib", "go1.17.9");
    assert_eq!(again.match_package(&package), set.match_package(&package));
}

#[test]
fn only_affected_packages_are_listed() {
    let packages = [
        Package::new("npm", "left-pad", "1.0.0"),
        Package::new("npm", "ansi-html", "0.0.7"),
        Package::new("PyPI", "requests", "2.31.0"),
    ];
    let set = set();
    let found: Vec<_> = set.match_all(&packages).collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].0, &packages[1]);
}

#[test]
fn summaries_are_one_short_line() {
    let summary = |text: &str| {
        let record = serde_json::json!({
            "id": "X", "modified": "2026-01-01T00:00:00Z", "summary": text,
        });
        Advisory::parse(record.to_string().as_bytes()).unwrap().summary
    };
    assert_eq!(&*summary(" a\nb\t\u{1b}[31mc "), "a b [31mc");
    assert_eq!(summary(&"word ".repeat(1000)).len(), 499);
    assert_eq!(&*summary(&"x".repeat(1000)), "");
}

#[test]
fn what_is_no_record_says_why() {
    for (json, expected) in [
        ("", "EOF"),
        ("[]", "record of the OSV schema"),
        (r#"{"id":"X"}"#, "modified"),
        (r#"{"id":"","modified":"2026-01-01T00:00:00Z"}"#, "`id`"),
        (r#"{"id":"a b","modified":"2026-01-01T00:00:00Z"}"#, "`id`"),
        (r#"{"id":"X","modified":"yesterday"}"#, "year"),
        (
            r#"{"id":"X","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm",
                "name":"a\u001fb"}}]}"#,
            "name of a package",
        ),
        (
            r#"{"id":"X","modified":"2026-01-01T00:00:00Z","affected":[{"versions":"1"}]}"#,
            "sequence",
        ),
        (
            r#"{"id":"X","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"name":"x"}}]}"#,
            "ecosystem",
        ),
    ] {
        let error = Advisory::parse(json.as_bytes()).expect_err(json).to_string();
        assert!(error.contains(expected), "{json}: {error}");
    }
    let deep = format!(
        r#"{{"id":"X","modified":"2026-01-01T00:00:00Z","database_specific":{}"#,
        "[".repeat(100_000)
    );
    assert!(Advisory::parse(deep.as_bytes()).is_err());
}
