use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Severity,
    document::{BaseImages, Place, shortened},
    facts::Vulnerability,
    time_span::TimeSpan,
};

use super::{Case, Gate, GateDocument, Judgement, Mode, listed, when_known};

/// It has no vulnerabilities that are too bad.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = VulnerabilitiesGate)]
pub struct VulnerabilitiesDocument {
    /// Whether it decides.
    pub mode: Mode,
    /// How many critical ones it may have; 0, if nothing is said.
    pub critical: Option<LimitDocument>,
    /// How many high ones it may have; 0, if nothing is said.
    pub high: Option<LimitDocument>,
    /// How many medium ones it may have; `excepted`, if nothing is said.
    pub medium: Option<LimitDocument>,
    /// How many low ones it may have; `any`, if nothing is said.
    pub low: Option<LimitDocument>,
    /// How many negligible ones it may have; `any`, if nothing is said.
    pub negligible: Option<LimitDocument>,
    /// How many it may have of which nobody says how bad they are; `any`, if nothing is said.
    pub unknown: Option<LimitDocument>,
    /// Whether only those count that an update helps against.
    pub fixable_only: bool,
    /// For how long one does not count after it was first seen, by severity: `{ medium = "7d" }`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub grace: BTreeMap<Severity, String>,
}

/// How many vulnerabilities of a severity there may be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = VulnerabilityLimit)]
pub enum LimitDocument {
    /// At most so many, whether they are excepted or not.
    Count(u32),
    /// `excepted`: only those with an exception that has an end; `any`: as many as there are.
    Word(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Count(u32),
    Excepted,
    Any,
}

#[derive(Debug)]
struct VulnerabilitiesGate {
    limits: Vec<(Severity, Limit)>,
    fixable_only: bool,
    grace: BTreeMap<Severity, TimeSpan>,
}

impl VulnerabilitiesDocument {
    fn limit(&self, severity: Severity) -> (Option<&LimitDocument>, Limit) {
        match severity {
            Severity::Critical => (self.critical.as_ref(), Limit::Count(0)),
            Severity::High => (self.high.as_ref(), Limit::Count(0)),
            Severity::Medium => (self.medium.as_ref(), Limit::Excepted),
            Severity::Low => (self.low.as_ref(), Limit::Any),
            Severity::Negligible => (self.negligible.as_ref(), Limit::Any),
            Severity::Unknown => (self.unknown.as_ref(), Limit::Any),
        }
    }
}

impl GateDocument for VulnerabilitiesDocument {
    fn mode(&self) -> Mode {
        self.mode
    }

    fn compile(&self, place: &mut Place<'_>, _: &BaseImages) -> Option<Box<dyn Gate>> {
        let mut limits = Vec::new();
        for severity in Severity::ALL {
            let (written, default) = self.limit(severity);
            let read = written.map(|written| written.read(&mut place.at(severity)));
            limits.push((severity, read.unwrap_or(Some(default))?));
        }
        let mut graces = place.at("grace");
        let mut grace = BTreeMap::new();
        for (severity, text) in &self.grace {
            grace.insert(*severity, graces.at(severity).parse(text)?);
        }
        Some(Box::new(VulnerabilitiesGate { limits, fixable_only: self.fixable_only, grace }))
    }
}

impl LimitDocument {
    fn read(&self, place: &mut Place<'_>) -> Option<Limit> {
        match self {
            Self::Count(count) => Some(Limit::Count(*count)),
            Self::Word(word) if word == "excepted" => Some(Limit::Excepted),
            Self::Word(word) if word == "any" => Some(Limit::Any),
            Self::Word(word) => {
                let observed = format!("`{}`", shortened(word));
                place.problem(observed, "expected a number, \"excepted\" or \"any\"");
                None
            }
        }
    }
}

impl Gate for VulnerabilitiesGate {
    fn judge(&self, case: &Case<'_>) -> Vec<Judgement> {
        let required = self.required();
        let fix = "have the image compared with the advisories";
        case.each(&required, |manifest| {
            when_known(&manifest.vulnerabilities, (&required, fix), |known| {
                self.verdict(known, case.now, &required)
            })
        })
    }
}

impl VulnerabilitiesGate {
    fn required(&self) -> String {
        let words = |(severity, limit): &(Severity, Limit)| match limit {
            Limit::Count(count) => Some(format!("{severity} {count}")),
            Limit::Excepted => Some(format!("{severity} only with an exception that ends")),
            Limit::Any => None,
        };
        let limits: Vec<String> = self.limits.iter().filter_map(words).collect();
        let limits = if limits.is_empty() { "any".to_owned() } else { limits.join(", ") };
        if self.fixable_only { format!("{limits}, of those that can be fixed") } else { limits }
    }

