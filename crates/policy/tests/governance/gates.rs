//! Each gate: what it answers to each state of the evidence, in both modes.

use plura_oci::Digest;
use plura_policy::{
    Severity,
    facts::{Block, CheckState, ImageFacts, Known, ManifestFacts, NewerBase, SbomFacts, Treatment},
    gate::{Effect, GateDecision, Outcome},
};

use crate::given::{
    approval, base, check, configuration, decide, excepted, governance, hours_ago, image, in_hours,
    index, now, provenance, signature, stable, vulnerability,
};

/// What the gate is told, what the image is, what the gate answers, and a part of what it found.
type Row = (&'static str, fn(&mut ImageFacts), Effect, &'static str);

use Effect::{Allow, Deny, Wait};

fn document(gate: &str, mode: &str, settings: &str) -> String {
    format!(
        "[base_images.distroless]\nnames = [\"gcr.io/distroless/*\"]\ndigests = [\"{}\"]\n\
         [base_images.any-debian]\nnames = [\"debian:*\"]\n\
         [gates.production.{gate}]\nmode = \"{mode}\"\n{settings}\n\
         [[channels]]\nname = \"prod:stable\"\ngates = [\"production\"]\n",
        Digest::sha256(b"distroless")
    )
}

/// Of what the gate says about the image, the strictest.
fn strictest(decision: &GateDecision, gate: &str) -> Outcome {
    let kind = gate.split('.').next().expect("a name");
    let of_gate = decision.outcomes.iter().filter(|outcome| outcome.gate == kind);
    let outcome = of_gate.rev().max_by_key(|outcome| outcome.effect).expect("it was asked");
    assert_eq!(outcome.rule, format!("gates.production.{gate}"));
    outcome.clone()
}

fn check_gate(gate: &str, given: fn() -> ImageFacts, rows: &[Row]) {
    for (settings, change, effect, observed) in rows {
        let mut facts = given();
        change(&mut facts);
        let context = format!("{gate} with `{settings}`, expecting {observed}");

        let decision = decide(&governance(&document(gate, "enforce", settings)), &facts);
        let outcome = strictest(&decision, gate);
        assert_eq!(outcome.effect, *effect, "{context}: {outcome}");
        assert!(outcome.observed.contains(observed), "{context}: {outcome}");
        assert_eq!(decision.effect, *effect, "{context}");
        assert_eq!(outcome.fix.is_some(), *effect != Allow, "{context}: {outcome}");
        assert!(!outcome.required.is_empty(), "{context}");
        assert!(outcome.until.is_none_or(|until| until > now()), "{context}: {outcome}");

        let decision = decide(&governance(&document(gate, "warn", settings)), &facts);
        let warned = strictest(&decision, gate);
        assert_eq!((warned.effect, warned.is_warning()), (*effect, *effect != Allow), "{context}");
        assert_eq!(decision.effect, Allow, "{context}: a warning decided");
    }
}

fn waiting<T>(known: &mut Known<T>) {
    *known = Known::Waiting("being looked at".into());
}

fn absent<T>(known: &mut Known<T>) {
    *known = Known::Absent("nobody brought it".into());
}

fn platform(facts: &mut ImageFacts) -> &mut ManifestFacts {
    &mut facts.platforms.as_mut().expect("an index")[1]
}

