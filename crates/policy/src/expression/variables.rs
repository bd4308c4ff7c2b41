//! What expressions can name.

use std::collections::{BTreeMap, HashMap};

use cel::Value;
use jiff::Timestamp;

use crate::{
    facts::{
        Approval, BaseFacts, ChannelStay, CheckResult, CheckState, Known, ManifestFacts,
        ProvenanceFacts, SbomFacts, SignatureFacts, Vulnerability,
    },
    gate::Case,
};

type Read = fn(&Case<'_>, &ManifestFacts) -> Known<Value>;

/// Times are seconds since 1970. What is absent is null. Of an index, each platform is looked at by
/// itself; provenance and bills of materials are those of the platform and of the index together.
const VARIABLES: [(&str, Read); 25] = [
    ("advisories_newest", |case, _| case.facts.advisories.map(|known| time(known.newest))),
    ("annotations", |case, manifest| {
        let mut annotations = case.facts.manifest.annotations.clone();
        annotations.extend(manifest.annotations.clone());
        Known::Known(texts(&annotations))
    }),
    ("approvals", |case, _| Known::Known(list(&case.facts.approvals, approval))),
    ("author", |case, _| Known::Known(optional(case.facts.author.as_ref()))),
    ("base", |_, manifest| manifest.base.map(base)),
    ("channel", |case, _| Known::Known(optional(case.channel.map(ToString::to_string)))),
    ("channels", |case, _| Known::Known(list(&case.facts.channels, stay))),
    ("checks", |case, _| Known::Known(list(&case.facts.checks, check))),
    ("created", |_, manifest| {
        manifest.configuration.map(|known| known.created.map_or(Value::Null, time))
    }),
    ("digest", |case, _| Known::Known(case.facts.manifest.digest.to_string().into())),
    ("environment", |case, _| {
        Known::Known(optional(case.channel.map(|channel| channel.environment().to_owned())))
    }),
    ("is_root", |_, manifest| manifest.configuration.map(|known| Value::Bool(known.is_root))),
    ("labels", |_, manifest| manifest.configuration.map(|known| texts(&known.labels))),
    ("now", |case, _| Known::Known(time(case.now))),
    ("platform", |_, manifest| Known::Known(optional(manifest.platform.as_ref()))),
    ("platform_count", |case, _| {
        let platforms = case.facts.platforms.as_ref().map_or(0, Vec::len);
        Known::Known(Value::Int(i64::try_from(platforms).unwrap_or(i64::MAX)))
    }),
    ("platform_digest", |_, manifest| Known::Known(manifest.digest.to_string().into())),
    ("provenance", |case, manifest| {
        together(&manifest.provenance, &case.facts.manifest.provenance, provenance)
    }),
    ("pushed_at", |case, _| Known::Known(time(case.facts.pushed_at))),
    ("repository", |case, _| Known::Known(case.facts.repository.as_str().into())),
    ("sboms", |case, manifest| together(&manifest.sboms, &case.facts.manifest.sboms, sbom)),
    ("secrets", |_, manifest| {
        manifest.secrets.map(|known| {
            let counts = known.iter().map(|(rule, count)| (rule, Value::Int((*count).into())));
            map(counts)
        })
    }),
    ("signatures", |_, manifest| manifest.signatures.map(|known| list(known, signature))),
    ("user", |_, manifest| manifest.configuration.map(|known| known.user.as_str().into())),
    ("vulnerabilities", |case, manifest| {
        let now = case.now;
        manifest.vulnerabilities.map(|known| list(known, |one| vulnerability(one, now)))
    }),
];

/// What can be named.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    VARIABLES.iter().map(|(name, _)| *name)
}

/// What the name stands for.
pub(super) fn value(name: &str, case: &Case<'_>, manifest: &ManifestFacts) -> Known<Value> {
    match VARIABLES.iter().find(|(known, _)| *known == name) {
        Some((_, read)) => read(case, manifest),
        None => Known::Absent(format!("there is no `{name}`")),
    }
}

