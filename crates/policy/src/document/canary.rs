use std::{collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    document::problem::{Place, shortened},
    time_span::TimeSpan,
};

/// How an image gets more and more of the traffic.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PolicyCanary)]
pub struct CanaryDocument {
    /// What it is for.
    pub description: Option<String>,
    /// The steps, one after the other; the last is `100%`.
    pub steps: Vec<StepDocument>,
    /// What is watched meanwhile, by a name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metrics: BTreeMap<String, MetricDocument>,
    /// Checks that must succeed before the next step.
    pub checks: Vec<String>,
    /// What to do when it goes wrong; go back, if nothing is said.
    pub on_failure: CanaryFailure,
}

/// What to do when a canary goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CanaryFailure {
    /// Back to what was there before.
    #[default]
    RollBack,
    /// Stay where it is until somebody decides.
    Pause,
}

/// A step of a canary as it is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyCanaryStep)]
pub struct StepDocument {
    /// How much of the traffic it gets: `5%`.
    pub weight: String,
    /// How long it stays there.
    pub hold: String,
}

/// Something that is watched, as it is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PolicyMetric)]
pub struct MetricDocument {
    /// A query of Prometheus that gives one number. `{{service}}`, `{{environment}}`, `{{digest}}` and
    /// `{{previous}}`, the digest that was there before, stand for what the canary is about.
    pub query: String,
    /// The number must not be below.
    #[serde(default)]
    pub min: Option<f64>,
    /// The number must not be above.
    #[serde(default)]
    pub max: Option<f64>,
    /// The same query about what is there now: when the step is over, the figures of both are compared.
    #[serde(default)]
    pub baseline: Option<String>,
    /// Which of two figures is the worse one, for comparisons.
    #[serde(default)]
    pub worse: Option<Worse>,
    /// How improbable a difference must be by chance before it counts as one; 0.05, if nothing is said.
    #[serde(default)]
    pub significance: Option<f64>,
    /// How often it is asked for; every minute, if nothing is said.
    #[serde(default)]
    pub every: Option<String>,
    /// How many times in a row it may be beyond its limits; none, if nothing is said.
    #[serde(default)]
    pub tolerate: u32,
}

/// Which of two figures is the worse one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = WorseFigure)]
pub enum Worse {
    /// As of errors and latencies.
    Higher,
    /// As of requests that were answered.
    Lower,
}

/// A canary that was checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Canary {
    /// What it is called.
    pub name: String,
    /// The steps, in ascending weights; the last is everything.
    pub steps: Vec<Step>,
    /// What is watched meanwhile.
    pub metrics: Vec<Metric>,
    /// Checks that must succeed before the next step.
    pub checks: Vec<String>,
    /// What to do when it goes wrong.
    pub on_failure: CanaryFailure,
}

/// A step of a canary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// How much of the traffic it gets, in percent.
    pub weight: Percentage,
    /// How long it stays there.
    pub hold: TimeSpan,
}

/// Something that is watched.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// What it is called.
    pub name: String,
    /// The query.
    pub query: String,
    /// The number must not be below.
    pub min: Option<f64>,
    /// The number must not be above.
    pub max: Option<f64>,
    /// What it is compared with.
    pub baseline: Option<Baseline>,
    /// How often it is asked for.
    pub every: TimeSpan,
    /// How many times in a row it may be beyond its limits.
    pub tolerate: u32,
}

/// What figures of a canary are compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    /// The query about what is there now.
    pub query: String,
    /// Which of two figures is the worse one.
    pub worse: Worse,
    /// How improbable a difference must be by chance, above 0 and at most 0.5.
    pub significance: f64,
}

/// A part of something, in whole percent: `5%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(into = "String")]
pub struct Percentage(u8);

/// The text is not a percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a percentage from `1%` to `100%`")]
pub struct ParsePercentageError;

impl Percentage {
    /// All of it.
    pub const ALL: Self = Self(100);

    /// The number in front of the sign.
    pub fn value(self) -> u8 {
        self.0
    }
}

impl FromStr for Percentage {
    type Err = ParsePercentageError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = text.strip_suffix('%').ok_or(ParsePercentageError)?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        let value = digits.parse().ok().filter(|value| plain && (1..=100).contains(value));
        value.map(Self).ok_or(ParsePercentageError)
    }
}

impl fmt::Display for Percentage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

impl From<Percentage> for String {
    fn from(percentage: Percentage) -> Self {
        percentage.to_string()
    }
}