#[test]
fn signatures() {
    check_gate(
        "signature",
        image,
        &[
            ("", |_| (), Allow, "releases by release"),
            ("policies = [\"releases\"]", |_| (), Allow, "releases by release"),
            ("policies = [\"other\"]", |_| (), Deny, "no trust policy `other`"),
            ("", |f| f.manifest.signatures = Known::Known(vec![]), Deny, "no trust policy covers"),
            ("", |f| absent(&mut f.manifest.signatures), Deny, "nobody brought it"),
            ("", |f| waiting(&mut f.manifest.signatures), Wait, "being looked at"),
            (
                "",
                |f| f.manifest.signatures = Known::Known(vec![signature("releases", false)]),
                Deny,
                "releases: it has no signature",
            ),
            (
                "",
                |f| {
                    let both = vec![signature("releases", true), signature("security", false)];
                    f.manifest.signatures = Known::Known(both);
                },
                Deny,
                "security: it has no signature",
            ),
            (
                "policies = [\"releases\"]",
                |f| {
                    let both = vec![signature("releases", true), signature("security", false)];
                    f.manifest.signatures = Known::Known(both);
                },
                Allow,
                "releases by release",
            ),
        ],
    );
    check_gate(
        "signature",
        index,
        &[
            ("", |_| (), Allow, "releases by release"),
            ("", |f| absent(&mut f.manifest.signatures), Deny, "nobody brought it"),
            ("", |f| absent(&mut platform(f).signatures), Deny, "nobody brought it"),
            ("", |f| waiting(&mut platform(f).signatures), Wait, "being looked at"),
            ("", |f| f.platforms = Some(vec![]), Deny, "the index lists no platform"),
        ],
    );
}

#[test]
fn provenances() {
    check_gate(
        "provenance",
        image,
        &[
            ("", |_| (), Allow, "built by https://github.com/actions"),
            ("", |f| absent(&mut f.manifest.provenance), Deny, "nobody brought it"),
            ("", |f| waiting(&mut f.manifest.provenance), Wait, "being looked at"),
            ("", |f| f.manifest.provenance = Known::Known(vec![]), Deny, "no provenance"),
            ("builders = [\"https://github.com/*\"]", |_| (), Allow, "built by"),
            ("builders = [\"https://gitlab.com/*\"]", |_| (), Deny, "built by https://github.com"),
            ("sources = [\"https://github.com/example/*\"]", |_| (), Allow, "from https://github"),
            (
                "sources = [\"https://github.com/other/*\"]",
                |_| (),
                Deny,
                "built from https://github",
            ),
            ("", |f| set_provenance(f, |p| p.verified = false), Deny, "signed by nobody"),
            ("signed = false", |f| set_provenance(f, |p| p.verified = false), Allow, "built by"),
            (
                "sources = [\"*x\"]",
                |f| set_provenance(f, |p| p.source = None),
                Deny,
                "unknown source",
            ),
            (
                "",
                |f| set_provenance(f, |p| p.contradictions = vec!["another commit".into()]),
                Deny,
                "contradicted: another commit",
            ),
            (
                "",
                |f| {
                    let mut other = provenance();
                    other.verified = false;
                    f.manifest.provenance = Known::Known(vec![other, provenance()]);
                },
                Allow,
                "built by",
            ),
        ],
    );
    check_gate(
        "provenance",
        index,
        &[
            ("", |f| absent(&mut platform(f).provenance), Allow, "built by"),
            ("", |f| absent(&mut f.manifest.provenance), Allow, "built by"),
            (
                "",
                |f| {
                    absent(&mut f.manifest.provenance);
                    absent(&mut platform(f).provenance);
                },
                Deny,
                "nobody brought it",
            ),
            (
                "",
                |f| {
                    waiting(&mut f.manifest.provenance);
                    absent(&mut platform(f).provenance);
                },
                Wait,
                "being looked at",
            ),
        ],
    );
}

fn set_provenance(facts: &mut ImageFacts, change: fn(&mut plura_policy::facts::ProvenanceFacts)) {
    let mut changed = provenance();
    change(&mut changed);
    facts.manifest.provenance = Known::Known(vec![changed]);
}

#[test]
fn bills_of_materials() {
    fn unsigned(facts: &mut ImageFacts) {
        let sbom = SbomFacts { format: "cyclonedx".into(), verified: false };
        facts.manifest.sboms = Known::Known(vec![sbom]);
    }
    check_gate(
        "sbom",
        image,
        &[
            ("", |_| (), Allow, "cyclonedx, signed"),
            ("formats = [\"spdx\"]", |_| (), Deny, "cyclonedx, signed"),
            ("formats = [\"spdx\", \"cyclonedx\"]", |_| (), Allow, "cyclonedx"),
            ("", unsigned, Deny, "signed by nobody who is trusted"),
            ("signed = false", unsigned, Allow, "cyclonedx"),
            ("", |f| f.manifest.sboms = Known::Known(vec![]), Deny, "none"),
            ("", |f| absent(&mut f.manifest.sboms), Deny, "nobody brought it"),
            ("", |f| waiting(&mut f.manifest.sboms), Wait, "being looked at"),
        ],
    );
    check_gate(
        "sbom",
        index,
        &[
            ("", |f| absent(&mut platform(f).sboms), Allow, "cyclonedx"),
            ("", |f| absent(&mut f.manifest.sboms), Allow, "cyclonedx"),
        ],
    );
}

