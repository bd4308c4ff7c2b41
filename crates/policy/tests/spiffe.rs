//! SPIFFE IDs against the rules of the standard, and patterns against a model.

use plura_policy::ParseSpiffeError::{self, Path, Scheme, TooLong, TrustDomain, Wildcard};
use plura_policy::{SpiffeId, SpiffePattern};
use proptest::prelude::*;

#[test]
fn ids_are_accepted_exactly_as_the_standard_says() {
    let longest_domain = format!("spiffe://{}/a", "d".repeat(255));
    let longest = format!("spiffe://td/{}", "a".repeat(2048 - "spiffe://td/".len()));
    for text in [
        "spiffe://td",
        "spiffe://td/a",
        "spiffe://prod.example.com/ns/ci/sa/builder",
        "spiffe://1_a-b.c/A.b_c-0/...",
        "spiffe://td/.a",
        &longest_domain,
        &longest,
    ] {
        assert_eq!(text.parse::<SpiffeId>().map(|id| id.to_string()), Ok(text.to_owned()));
    }
}

#[test]
fn what_is_not_an_id_is_refused_with_the_part_that_is_wrong() {
    let check = |text: &str, expected: ParseSpiffeError| {
        assert_eq!(text.parse::<SpiffeId>(), Err(expected), "{text}");
    };
    for text in
        ["", "spiffe", "spiffe:", "spiffe:/td/a", "SPIFFE://td/a", "https://td/a", " spiffe://td"]
    {
        check(text, Scheme);
    }
    for authority in [
        "", "Td", "td:443", "user@td", "td?a", "td#a", "t d", "té", "[::1]", "td%41", "*", "td\0",
        "td\\",
    ] {
        check(&format!("spiffe://{authority}"), TrustDomain);
        check(&format!("spiffe://{authority}/a"), TrustDomain);
    }
    for path in [
        "", "a/", "/a", "a//b", ".", "..", "a/../b", "a/.", "a?b", "a?b=c", "a#b", "a%2fb", "a b",
        "é", "a:b", "a@b", "a\n", "*", "**",
    ] {
        check(&format!("spiffe://td/{path}"), Path);
    }
    check(&format!("spiffe://{}", "d".repeat(256)), TrustDomain);
    check(&format!("spiffe://td/{}", "a".repeat(2048)), TooLong);
}

#[test]
fn an_id_knows_its_parts() {
    let id: SpiffeId = "spiffe://example.com/ns/ci/sa/builder".parse().unwrap();
    assert_eq!(id.trust_domain(), "example.com");
    assert_eq!(id.segments().collect::<Vec<_>>(), ["ns", "ci", "sa", "builder"]);
    assert!(id.names_a_workload());
    let domain: SpiffeId = "spiffe://example.com".parse().unwrap();
    assert_eq!((domain.trust_domain(), domain.segments().count()), ("example.com", 0));
    assert!(!domain.names_a_workload());
}

#[test]
fn patterns_stand_for_what_they_say() {
    let check = |pattern: &str, id: &str, expected: bool| {
        let (pattern, id) = (pattern.parse::<SpiffePattern>().unwrap(), id.parse().unwrap());
        assert_eq!(pattern.matches(&id), expected, "{pattern} {id}");
    };
    check("spiffe://td/ns/*/sa/ci", "spiffe://td/ns/web/sa/ci", true);
    check("spiffe://td/ns/*/sa/ci", "spiffe://td/ns/web/sa/cid", false);
    check("spiffe://td/ns/*/sa/ci", "spiffe://td/ns/a/b/sa/ci", false);
    check("spiffe://td/ns/*/sa/ci", "spiffe://td/ns/sa/ci", false);
    check("spiffe://td/ns/*/sa/ci", "spiffe://td/ns/web/sa/ci/x", false);
    check("spiffe://td/ns/*/sa/ci", "spiffe://other/ns/web/sa/ci", false);
    check("spiffe://td/ns/*", "spiffe://td/ns", false);
    check("spiffe://td/ns/**", "spiffe://td/ns", true);
    check("spiffe://td/ns/**", "spiffe://td/ns/a/b/c", true);
    check("spiffe://td/ns/**", "spiffe://td/nsx/a", false);
    check("spiffe://td/**", "spiffe://td", true);
    check("spiffe://td/**", "spiffe://td.evil/a", false);
    check("spiffe://td/*/**", "spiffe://td", false);
    check("spiffe://td", "spiffe://td", true);
    check("spiffe://td", "spiffe://td/a", false);
    check("spiffe://td/a", "spiffe://td/A", false);
}

