use jiff::Timestamp;

use crate::{
    TimeSpan,
    analysis::{Failure, Measured, Measurement, Samples, Stage, Verdict, mann_whitney},
    document::{Baseline, Metric, Worse, shortened},
    facts::{CheckResult, CheckState},
};

/// What is missing is asked for again after so long at the latest.
const AGAIN: TimeSpan = TimeSpan::from_seconds(15);

/// What a measurement says about its metric.
enum Look {
    Right,
    /// Beyond a limit, which may be tolerated.
    Beyond(Failure),
    /// Worse than what it is compared with.
    Worse(Failure),
    Unknown(String),
}

/// How a metric does.
enum State {
    Fine,
    /// What is not known yet, or is not right but tolerated.
    Open(String),
    Failed(Failure),
}

impl<'a> Stage<'a> {
    /// What is to be measured now.
    pub fn due(&self, measurements: &[Measurement], now: Timestamp) -> Vec<&'a Metric> {
        let is_due =
            |metric: &&Metric| self.next(metric, measurements).is_some_and(|next| next <= now);
        self.metrics.iter().filter(is_due).collect()
    }

    /// How it does, by what was measured since it began, in the order of time, and by the results of
    /// checks.
    pub fn judge(
        &self,
        measurements: &[Measurement],
        checks: &[CheckResult],
        now: Timestamp,
    ) -> Verdict {
        let states = self.metrics.iter().map(|metric| self.state(metric, measurements, now));
        let unknown = match first_open(states) {
            Ok(unknown) => unknown,
            Err(failure) => return Verdict::Fail(failure),
        };
        let states = self.checks.iter().map(|name| self.check(name, checks, now));
        let unchecked = match first_open(states) {
            Ok(unchecked) => unchecked,
            Err(failure) => return Verdict::Fail(failure),
        };
        let next = self.metrics.iter().filter_map(|metric| self.next(metric, measurements)).min();
        let next = next.unwrap_or_else(|| AGAIN.after(now)).max(now);
        match unknown.or(unchecked) {
            _ if now < self.end() => Verdict::Continue { until: next.min(self.end()) },
            Some(what) => Verdict::Wait { what, until: next },
            None => Verdict::Pass,
        }
    }

    /// When a metric is to be measured next; nothing where all is known.
    fn next(&self, metric: &Metric, measurements: &[Measurement]) -> Option<Timestamp> {
        let end = self.end();
        if !self.is_watched(metric) {
            return None;
        }
        let last = of(metric, measurements).last();
        let look = last.map(|last| self.look(metric, last));
        let every = match look {
            Some(Look::Unknown(_)) => metric.every.min(AGAIN),
            _ => metric.every,
        };
        let since = last.map_or(self.began, |last| last.at);
        if since >= end {
            return (!matches!(look, Some(Look::Right))).then(|| every.after(since));
        }
        // A comparison is worth something when all figures are there.
        let next = if metric.has_limits() { every.after(since) } else { end };
        Some(next.min(end))
    }

    /// Whether there is anything that it is measured for.
    fn is_watched(&self, metric: &Metric) -> bool {
        metric.has_limits() || self.compares
    }

    fn state(&self, metric: &Metric, measurements: &[Measurement], now: Timestamp) -> State {
        if !self.is_watched(metric) {
            return State::Fine;
        }
        let mut beyond = 0;
        let mut missing: Option<(Timestamp, String)> = None;
        let mut open = format!("{} is not measured yet", metric.name);
        let mut is_fine = false;
        for one in of(metric, measurements) {
            let look = self.look(metric, one);
            is_fine = matches!(look, Look::Right) && one.at >= self.end();
            match look {
                Look::Unknown(why) => {
                    open = format!("{} is not known: {why}", metric.name);
                    missing = Some((missing.map_or(one.at, |(since, _)| since), why));
                    continue;
                }
                Look::Worse(failure) => return State::Failed(failure),
                Look::Beyond(failure) if beyond >= metric.tolerate => {
                    return State::Failed(failure);
                }
                Look::Beyond(Failure { name, observed, required }) => {
                    beyond += 1;
                    open = format!("{name} is {observed}, not {required}, which is tolerated");
                }
                Look::Right => beyond = 0,
            }
            missing = None;
        }
        let patience = self.promotion.data_patience;
        match missing {
            Some((since, why)) if patience.after(since) <= now => {
                let observed = format!("nothing is known since {since}: {why}");
                let required = format!("a figure within {patience}");
                State::Failed(Failure { name: metric.name.clone(), observed, required })
            }
            _ if is_fine => State::Fine,
            _ => State::Open(open),
        }
    }

    fn look(&self, metric: &Metric, measurement: &Measurement) -> Look {
        if let Some(reason) = measurement.missing() {
            return Look::Unknown(shortened(reason));
        }
        let number = measurement.number();
        if metric.has_limits() {
            match number {
                None => return Look::Unknown("there are no figures".to_owned()),
                Some(number) => {
                    if let Some(failure) = beyond(metric, number) {
                        return Look::Beyond(failure);
                    }
                }
            }
        }
        match &metric.baseline {
            Some(baseline) if self.compares && measurement.at >= self.end() => {
                match &measurement.value {
                    Measured::Samples(samples) => compared(&metric.name, baseline, samples),
                    _ => Look::Unknown("there are no figures to compare".to_owned()),
                }
            }
            _ => Look::Right,
        }
    }

    fn check(&self, name: &str, results: &[CheckResult], now: Timestamp) -> State {
        let since = |one: &&CheckResult| one.name == name && one.at >= self.began && one.at <= now;
        // Of several at one time, the worst.
        let worst = |state: CheckState| match state {
            CheckState::Success => 0,
            CheckState::Pending => 1,
            CheckState::Failure => 2,
        };
        let last = results.iter().filter(since).max_by_key(|one| (one.at, worst(one.state)));
        let observed = match last.map(|last| last.state) {
            Some(CheckState::Success) => return State::Fine,
            Some(CheckState::Failure) => "it failed",
            Some(CheckState::Pending) => "it is running",
            None => "it has no result since the step began",
        };
        let is_red = last.is_some_and(|last| last.state == CheckState::Failure);
        if is_red || self.promotion.patience.after(self.end()) <= now {
            let required = "success before the next step".to_owned();
            let (name, observed) = (name.to_owned(), observed.to_owned());
            return State::Failed(Failure { name, observed, required });
        }
        State::Open(format!("the check `{}`: {observed}", shortened(name)))
    }
}