fn vulnerable(facts: &mut ImageFacts, found: Vec<plura_policy::facts::Vulnerability>) {
    facts.manifest.vulnerabilities = Known::Known(found);
}

#[test]
fn vulnerabilities() {
    use Severity::{Critical, High, Low, Medium, Unknown};
    check_gate(
        "vulnerabilities",
        image,
        &[
            ("", |_| (), Allow, "0 known"),
            ("", |f| absent(&mut f.manifest.vulnerabilities), Deny, "nobody brought it"),
            ("", |f| waiting(&mut f.manifest.vulnerabilities), Wait, "being looked at"),
            (
                "",
                |f| vulnerable(f, vec![vulnerability("C-1", Critical)]),
                Deny,
                "1 critical (C-1 in",
            ),
            (
                "",
                |f| vulnerable(f, vec![vulnerability("C-1", High)]),
                Deny,
                "1 high (C-1 in openssl)",
            ),
            (
                "",
                |f| vulnerable(f, vec![vulnerability("C-1", Medium)]),
                Deny,
                "without an exception",
            ),
            ("", |f| vulnerable(f, vec![vulnerability("C-1", Low)]), Allow, "1 known"),
            ("", |f| vulnerable(f, vec![vulnerability("C-1", Unknown)]), Allow, "1 known"),
            (
                "unknown = 0",
                |f| vulnerable(f, vec![vulnerability("C-1", Unknown)]),
                Deny,
                "1 unknown",
            ),
            ("high = 1", |f| vulnerable(f, vec![vulnerability("C-1", High)]), Allow, "1 known"),
            (
                "high = 1",
                |f| vulnerable(f, vec![vulnerability("C-1", High), vulnerability("C-2", High)]),
                Deny,
                "2 high (C-1 in openssl, C-2 in openssl)",
            ),
            (
                "high = \"any\"",
                |f| vulnerable(f, vec![vulnerability("C-1", High)]),
                Allow,
                "1 known",
            ),
        ],
    );
    check_gate(
        "vulnerabilities",
        index,
        &[
            ("", |_| (), Allow, "0 known"),
            (
                "",
                |f| {
                    platform(f).vulnerabilities =
                        Known::Known(vec![vulnerability("C-1", Critical)]);
                },
                Deny,
                "1 critical",
            ),
            ("", |f| waiting(&mut platform(f).vulnerabilities), Wait, "being looked at"),
        ],
    );
}

#[test]
fn vulnerabilities_that_somebody_decided_about() {
    use Severity::{Critical, High, Medium};
    check_gate(
        "vulnerabilities",
        image,
        &[
            (
                "",
                |f| vulnerable(f, vec![excepted("C-1", Medium, Some(in_hours(1)))]),
                Allow,
                "1 known",
            ),
            ("", |f| vulnerable(f, vec![excepted("C-1", Medium, Some(now()))]), Deny, "1 medium"),
            ("", |f| vulnerable(f, vec![excepted("C-1", Medium, None)]), Deny, "1 medium without"),
            // A number is a number: exceptions are for what takes them.
            ("", |f| vulnerable(f, vec![excepted("C-1", High, Some(in_hours(1)))]), Deny, "1 high"),
            (
                "high = \"excepted\"",
                |f| vulnerable(f, vec![excepted("C-1", High, Some(in_hours(1)))]),
                Allow,
                "1 known",
            ),
            (
                "",
                |f| {
                    let mut one = vulnerability("C-1", Critical);
                    one.treatment = Treatment::NotAffected { statement: "vex".into() };
                    vulnerable(f, vec![one]);
                },
                Allow,
                "1 known",
            ),
            (
                "fixable_only = true",
                |f| {
                    let mut one = vulnerability("C-1", Critical);
                    one.fixed_in = None;
                    vulnerable(f, vec![one]);
                },
                Allow,
                "1 known",
            ),
            (
                "fixable_only = true",
                |f| vulnerable(f, vec![vulnerability("C-1", Critical)]),
                Deny,
                "1 critical",
            ),
            (
                "grace = { high = \"7d\" }",
                |f| vulnerable(f, vec![vulnerability("C-1", High)]),
                Allow,
                "1 known",
            ),
            (
                "grace = { high = \"2d\" }",
                |f| vulnerable(f, vec![vulnerability("C-1", High)]),
                Deny,
                "1 high",
            ),
        ],
    );
}