    fn verdict(&self, known: &[Vulnerability], now: Timestamp, required: &str) -> Judgement {
        let mut wrong: Vec<&Vulnerability> = Vec::new();
        let mut observed = Vec::new();
        let mut until: Option<Timestamp> = None;
        for (severity, limit) in &self.limits {
            if *limit == Limit::Any {
                continue;
            }
            let of_severity = known.iter().filter(|one| one.severity == *severity);
            let (counted, later) = self.counted(of_severity, *limit, now);
            until = earlier(until, later);
            let most = if let Limit::Count(count) = limit { *count } else { 0 };
            if counted.len() > usize::try_from(most).unwrap_or(usize::MAX) {
                observed.push(words(*severity, *limit, &counted));
                wrong.extend(counted);
            }
        }
        if wrong.is_empty() {
            let observed = format!("{} known, none too many", known.len());
            return Judgement::allow(observed, required).until(until);
        }
        Judgement::deny(observed.join("; "), required, self.fix(&wrong))
    }

    /// Those that count now, and when the next begins to count.
    fn counted<'v>(
        &self,
        of_severity: impl Iterator<Item = &'v Vulnerability>,
        limit: Limit,
        now: Timestamp,
    ) -> (Vec<&'v Vulnerability>, Option<Timestamp>) {
        let mut counted = Vec::new();
        let mut later = None;
        for one in of_severity {
            if one.is_not_affected() || (self.fixable_only && one.fixed_in.is_none()) {
                continue;
            }
            let spared = self.grace.get(&one.severity).map(|grace| grace.after(one.first_seen));
            let excepted = one.excepted_until(now).filter(|_| limit == Limit::Excepted);
            // It begins to count when the longer of the two is over.
            match spared.filter(|end| *end > now).max(excepted) {
                Some(end) => later = earlier(later, Some(end)),
                None => counted.push(one),
            }
        }
        (counted, later)
    }

    fn fix(&self, wrong: &[&Vulnerability]) -> String {
        let update = |one: &&Vulnerability| {
            one.fixed_in.as_ref().map(|fixed| format!("{} to {fixed}", one.package))
        };
        let updates: BTreeSet<String> = wrong.iter().filter_map(update).collect();
        let takes_exceptions =
            |one: &&&Vulnerability| self.limits.contains(&(one.severity, Limit::Excepted));
        let excepted: BTreeSet<&str> =
            wrong.iter().filter(takes_exceptions).map(|one| one.id.as_str()).collect();
        let mut fixes = Vec::new();
        if !updates.is_empty() {
            fixes.push(format!("update {}", listed(updates)));
        }
        if !excepted.is_empty() {
            fixes.push(format!("have exceptions made for {}", listed(excepted)));
        }
        if fixes.is_empty() {
            fixes.push("remove the packages, or state that they do no harm here (VEX)".to_owned());
        }
        fixes.join("; or ")
    }
}

fn words(severity: Severity, limit: Limit, counted: &[&Vulnerability]) -> String {
    let without = if limit == Limit::Excepted { " without an exception" } else { "" };
    let names = counted.iter().map(|one| format!("{} in {}", one.id, one.package));
    format!("{} {severity}{without} ({})", counted.len(), listed(names))
}

fn earlier(a: Option<Timestamp>, b: Option<Timestamp>) -> Option<Timestamp> {
    a.into_iter().chain(b).min()
}