/// Both lists as one; what one of them lacks, the other may have.
fn together<T>(
    own: &Known<Vec<T>>,
    index: &Known<Vec<T>>,
    entry: impl Fn(&T) -> Value,
) -> Known<Value> {
    match (own, index) {
        (Known::Waiting(what), _) | (_, Known::Waiting(what)) => Known::Waiting(what.clone()),
        (Known::Absent(why), Known::Absent(_)) => Known::Absent(why.clone()),
        _ => {
            // An image without an index is its own.
            let other = if std::ptr::eq(own, index) { None } else { index.known() };
            let entries = own.known().into_iter().chain(other).flatten();
            Known::Known(Value::List(entries.map(entry).collect::<Vec<_>>().into()))
        }
    }
}

fn time(time: Timestamp) -> Value {
    Value::Int(time.as_second())
}

fn optional(text: Option<impl AsRef<str>>) -> Value {
    text.map_or(Value::Null, |text| text.as_ref().into())
}

fn list<T>(items: &[T], entry: impl Fn(&T) -> Value) -> Value {
    Value::List(items.iter().map(entry).collect::<Vec<_>>().into())
}

fn map<K: AsRef<str>>(entries: impl IntoIterator<Item = (K, Value)>) -> Value {
    let entries = entries.into_iter().map(|(key, value)| (key.as_ref().to_owned(), value));
    entries.collect::<HashMap<String, Value>>().into()
}

fn texts(entries: &BTreeMap<String, String>) -> Value {
    map(entries.iter().map(|(key, value)| (key, value.as_str().into())))
}

fn words<'t>(items: impl IntoIterator<Item = &'t String>) -> Value {
    let items = items.into_iter().map(|text| Value::from(text.as_str()));
    Value::List(items.collect::<Vec<_>>().into())
}

fn signature(one: &SignatureFacts) -> Value {
    map([
        ("policy", one.policy.as_str().into()),
        ("verified", Value::Bool(one.verified)),
        ("signers", words(&one.signers)),
    ])
}

fn provenance(one: &ProvenanceFacts) -> Value {
    map([
        ("builder", one.builder.as_str().into()),
        ("source", optional(one.source.as_ref())),
        ("revision", optional(one.revision.as_ref())),
        ("verified", Value::Bool(one.verified)),
        ("contradictions", words(&one.contradictions)),
    ])
}

fn sbom(one: &SbomFacts) -> Value {
    map([("format", one.format.as_str().into()), ("verified", Value::Bool(one.verified))])
}

fn vulnerability(one: &Vulnerability, now: Timestamp) -> Value {
    map([
        ("id", one.id.as_str().into()),
        ("aliases", words(&one.aliases)),
        ("severity", one.severity.as_str().into()),
        ("package", one.package.as_str().into()),
        ("version", one.version.as_str().into()),
        ("fixed_in", optional(one.fixed_in.as_ref())),
        ("first_seen", time(one.first_seen)),
        ("excepted", Value::Bool(one.excepted_until(now).is_some())),
        ("not_affected", Value::Bool(one.is_not_affected())),
    ])
}

fn base(one: &BaseFacts) -> Value {
    map([
        ("name", optional(one.name.as_ref())),
        ("digest", optional(one.digest.map(|digest| digest.to_string()))),
        ("matched", Value::Bool(one.matched)),
        ("verified", Value::Bool(one.verified)),
        ("created", one.created.map_or(Value::Null, time)),
        ("newer_since", one.newer.as_ref().map_or(Value::Null, |newer| time(newer.since))),
    ])
}

fn approval(one: &Approval) -> Value {
    map([
        ("by", one.by.as_str().into()),
        ("roles", words(&one.roles)),
        ("channel", one.channel.to_string().into()),
        ("at", time(one.at)),
        ("expires", one.expires.map_or(Value::Null, time)),
    ])
}

fn check(one: &CheckResult) -> Value {
    let state = match one.state {
        CheckState::Success => "success",
        CheckState::Failure => "failure",
        CheckState::Pending => "pending",
    };
    map([
        ("name", one.name.as_str().into()),
        ("state", state.into()),
        ("at", time(one.at)),
        ("by", one.by.as_str().into()),
    ])
}

fn stay(one: &ChannelStay) -> Value {
    map([("channel", one.channel.to_string().into()), ("since", time(one.since))])
}
