//! Any two lines: names, patterns, scopes and SPIFFE IDs are printed as what reads back the same, and
//! patterns cover exactly what the regular expression does that they stand for.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use plura_policy::{
    AccountName, Pattern, Permission, ProjectName, Role, Scope, SpiffeId, SpiffePattern,
};
use regex::Regex;

fuzz_target!(|text: &str| {
    let (first, second) = text.split_once('\n').unwrap_or((text, ""));
    reads_back::<AccountName>(first);
    reads_back::<ProjectName>(first);
    reads_back::<Scope>(first);
    reads_back::<Role>(first);
    reads_back::<Permission>(first);
    let id = reads_back::<SpiffeId>(second);
    if let (Some(pattern), Some(id)) = (reads_back::<SpiffePattern>(first), &id) {
        // Another domain's is never covered.
        assert!(!pattern.matches(id) || first.contains(id.trust_domain()));
    }
    if let Some(id) = id {
        assert!(SpiffePattern::from(id.clone()).matches(&id));
    }
    if let Some(pattern) = reads_back::<Pattern>(first) {
        let expected = oracle(pattern.as_str()).is_match(second);
        assert_eq!(pattern.covers_text(second), expected, "{pattern} and {second:?}");
    }
});

fn reads_back<T>(text: &str) -> Option<T>
where
    T: FromStr + Display + PartialEq + Debug,
    T::Err: Debug,
{
    let value = text.parse::<T>().ok()?;
    assert_eq!(value.to_string().parse::<T>().expect("what is printed is read"), value);
    Some(value)
}

fn oracle(pattern: &str) -> Regex {
    let escaped = regex::escape(pattern).replace(r"\*\*", "(?s:.*)").replace(r"\*", "[^/]*");
    Regex::new(&format!("^(?:{escaped})\\z")).expect("a regular expression")
}
