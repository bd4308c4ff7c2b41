//! Expressions of users: what they may be, and that nothing that goes wrong is a yes.

use plura_policy::{
    Governance, Severity,
    facts::{ImageFacts, Known},
    gate::{Effect, Outcome},
};

use crate::given::{decide, image, vulnerability};

fn governance(expression: &str) -> Result<Governance, String> {
    let expression = toml::Value::String(expression.to_owned());
    let document = format!(
        "[gates.g.predicates.p]\nexpression = {expression}\n[[channels]]\nname = \"prod\"\n\
         gates = [\"g\"]\n"
    );
    Governance::from_toml(&document).map_err(|error| error.to_string())
}

fn evaluate(expression: &str, facts: &ImageFacts) -> Outcome {
    let governance = governance(expression).unwrap_or_else(|error| panic!("{error}"));
    let outcomes = decide(&governance, facts).outcomes;
    outcomes.into_iter().find(|outcome| outcome.gate == "predicates").expect("it was asked")
}

#[test]
fn expressions_are_about_the_facts() {
    let mut facts = image();
    let found = vec![vulnerability("CVE-1", Severity::High), vulnerability("CVE-2", Severity::Low)];
    facts.manifest.vulnerabilities = Known::Known(found);
    facts.manifest.annotations.insert("team".into(), "search".into());
    for expression in [
        "true",
        "repository.startsWith('apps/')",
        "digest.contains('sha256:')",
        "channel == 'prod:stable' && environment == 'prod'",
        "platform == null && platform_count == 0",
        "labels['plura.region'] == 'ap-1' && !('x' in labels)",
        "annotations.team == 'search' && has(annotations.team)",
        "user == '65532' && !is_root",
        "signatures.exists(s, s.policy == 'releases' && s.verified && 'release' in s.signers)",
        "provenance.size() == 1 && provenance.all(p, p.revision.startsWith('3f9c'))",
        "sboms.exists_one(s, s.format == 'cyclonedx')",
        "vulnerabilities.filter(v, v.severity == 'high').map(v, v.id) == ['CVE-1']",
        "vulnerabilities.all(v, v.fixed_in != null && !v.excepted && !v.not_affected)",
        "base.name.endsWith('/static') && base.matched && base.newer_since == null",
        "secrets == {}",
        "size(approvals) == 2 && approvals.exists(a, a.by == 'alice')",
        "checks.exists(c, c.name == 'smoke' && c.state == 'success')",
        "channels[0].channel == 'prod:candidate'",
        "now - pushed_at == 24 * 3600 && created < now && advisories_newest < now",
        "author == 'robot+apps+ci'",
        "approvals.exists(a, approvals.exists(b, a.by != b.by))",
    ] {
        let outcome = evaluate(expression, &facts);
        assert_eq!(outcome.effect, Effect::Allow, "{expression}: {outcome}");
    }
}

#[test]
fn what_cannot_be_said_is_refused_with_the_reason() {
    for (expression, reason) in [
        ("labels.missing == 'x'", "there is no `missing`"),
        ("channels[7].since > 0", "the list is not that long"),
        ("now / 0 == 1", "divides by zero"),
        ("9223372036854775807 + now > 0", "a number is too large"),
        ("now == 'today' || now > 'today'", "cannot be"),
        ("size(now) == 1", "cannot be"),
        ("now", "it is int, not true or false"),
        ("null", "it is null, not true or false"),
        ("int('x') == 1", "cannot"),
        ("user.contains(1)", "cannot be"),
    ] {
        let outcome = evaluate(expression, &image());
        assert_eq!(outcome.effect, Effect::Deny, "{expression}: {outcome}");
        assert!(outcome.observed.contains(reason), "{expression}: {outcome}");
    }
}

#[test]
fn expressions_that_cannot_be_used_are_problems_of_the_document() {
    let nested = |count: usize| format!("{}true{}", "(".repeat(count), ")".repeat(count));
    let loops = |count: usize| {
        let start: Vec<String> = (0..count).map(|i| format!("approvals.all(x{i}, ")).collect();
        format!("{}true{}", start.concat(), ")".repeat(count))
    };
    for (expression, reason) in [
        (String::new(), "1 to 2048 bytes"),
        (" ".repeat(2049), "1 to 2048 bytes"),
        ("user ==".to_owned(), "expected an expression of CEL"),
        ("user = 'x'".to_owned(), "expected an expression of CEL"),
        ("usr == 'x'".to_owned(), "there is no `usr`; expected advisories_newest"),
        ("approvals.exists(a, b.by == 'x')".to_owned(), "there is no `b`"),
        ("user.matches('(a+)+')".to_owned(), "there is no `matches()`"),
        ("timestamp('2026-11-20T00:00:00Z') > now".to_owned(), "there is no `timestamp()`"),
        ("image.Facts{a: 1} == null".to_owned(), "expected"),
        ("labels.?x == null".to_owned(), "expected an expression of CEL"),
        (nested(25), "at most 24 brackets"),
        (loops(3), "at most 2 loops"),
        ("approvals.map(a, a).map(a, a).map(a, a) == []".to_owned(), "at most 2 loops"),
        (["is_root"; 290].join("||"), "2048 bytes"),
        (["1"; 600].join("+"), "operations"),
    ] {
        let error = governance(&expression).expect_err(&expression);
        assert!(error.contains(reason), "{expression}: {error}");
        assert!(error.contains("gates.g.predicates.p.expression"), "{error}");
    }
    governance(&nested(8)).unwrap();
    governance(&loops(2)).unwrap();
}

#[test]
fn what_images_bring_does_not_make_expressions_expensive() {
    let pairs = "vulnerabilities.all(a, vulnerabilities.all(b, a.id != b.id || a == b))";
    let mut facts = image();
    let found = |count: usize| {
        let one = |i| vulnerability(&format!("CVE-{i}"), Severity::Low);
        Known::Known((0..count).map(one).collect())
    };
    facts.manifest.vulnerabilities = found(20);
    assert_eq!(evaluate(pairs, &facts).effect, Effect::Allow);
    facts.manifest.vulnerabilities = found(5_000);
    let outcome = evaluate(pairs, &facts);
    assert_eq!(outcome.effect, Effect::Deny);
    assert!(outcome.observed.contains("too much to look at: 5000 elements"), "{outcome}");
    // Once is no problem.
    let once = evaluate("vulnerabilities.all(v, v.severity == 'low')", &facts);
    assert_eq!(once.effect, Effect::Allow, "{once}");

    let Known::Known(configuration) = &mut facts.manifest.configuration else { panic!() };
    configuration.labels.insert("large".into(), "x".repeat(8 << 20));
    let outcome = evaluate(&["labels.large == 'x'"; 80].join("||"), &facts);
    assert_eq!(outcome.effect, Effect::Deny);
}