#[test]
fn what_is_spared_for_a_time_says_until_when() {
    let governance = governance(&document("vulnerabilities", "enforce", "grace = {medium=\"4d\"}"));
    let mut facts = image();
    let later = excepted("C-2", Severity::Medium, Some(in_hours(200)));
    vulnerable(&mut facts, vec![vulnerability("C-1", Severity::Medium), later]);
    let decision = decide(&governance, &facts);
    // First seen three days ago, and spared for four.
    assert_eq!((decision.effect, decision.until), (Allow, Some(in_hours(24))));
    let later = governance.decide(&facts, &stable(), in_hours(24)).unwrap();
    assert_eq!(later.effect, Deny);
    let text = later.to_string();
    assert!(text.contains("update openssl to 3.0.2; or have exceptions made for C-1"), "{text}");
    let change = plura_policy::change::between(
        &later,
        &governance
            .decide(&facts.with_exception("ghsa-c-1", in_hours(99)), &stable(), in_hours(24))
            .unwrap(),
    );
    assert_eq!((change.before, change.after), (Deny, Allow));
    assert_eq!(change.outcomes.len(), 1, "{change}");
}

#[test]
fn base_images() {
    check_gate(
        "base_image",
        image,
        &[
            ("", |_| (), Allow, "gcr.io/distroless/static@sha256"),
            ("allow = [\"distroless\"]", |_| (), Allow, "(distroless)"),
            ("allow = [\"any-debian\"]", |_| (), Deny, "which is not allowed"),
            ("", |f| base(f).digest = None, Deny, "which is not allowed"),
            ("", |f| base(f).digest = Some(Digest::sha256(b"x")), Deny, "which is not allowed"),
            ("", |f| base(f).name = Some("scratch".into()), Deny, "which is not allowed"),
            ("", |f| absent(&mut f.manifest.base), Deny, "nobody brought it"),
            ("", |f| waiting(&mut f.manifest.base), Wait, "being looked at"),
            ("signed = true", |_| (), Allow, "distroless"),
            ("signed = true", |f| base(f).verified = false, Deny, "signed by nobody"),
            ("matched = true", |f| base(f).matched = false, Deny, "only declared"),
            ("", |f| base(f).matched = false, Allow, "distroless"),
            ("max_age = \"11d\"", |_| (), Allow, "distroless"),
            ("max_age = \"10d\"", |_| (), Deny, "too old"),
            ("max_age = \"10d\"", |f| base(f).created = None, Deny, "age is not known"),
            ("update_within = \"3d\"", |_| (), Allow, "distroless"),
            ("update_within = \"3d\"", |f| newer(f, 71), Allow, "distroless"),
            ("update_within = \"3d\"", |f| newer(f, 72), Deny, "too old"),
        ],
    );
    check_gate(
        "base_image",
        index,
        &[
            ("", |_| (), Allow, "distroless"),
            ("", |f| absent(&mut platform(f).base), Deny, "nobody brought it"),
        ],
    );
}

fn newer(facts: &mut ImageFacts, hours: i64) {
    let since = hours_ago(hours);
    base(facts).newer = Some(NewerBase { digest: Digest::sha256(b"newer"), since });
}

