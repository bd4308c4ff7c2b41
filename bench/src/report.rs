//! What was measured, against what it is held, and whether it holds.

use std::collections::BTreeMap;

use serde::Serialize;

/// The column that every target is about.
pub(crate) const SUBJECT: &str = "plura";

/// The column of a plura that is open to everybody.
pub(crate) const WITHOUT_LOGIN: &str = "plura without login";

/// The column of a plura beside which there is no other replica.
pub(crate) const ONE_REPLICA: &str = "one replica";

/// What is compared with, where evidence is not gathered as things arrive.
pub(crate) const WITHOUT_EVIDENCE: &str = "plura without evidence";

/// Another that reads images.
pub(crate) const SYFT: &str = "syft";

/// What is compared with, where one layer of an image is all that is new.
pub(crate) const LAYER_ALONE: &str = "the layer alone";

/// What is compared with, where a channel leads to the same manifest.
pub(crate) const BY_TAG: &str = "by tag";

/// The measurements of one scenario.
#[derive(Serialize)]
pub(crate) struct Report {
    pub(crate) scenario: &'static str,
    pub(crate) title: &'static str,
    pub(crate) rows: Vec<Row>,
    pub(crate) notes: Vec<String>,
    /// Why the scenario could not be finished.
    pub(crate) failure: Option<String>,
}

/// One quantity, measured for several peers.
#[derive(Serialize)]
pub(crate) struct Row {
    pub(crate) case: String,
    pub(crate) unit: &'static str,
    /// One value per round, in the order of the rounds.
    pub(crate) samples: BTreeMap<&'static str, Vec<f64>>,
    pub(crate) targets: Vec<Target>,
}

/// What plura has to reach in a row.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Target {
    /// At least so many times the value of a peer.
    AtLeast { peer: &'static str, factor: f64 },
    /// At most so many times the value of a peer.
    AtMost { peer: &'static str, factor: f64 },
    /// At most this value, whatever the peers do.
    Limit(f64),
    /// At least this value, whatever the peers do.
    AtLeastValue(f64),
}

/// A target held against the measurements.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Verdict {
    pub(crate) target: String,
    /// The ratio plura to peer, or plura's own value.
    pub(crate) observed: f64,
    /// The lowest and highest ratio within one round: how sure the ratio is.
    pub(crate) spread: Option<(f64, f64)>,
    pub(crate) met: bool,
}

impl Report {
    pub(crate) fn new(scenario: &'static str, title: &'static str) -> Self {
        Self { scenario, title, rows: Vec::new(), notes: Vec::new(), failure: None }
    }

    /// Adds the value of one peer in one round.
    pub(crate) fn record(
        &mut self,
        case: &str,
        unit: &'static str,
        peer: &'static str,
        value: f64,
    ) {
        self.row(case, unit).samples.entry(peer).or_default().push(value);
    }

    /// Sets what plura has to reach in a case.
    pub(crate) fn target(&mut self, case: &str, unit: &'static str, target: Target) {
        self.row(case, unit).targets.push(target);
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    fn row(&mut self, case: &str, unit: &'static str) -> &mut Row {
        let at = self.rows.iter().position(|row| row.case == case && row.unit == unit);
        let at = at.unwrap_or_else(|| {
            let case = case.to_owned();
            self.rows.push(Row { case, unit, samples: BTreeMap::new(), targets: Vec::new() });
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }
}

impl Row {
    /// The median over the rounds.
    pub(crate) fn value(&self, peer: &str) -> Option<f64> {
        median(self.samples.get(peer)?)
    }

    /// Every target whose sides were both measured.
    pub(crate) fn verdicts(&self) -> Vec<Verdict> {
        self.targets.iter().filter_map(|target| self.verdict(*target)).collect()
    }

    fn verdict(&self, target: Target) -> Option<Verdict> {
        let own = self.value(SUBJECT)?;
        let (text, observed, spread, met) = match target {
            Target::Limit(limit) => {
                (format!("<= {} {}", number(limit), self.unit), own, None, own <= limit)
            }
            Target::AtLeastValue(least) => {
                (format!(">= {} {}", number(least), self.unit), own, None, own >= least)
            }
            Target::AtLeast { peer, factor } => {
                let ratio = own / self.value(peer)?;
                (
                    format!(">= {}x {peer}", number(factor)),
                    ratio,
                    self.spread(peer),
                    ratio >= factor,
                )
            }
            Target::AtMost { peer, factor } => {
                let ratio = own / self.value(peer)?;
                (
                    format!("<= {}x {peer}", number(factor)),
                    ratio,
                    self.spread(peer),
                    ratio <= factor,
                )
            }
        };
        Some(Verdict { target: text, observed, spread, met })
    }

    fn spread(&self, peer: &str) -> Option<(f64, f64)> {
        let pairs = self.samples.get(SUBJECT)?.iter().zip(self.samples.get(peer)?);
        pairs.map(|(own, other)| own / other).fold(None, |range, ratio| {
            let (low, high) = range.unwrap_or((ratio, ratio));
            Some((low.min(ratio), high.max(ratio)))
        })
    }
}

/// The middle value; of an even number the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// The value that `part` hundredths of all values do not exceed.
pub(crate) fn percentile(values: &[f64], part: usize) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * part).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// Three significant digits, as far as they say something.
pub(crate) fn number(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => trimmed(format!("{value:.1}")),
        size if size >= 1.0 || value == 0.0 => trimmed(format!("{value:.2}")),
        _ => trimmed(format!("{value:.3}")),
    }
}

fn trimmed(text: String) -> String {
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(own: &[f64], other: &[f64], target: Target) -> Row {
        let samples = BTreeMap::from([("plura", own.to_vec()), ("nginx", other.to_vec())]);
        Row { case: String::from("x"), unit: "MB/s", samples, targets: vec![target] }
    }

    #[test]
    fn a_ratio_is_of_the_medians_and_its_spread_of_the_rounds() {
        let target = Target::AtLeast { peer: "nginx", factor: 1.0 };
        let verdict = row(&[4.0, 1.0, 6.0], &[2.0, 2.0, 2.0], target).verdicts().remove(0);
        assert_eq!(
            verdict,
            Verdict {
                target: String::from(">= 1x nginx"),
                observed: 2.0,
                spread: Some((0.5, 3.0)),
                met: true,
            }
        );
    }

    #[test]
    fn a_missed_limit_is_missed_and_an_absent_peer_judges_nothing() {
        assert!(!row(&[31.0], &[], Target::Limit(30.0)).verdicts()[0].met);
        let absent = Target::AtMost { peer: "disk", factor: 1.0 };
        assert!(row(&[31.0], &[1.0], absent).verdicts().is_empty());
    }

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&values, 50), Some(50.0));
        assert_eq!(percentile(&values, 99), Some(99.0));
        assert_eq!(percentile(&[7.0], 50), Some(7.0));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn numbers_keep_three_digits() {
        let texts = [36_384.2, 17.31, 1.0, 0.8, 0.0712, 0.0].map(number);
        assert_eq!(texts, ["36384", "17.3", "1", "0.8", "0.071", "0"]);
    }
}
