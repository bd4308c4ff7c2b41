//! How an image does while it gets its traffic: a pure function of what is watched, what was measured,
//! and the time.
//!
//! - Limits count at once: a figure beyond them fails the stage, but for the `tolerate` first in a row.
//! - Comparisons count when the stage is over, once, over all figures of the stage: who looks at a test
//!   again and again sees a difference in the end. They fail it if the canary's figures are worse by a
//!   one-sided Mann-Whitney U test.
//! - What is not known says nothing. It is waited for as long as `data_patience` says; then the stage
//!   fails.
//! - Where nothing was there before there is nothing to compare with, and limits alone count.
//! - A check that failed since the stage began fails it at once; one that has no result is waited for as
//!   long as `patience` says.
//! - A stage ends well only with a figure of each metric, taken when it was over, that is within limits.

mod judge;
mod rank;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    TimeSpan,
    document::{Canary, Metric, Promotion},
};

pub use rank::{RankTest, mann_whitney};

/// A time in which an image is watched: a step of a canary, or while it soaks.
#[derive(Clone, Copy, Debug)]
pub struct Stage<'a> {
    /// What is watched.
    pub metrics: &'a [Metric],
    /// Checks that must succeed.
    pub checks: &'a [String],
    /// Since when.
    pub began: Timestamp,
    /// For how long.
    pub hold: TimeSpan,
    /// How long is waited.
    pub promotion: Promotion,
    /// Whether there is something to compare with. Without it, limits alone count.
    pub compares: bool,
}

/// What was measured of a metric at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = CanaryMeasurement)]
pub struct Measurement {
    /// The metric.
    pub metric: String,
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// What.
    pub value: Measured,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase", tag = "kind", content = "value")]
#[schema(as = MeasuredValue)]
pub enum Measured {
    /// A number.
    Number(f64),
    /// Numbers since the stage began, of the canary and of what it is compared with.
    Samples(Samples),
    /// Nothing, and why.
    Missing(String),
}

/// Numbers to compare.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = CanarySamples)]
pub struct Samples {
    /// Of the canary, in the order of time.
    pub canary: Vec<f64>,
    /// Of what is there now.
    pub baseline: Vec<f64>,
}

/// How it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "verdict")]
#[schema(as = CanaryVerdict)]
pub enum Verdict {
    /// Well so far.
    Continue {
        /// When to look again.
        #[schema(value_type = String)]
        until: Timestamp,
    },
    /// The time is over, but something is not known yet.
    Wait {
        /// What.
        what: String,
        /// When to look again at the latest.
        #[schema(value_type = String)]
        until: Timestamp,
    },
    /// Well.
    Pass,
    /// Not well.
    Fail(Failure),
}

/// What does not do well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CanaryFailureReason)]
pub struct Failure {
    /// The metric or the check.
    pub name: String,
    /// What was seen.
    pub observed: String,
    /// What should have been seen.
    pub required: String,
}

impl<'a> Stage<'a> {
    /// A step of a canary, counted from 0; nothing where there is none such.
    pub fn of_step(
        canary: &'a Canary,
        step: usize,
        began: Timestamp,
        promotion: Promotion,
        compares: bool,
    ) -> Option<Self> {
        let hold = canary.steps.get(step)?.hold;
        let Canary { metrics, checks, .. } = canary;
        Some(Self { metrics, checks, began, hold, promotion, compares })
    }

    /// When it is over.
    pub fn end(&self) -> Timestamp {
        self.hold.after(self.began)
    }
}

impl Measurement {
    /// Why it is not known; nothing where it is.
    pub fn missing(&self) -> Option<&str> {
        match &self.value {
            Measured::Missing(reason) => Some(reason),
            Measured::Number(number) if !number.is_finite() => {
                Some("what was measured is no number")
            }
            Measured::Samples(samples) if !samples.are_finite() => {
                Some("what was measured is no number")
            }
            Measured::Number(_) | Measured::Samples(_) => None,
        }
    }

    /// The last number of the canary.
    pub fn number(&self) -> Option<f64> {
        match &self.value {
            Measured::Number(number) => Some(*number),
            Measured::Samples(samples) => samples.canary.last().copied(),
            Measured::Missing(_) => None,
        }
    }
}

impl Samples {
    fn are_finite(&self) -> bool {
        self.canary.iter().chain(&self.baseline).all(|number| number.is_finite())
    }
}