#[test]
fn labels() {
    const VERSION: &str = "required = [\"org.opencontainers.image.version\"]";
    check_gate(
        "labels",
        image,
        &[
            (VERSION, |_| (), Allow, "all are there"),
            ("required = [\"a\", \"b\"]", |_| (), Deny, "missing: a, b"),
            (VERSION, |f| configuration(f).labels.clear(), Deny, "missing: org.opencontainers"),
            (
                VERSION,
                |f| {
                    let labels = &mut configuration(f).labels;
                    labels.insert("org.opencontainers.image.version".into(), " ".into());
                },
                Deny,
                "missing: org.opencontainers",
            ),
            (
                VERSION,
                |f| {
                    configuration(f).labels.clear();
                    let annotations = &mut f.manifest.annotations;
                    annotations.insert("org.opencontainers.image.version".into(), "1".into());
                },
                Allow,
                "all are there",
            ),
            ("values = { \"plura.region\" = \"ap-*\" }", |_| (), Allow, "all are there"),
            ("values = { \"plura.region\" = \"eu-*\" }", |_| (), Deny, "plura.region=ap-1"),
            ("values = { \"plura.zone\" = \"*\" }", |_| (), Deny, "missing: plura.zone"),
            (VERSION, |f| absent(&mut f.manifest.configuration), Deny, "nobody brought it"),
            (VERSION, |f| waiting(&mut f.manifest.configuration), Wait, "being looked at"),
        ],
    );
    check_gate(
        "labels",
        index,
        &[
            (VERSION, |_| (), Allow, "all are there"),
            (
                "required = [\"only.here\"]",
                |f| {
                    f.manifest.annotations.insert("only.here".into(), "1".into());
                },
                Allow,
                "all are there",
            ),
        ],
    );
}

#[test]
fn non_root() {
    fn root(facts: &mut ImageFacts, user: &str) {
        configuration(facts).user = user.into();
        configuration(facts).is_root = true;
    }
    check_gate(
        "non_root",
        image,
        &[
            ("", |_| (), Allow, "user 65532"),
            ("", |f| root(f, "0:0"), Deny, "user 0:0"),
            ("", |f| root(f, ""), Deny, "no user, which is root"),
            ("", |f| absent(&mut f.manifest.configuration), Deny, "nobody brought it"),
            ("", |f| waiting(&mut f.manifest.configuration), Wait, "being looked at"),
        ],
    );
    check_gate("non_root", index, &[("", |_| (), Allow, "user 65532")]);
}

#[test]
fn secrets() {
    fn found(facts: &mut ImageFacts) {
        facts.manifest.secrets =
            Known::Known([("aws-key".to_owned(), 2), ("jwt".into(), 0)].into());
    }
    check_gate(
        "secrets",
        image,
        &[
            ("", |_| (), Allow, "none"),
            ("", found, Deny, "2 by aws-key"),
            ("ignore = [\"aws-*\"]", found, Allow, "none"),
            ("", |f| absent(&mut f.manifest.secrets), Deny, "nobody brought it"),
            ("", |f| waiting(&mut f.manifest.secrets), Wait, "being looked at"),
        ],
    );
}

#[test]
fn ages() {
    check_gate(
        "age",
        image,
        &[
            ("max = \"3d\"", |_| (), Allow, "built on 2026-11-18"),
            ("max = \"2d\"", |_| (), Deny, "built on 2026-11-18"),
            ("min = \"1d\"", |_| (), Allow, "pushed on 2026-11-19"),
            ("min = \"25h\"", |_| (), Wait, "pushed on 2026-11-19"),
            // Of a build that is reproducible nothing is known but when it came.
            (
                "max = \"2d\"",
                |f| configuration(f).created = Some(jiff::Timestamp::UNIX_EPOCH),
                Allow,
                "pushed on",
            ),
            ("max = \"1d\"", |f| configuration(f).created = Some(in_hours(9)), Deny, "pushed on"),
            ("max = \"2d\"", |f| absent(&mut f.manifest.configuration), Deny, "nobody brought it"),
            ("max = \"2d\"", |f| waiting(&mut f.manifest.configuration), Wait, "being looked at"),
        ],
    );
}