/// What the first of them waits for, if none failed.
fn first_open(states: impl Iterator<Item = State>) -> Result<Option<String>, Failure> {
    let mut open = None;
    for state in states {
        match state {
            State::Failed(failure) => return Err(failure),
            State::Open(what) => open = open.or(Some(what)),
            State::Fine => {}
        }
    }
    Ok(open)
}

/// What was measured of a metric.
fn of<'m>(
    metric: &'m Metric,
    measurements: &'m [Measurement],
) -> impl Iterator<Item = &'m Measurement> {
    measurements.iter().filter(|one| one.metric == metric.name)
}

fn beyond(metric: &Metric, number: f64) -> Option<Failure> {
    let below = metric.min.filter(|min| number < *min).map(|min| format!("at least {min}"));
    let above = metric.max.filter(|max| number > *max).map(|max| format!("at most {max}"));
    let required = below.or(above)?;
    Some(Failure { name: metric.name.clone(), observed: number.to_string(), required })
}

fn compared(name: &str, baseline: &Baseline, samples: &Samples) -> Look {
    let Samples { canary, baseline: before } = samples;
    let (word, test) = match baseline.worse {
        Worse::Higher => ("higher", mann_whitney(canary, before)),
        Worse::Lower => ("lower", mann_whitney(before, canary)),
    };
    let counts = format!("{} figures against {}", canary.len(), before.len());
    let significance = baseline.significance;
    let Some(test) = test.filter(|test| test.smallest <= significance) else {
        return Look::Unknown(format!("{counts} are too few to tell"));
    };
    if test.p > significance {
        return Look::Right;
    }
    let observed = format!("{word} than what is there now (p = {:.4}, {counts})", test.p);
    let required = format!("not {word} than what is there now, where p is at most {significance}");
    Look::Worse(Failure { name: name.to_owned(), observed, required })
}