impl Metric {
    /// Whether any number is beyond its limits.
    pub fn has_limits(&self) -> bool {
        self.min.is_some() || self.max.is_some()
    }
}

/// What queries can name; what is compared with is only there for comparisons.
const NAMES: [&str; 4] = ["service", "environment", "digest", "previous"];

/// Notes what is no query, as far as that can be seen from here.
fn check_query(query: &str, place: &mut Place<'_>) {
    if query.trim().is_empty() {
        place.problem("no query", "expected a query of Prometheus");
    }
    for behind in query.split("{{").skip(1) {
        let name = behind.split("}}").next().unwrap_or_default();
        if !NAMES.contains(&name.trim()) {
            let observed = format!("`{{{{{}}}}}`", shortened(name));
            let fix = "queries can name `{{service}}`, `{{environment}}`, `{{digest}}` and \
                       `{{previous}}`";
            place.problem(observed, fix);
        }
    }
}

/// How improbable a difference must be if nothing is said.
const SIGNIFICANCE: f64 = 0.05;
/// How often a metric is asked for if nothing is said.
const EVERY: TimeSpan = TimeSpan::from_seconds(60);
/// The most steps: with each percent there is one.
const MAX_STEPS: usize = 100;

impl CanaryDocument {
    pub(super) fn compile(&self, name: &str, place: &mut Place<'_>) -> Canary {
        let steps = self.steps(&mut place.at("steps"));
        let mut at = place.at("metrics");
        let metrics = self.metrics.iter();
        let metrics = metrics.filter_map(|(name, metric)| metric.compile(name, &mut at.at(name)));
        let metrics = metrics.collect();
        let checks = self.checks.clone();
        Canary { name: name.to_owned(), steps, metrics, checks, on_failure: self.on_failure }
    }

    fn steps(&self, place: &mut Place<'_>) -> Vec<Step> {
        if self.steps.len() > MAX_STEPS {
            place.problem(format!("{} steps", self.steps.len()), "expected at most 100");
            return Vec::new();
        }
        let mut steps: Vec<Step> = Vec::new();
        for (index, document) in self.steps.iter().enumerate() {
            let mut at = place.item(index);
            let weight: Option<Percentage> = at.at("weight").parse(&document.weight);
            let hold: Option<TimeSpan> = at.at("hold").parse(&document.hold);
            let (Some(weight), Some(hold)) = (weight, hold) else { continue };
            if steps.last().is_some_and(|last| last.weight >= weight) {
                let fix = "expected more than in the step before";
                at.at("weight").problem(format!("`{weight}`"), fix);
            }
            steps.push(Step { weight, hold });
        }
        if steps.last().is_none_or(|last| last.weight != Percentage::ALL) {
            place.problem("it does not end with everything", "add a last step of `100%`");
        }
        steps
    }
}

impl MetricDocument {
    fn compile(&self, name: &str, place: &mut Place<'_>) -> Option<Metric> {
        let finite = |limit: &Option<f64>| limit.is_none_or(f64::is_finite);
        check_query(&self.query, &mut place.at("query"));
        if self.min.is_none() && self.max.is_none() && self.baseline.is_none() {
            place
                .problem("any number will do", "say `min`, `max`, or a `baseline` to compare with");
        }
        if !finite(&self.min) || !finite(&self.max) {
            place.problem("a limit that is no number", "expected a number such as 0.01");
        }
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min > max
        {
            place.problem("`min` is above `max`", "no number would do; swap them");
        }
        let every = match self.every {
            None => EVERY,
            Some(_) => place.span("every", self.every.as_ref())?,
        };
        let baseline = self.baseline(place);
        let Self { query, min, max, tolerate, .. } = self.clone();
        Some(Metric { name: name.to_owned(), query, min, max, baseline, every, tolerate })
    }

    fn baseline(&self, place: &mut Place<'_>) -> Option<Baseline> {
        let significance = self.significance.unwrap_or(SIGNIFICANCE);
        if !(significance > 0.0 && significance <= 0.5) {
            let fix = "expected a probability above 0 and at most 0.5, such as 0.05";
            place.at("significance").problem(format!("{significance}"), fix);
        }
        let Some(query) = &self.baseline else {
            if self.worse.is_some() || self.significance.is_some() {
                place
                    .problem("a comparison with nothing", "say in `baseline` what to compare with");
            }
            return None;
        };
        check_query(query, &mut place.at("baseline"));
        let Some(worse) = self.worse else {
            place.at("worse").problem("a difference may be good or bad", "say `higher` or `lower`");
            return None;
        };
        Some(Baseline { query: query.clone(), worse, significance })
    }
}