#[test]
fn advisories() {
    check_gate(
        "advisories",
        image,
        &[
            ("newest_within = \"4h\"", |_| (), Allow, "the newest is of"),
            ("newest_within = \"3h\"", |_| (), Deny, "the newest is of"),
            ("compared_within = \"2h\"", |_| (), Allow, "compared on"),
            ("compared_within = \"1h\"", |_| (), Wait, "compared on"),
            ("newest_within = \"3h\"\ncompared_within = \"1h\"", |_| (), Deny, "the newest is of"),
            ("newest_within = \"4h\"", |f| absent(&mut f.advisories), Deny, "nobody brought it"),
            ("newest_within = \"4h\"", |f| waiting(&mut f.advisories), Wait, "being looked at"),
        ],
    );
}

#[test]
fn approvals() {
    fn by_author(facts: &mut ImageFacts) {
        facts.author = Some("alice".into());
    }
    fn alone(facts: &mut ImageFacts) {
        by_author(facts);
        facts.approvals.truncate(1);
    }
    check_gate(
        "approvals",
        image,
        &[
            ("", |_| (), Allow, "approved by alice, bob"),
            ("required = 2", |_| (), Allow, "approved by alice, bob"),
            ("required = 3", |_| (), Wait, "approved by alice, bob"),
            ("", |f| f.approvals.clear(), Wait, "nobody approved it for prod:stable"),
            ("required = 2", |f| f.approvals[1].by = "alice".into(), Wait, "approved by alice"),
            ("roles = [\"promoter\"]", |_| (), Allow, "approved by"),
            ("roles = [\"maintainer\"]", |_| (), Wait, "nobody approved it"),
            ("required = 2", by_author, Wait, "approved by bob"),
            ("required = 2\nauthor = \"with_others\"", by_author, Allow, "approved by alice, bob"),
            ("author = \"with_others\"", alone, Wait, "approved by alice"),
            ("max_age = \"90m\"", |_| (), Allow, "approved by bob"),
            ("max_age = \"1h\"", |_| (), Wait, "nobody approved it"),
            ("required = 2", |f| f.approvals[0].expires = Some(now()), Wait, "approved by bob"),
            ("required = 2", |f| f.approvals[0].at = in_hours(1), Wait, "approved by bob"),
            (
                "required = 2",
                |f| f.approvals[0].channel = "stg".parse().unwrap(),
                Wait,
                "approved by bob",
            ),
            // Of two approvals of one person, the one that lasts.
            (
                "required = 2",
                |f| {
                    f.approvals[0].expires = Some(now());
                    f.approvals.push(approval("alice", 1));
                },
                Allow,
                "approved by alice, bob",
            ),
        ],
    );
}

#[test]
fn an_approval_that_ends_ends_the_decision() {
    let governance = governance(&document("approvals", "enforce", "required = 2"));
    let mut facts = image();
    facts.approvals[0].expires = Some(in_hours(5));
    assert_eq!(decide(&governance, &facts).until, Some(in_hours(5)));
    // With one more, the first to end does not matter.
    facts.approvals.push(approval("carol", 1));
    assert_eq!(decide(&governance, &facts).until, None);
}

#[test]
fn checks() {
    const SMOKE: &str = "required = [\"smoke\"]";
    check_gate(
        "checks",
        image,
        &[
            (SMOKE, |_| (), Allow, "`smoke` is successful"),
            (SMOKE, |f| f.checks.clear(), Wait, "`smoke` has no result yet"),
            (SMOKE, |f| f.checks[0].state = CheckState::Failure, Deny, "`smoke` is failing"),
            (SMOKE, |f| f.checks[0].state = CheckState::Pending, Wait, "`smoke` is running"),
            (SMOKE, |f| f.checks.push(check("smoke", CheckState::Failure, 2)), Allow, "successful"),
            (SMOKE, |f| f.checks.push(check("smoke", CheckState::Failure, 1)), Deny, "failing"),
            (SMOKE, |f| f.checks.push(check("load", CheckState::Failure, 0)), Allow, "successful"),
            (SMOKE, |f| f.checks[0].at = in_hours(1), Wait, "no result yet"),
            ("required = [\"smoke\", \"load\"]", |_| (), Wait, "`load` has no result yet"),
            ("required = [\"smoke\"]\nmax_age = \"2h\"", |_| (), Allow, "successful"),
            ("required = [\"smoke\"]\nmax_age = \"1h\"", |_| (), Wait, "too long ago"),
            ("required = [\"smoke\"]\nby = [\"robot+apps+*\"]", |_| (), Allow, "successful"),
            ("required = [\"smoke\"]\nby = [\"robot+other+*\"]", |_| (), Wait, "no result yet"),
        ],
    );
}