#[test]
fn wildcards_are_refused_where_they_mean_nothing() {
    let check = |text: &str, expected: ParseSpiffeError| {
        assert_eq!(text.parse::<SpiffePattern>(), Err(expected), "{text}");
    };
    for path in ["a*", "*a", "**/a", "a/**/b", "***", "a/**b", "*?"] {
        check(&format!("spiffe://td/{path}"), Wildcard);
    }
    check("spiffe://*/a", TrustDomain);
    check("spiffe://*.td/a", TrustDomain);
    check("spiffe://td/a?", Path);
    check("spiffe://td/**/", Wildcard);
    check("td/*", Scheme);
}

#[test]
fn both_are_text_in_json() {
    let id: SpiffeId = serde_json::from_str(r#""spiffe://td/a""#).unwrap();
    assert_eq!(serde_json::to_string(&id).unwrap(), r#""spiffe://td/a""#);
    let pattern: SpiffePattern = serde_json::from_str(r#""spiffe://td/*""#).unwrap();
    assert_eq!(serde_json::to_string(&pattern).unwrap(), r#""spiffe://td/*""#);
    assert!(serde_json::from_str::<SpiffeId>(r#""spiffe://td/*""#).is_err());
}

const SEGMENT: &str = "[a-zA-Z0-9_-][a-zA-Z0-9._-]{0,7}";

fn text_of(trust_domain: &str, segments: &[String]) -> String {
    segments.iter().fold(format!("spiffe://{trust_domain}"), |text, segment| text + "/" + segment)
}

/// What the documentation of patterns says, by recursion.
fn stands_for(wanted: &[String], found: &[String]) -> bool {
    match (wanted.split_first(), found.split_first()) {
        (None, None) => true,
        (Some((first, rest)), _) if first == "**" && rest.is_empty() => true,
        (Some((wanted, rest)), Some((found, left))) => {
            (wanted == "*" || wanted == found) && stands_for(rest, left)
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn whatever_is_accepted_is_what_was_written_and_fits_the_rules(
        text in prop_oneof!["\\PC*", "spiffe://[a-z./*?#:@%]{0,12}", "spiffe://[a-z]{1,4}/\\PC{0,12}"],
    ) {
        if let Ok(id) = text.parse::<SpiffeId>() {
            prop_assert_eq!(id.as_str(), &text);
            let segments: Vec<_> = id.segments().map(str::to_owned).collect();
            prop_assert_eq!(text_of(id.trust_domain(), &segments), text.as_str());
            prop_assert!(segments.iter().all(|s| !s.is_empty() && s != "." && s != ".."));
            prop_assert!(SpiffePattern::from(id.clone()).matches(&id));
        }
        if let Ok(pattern) = text.parse::<SpiffePattern>() {
            prop_assert_eq!(pattern.as_str(), &text);
        }
    }

    #[test]
    fn what_is_of_the_grammar_is_accepted(
        trust_domain in "[a-z0-9._-]{1,20}",
        segments in prop::collection::vec(SEGMENT, 0..8),
    ) {
        let id: SpiffeId = text_of(&trust_domain, &segments).parse().unwrap();
        prop_assert_eq!(id.trust_domain(), trust_domain);
        prop_assert!(id.segments().eq(segments.iter().map(String::as_str)));
    }

    #[test]
    fn patterns_match_as_the_model_does(
        wanted in prop::collection::vec(prop_oneof!["[ab]", Just("*".to_owned())], 0..5),
        open in any::<bool>(),
        found in prop::collection::vec("[ab]", 0..6),
        same in any::<bool>(),
    ) {
        let mut wanted = wanted;
        wanted.extend(open.then(|| "**".to_owned()));
        let pattern: SpiffePattern = text_of("td", &wanted).parse().unwrap();
        let id = text_of(if same { "td" } else { "td2" }, &found).parse().unwrap();
        prop_assert_eq!(pattern.matches(&id), same && stands_for(&wanted, &found));
    }
}