#[test]
fn predicates() {
    check_gate(
        "predicates.own",
        image,
        &[
            ("expression = \"user == '65532'\"", |_| (), Allow, "is true"),
            ("expression = \"user == 'root'\"", |_| (), Deny, "is false"),
            ("expression = \"now > pushed_at\"", |_| (), Allow, "is true"),
            ("expression = \"user\"", |_| (), Deny, "it is string, not true or false"),
            ("expression = \"labels['x'] == '1'\"", |_| (), Deny, "there is no `x`"),
            ("expression = \"base == null\"", |f| absent(&mut f.manifest.base), Allow, "is true"),
            ("expression = \"base == null\"", |f| waiting(&mut f.manifest.base), Wait, "looked at"),
            // What it does not name may wait.
            ("expression = \"user != ''\"", |f| waiting(&mut f.manifest.base), Allow, "is true"),
        ],
    );
    check_gate(
        "predicates.own",
        index,
        &[
            ("expression = \"platform == 'linux/amd64'\"", |_| (), Deny, "is false"),
            ("expression = \"platform.startsWith('linux/')\"", |_| (), Allow, "is true"),
            ("expression = \"platform_count == 2\"", |_| (), Allow, "is true"),
        ],
    );
}

#[test]
fn each_platform_answers_for_itself() {
    let governance = governance(&document("non_root", "enforce", ""));
    let mut facts = index();
    let Known::Known(configuration) = &mut platform(&mut facts).configuration else { panic!() };
    configuration.is_root = true;
    let decision = decide(&governance, &facts);
    let blocking: Vec<_> = decision.blocking().map(|one| one.platform.as_deref()).collect();
    assert_eq!(blocking, [Some("linux/arm64")]);
    assert_eq!(decision.outcomes.len(), 3, "blocked, and two platforms: {decision}");
}

#[test]
fn what_images_say_is_not_repeated_at_length() {
    let governance = governance(&document("base_image", "enforce", ""));
    let mut facts = image();
    base(&mut facts).name = Some("x\n".repeat(1 << 20));
    let decision = decide(&governance, &facts);
    assert_eq!(decision.effect, Deny);
    let text = decision.to_string();
    assert!(text.len() < 8_000 && text.lines().count() == 4, "{} bytes", text.len());
}

#[test]
fn an_expression_that_reads_the_clock_holds_for_a_minute() {
    let until = |expression: &str| {
        let settings = format!("expression = \"{expression}\"");
        let mut facts = image();
        let ends = Some(in_hours(5));
        vulnerable(&mut facts, vec![excepted("C-1", Severity::Medium, ends)]);
        decide(&governance(&document("predicates.p", "enforce", &settings)), &facts).until
    };
    assert_eq!(until("is_root"), None);
    assert_eq!(until("now > 0"), Some(now() + jiff::SignedDuration::from_secs(60)));
    assert_eq!(until("vulnerabilities.all(v, v.excepted)"), Some(in_hours(5)));
}

#[test]
fn what_is_blocked_is_in_no_channel() {
    let governance = governance("[[channels]]\nname = \"prod\"\n");
    let mut facts = image();
    assert_eq!(decide(&governance, &facts).effect, Allow);
    facts.blocked = Some(Block { reason: "CVE-1".into(), by: "sec".into(), at: hours_ago(1) });
    let decision = decide(&governance, &facts);
    assert_eq!(decision.effect, Deny);
    assert!(decision.to_string().contains("blocked by sec"), "{decision}");
}
