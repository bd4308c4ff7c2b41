//! How an image does while it gets its traffic.

use jiff::{SignedDuration, Timestamp};
use plura_policy::{
    analysis::{Measured, Measurement, Samples, Stage, Verdict},
    document::{Canary, Promotion},
    facts::{CheckResult, CheckState},
};

use crate::given::{governance, now};

/// A step of ten minutes.
fn canary(metric: &str, checks: &str) -> Canary {
    let document = format!(
        "[canaries.c]\nsteps = [{{ weight = \"100%\", hold = \"10m\" }}]\nchecks = [{checks}]\n\
         [canaries.c.metrics.errors]\nquery = \"q\"\n{metric}\n\
         [[channels]]\nname = \"prod\"\ncanary = \"c\"\n"
    );
    let governance = governance(&document);
    let channel = &governance.channels[&"prod".parse().expect("a channel")];
    Canary::clone(channel.canary.as_ref().expect("a canary"))
}

fn stage(canary: &Canary) -> Stage<'_> {
    Stage::of_step(canary, 0, now(), Promotion::default(), true).expect("there is a step")
}

fn minute(minutes: i64) -> Timestamp {
    now() + SignedDuration::from_mins(minutes)
}

fn measured(minutes: i64, value: Measured) -> Measurement {
    Measurement { metric: "errors".into(), at: minute(minutes), value }
}

/// A number of each minute from 1 on.
fn numbers(numbers: &[f64]) -> Vec<Measurement> {
    let at = |(index, number): (usize, &f64)| {
        measured(i64::try_from(index).expect("few") + 1, Measured::Number(*number))
    };
    numbers.iter().enumerate().map(at).collect()
}

fn failure(verdict: &Verdict) -> (&str, &str) {
    match verdict {
        Verdict::Fail(failure) => (&failure.observed, &failure.required),
        other => panic!("{other:?} instead of a failure"),
    }
}

#[test]
fn a_stage_goes_on_until_its_end() {
    let canary = canary("max = 0.01", "");
    let stage = stage(&canary);
    assert!(stage.due(&[], minute(0)).is_empty());
    assert_eq!(stage.due(&[], minute(1)).len(), 1);
    let first = numbers(&[0.0]);
    assert_eq!(stage.judge(&first, &[], minute(1)), Verdict::Continue { until: minute(2) });
    let all = numbers(&[0.0; 9]);
    assert_eq!(stage.judge(&all, &[], minute(9)), Verdict::Continue { until: minute(10) });
    // What was measured before the end says nothing about the end.
    assert!(matches!(stage.judge(&all, &[], minute(11)), Verdict::Wait { .. }));
    assert_eq!(stage.due(&all, minute(11)).len(), 1);
    let all = numbers(&[0.0; 10]);
    assert_eq!(stage.judge(&all, &[], minute(10)), Verdict::Pass);
    assert!(stage.due(&all, minute(11)).is_empty());
}

#[test]
fn a_figure_beyond_its_limits_fails_the_stage() {
    let strict = canary("max = 0.01\nmin = 0.001", "");
    for (number, observed, required) in
        [(0.02, "0.02", "at most 0.01"), (0.0, "0", "at least 0.001")]
    {
        let verdict = stage(&strict).judge(&numbers(&[number]), &[], minute(1));
        assert_eq!(failure(&verdict), (observed, required));
    }
    let patient = canary("max = 0.01\ntolerate = 2", "");
    let judge = |figures: &[f64], at| stage(&patient).judge(&numbers(figures), &[], minute(at));
    assert!(matches!(judge(&[1.0, 1.0], 2), Verdict::Continue { .. }));
    assert!(matches!(judge(&[1.0, 1.0, 0.0, 1.0, 1.0], 5), Verdict::Continue { .. }));
    assert_eq!(failure(&judge(&[1.0, 1.0, 1.0], 3)).0, "1");
    // It does not end well while its last figure is beyond a limit.
    let mut figures = [0.0; 10];
    figures[9] = 1.0;
    assert!(matches!(judge(&figures, 10), Verdict::Wait { .. }));
    let figures: Vec<f64> = figures.into_iter().chain([0.0]).collect();
    assert_eq!(judge(&figures, 11), Verdict::Pass);
}

#[test]
fn what_is_not_known_is_waited_for_and_then_fails() {
    let canary = canary("max = 0.01", "");
    let missing = |minutes| measured(minutes, Measured::Missing("no route".into()));
    let stage = stage(&canary);
    let first = [missing(1)];
    assert_eq!(
        stage.judge(&first, &[], minute(1)),
        Verdict::Continue { until: minute(1) + SignedDuration::from_secs(15) }
    );
    let verdict = stage.judge(&[missing(1), missing(11)], &[], minute(11));
    assert!(failure(&verdict).0.contains("no route"), "{verdict:?}");
    assert_eq!(failure(&verdict).1, "a figure within 10m");
    let found = [missing(1), measured(9, Measured::Number(0.0)), missing(11)];
    let Verdict::Wait { what, until } = stage.judge(&found, &[], minute(12)) else {
        panic!("the end is not known")
    };
    assert_eq!(what, "errors is not known: no route");
    assert_eq!(until, minute(12));
    let number = [measured(10, Measured::Number(f64::NAN))];
    assert!(matches!(stage.judge(&number, &[], minute(10)), Verdict::Wait { .. }));
}

#[test]
fn missing_figures_do_not_hide_bad_ones() {
    let canary = canary("max = 0.01\ntolerate = 1", "");
    let bad = |minutes| measured(minutes, Measured::Number(1.0));
    let between = [bad(1), measured(2, Measured::Missing("x".into())), bad(3)];
    failure(&stage(&canary).judge(&between, &[], minute(3)));
}

#[test]
fn figures_are_compared_when_the_stage_is_over() {
    let canary = canary("baseline = \"b\"\nworse = \"higher\"", "");
    let stage = stage(&canary);
    assert!(stage.due(&[], minute(5)).is_empty());
    assert_eq!(stage.due(&[], minute(10)).len(), 1);
    let compared = |minutes, canary: &[f64], baseline: &[f64]| {
        let samples = Samples { canary: canary.to_vec(), baseline: baseline.to_vec() };
        [measured(minutes, Measured::Samples(samples))]
    };
    let (low, high) = ([1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0]);
    let worse = compared(10, &high, &low);
    let verdict = stage.judge(&worse, &[], minute(10));
    assert_eq!(
        failure(&verdict),
        (
            "higher than what is there now (p = 0.0040, 5 figures against 5)",
            "not higher than what is there now, where p is at most 0.05"
        )
    );
    assert_eq!(stage.judge(&compared(10, &low, &high), &[], minute(10)), Verdict::Pass);
    assert_eq!(stage.judge(&compared(10, &low, &low), &[], minute(10)), Verdict::Pass);
    // Before the end it is not compared.
    let early = stage.judge(&compared(9, &high, &low), &[], minute(9));
    assert!(matches!(early, Verdict::Continue { .. }));
    // With two figures of each nothing could ever be told.
    let few = stage.judge(&compared(10, &high[..2], &low[..2]), &[], minute(10));
    assert!(matches!(&few, Verdict::Wait { what, .. } if what.contains("too few")), "{few:?}");
    // Where nothing was before, there is nothing to compare with.
    let first = Stage { compares: false, ..stage };
    assert!(first.due(&[], minute(10)).is_empty());
    assert_eq!(first.judge(&[], &[], minute(10)), Verdict::Pass);
}

#[test]
fn lower_figures_can_be_the_worse_ones() {
    let canary = canary("baseline = \"b\"\nworse = \"lower\"\nsignificance = 0.01", "");
    let samples = |canary: [f64; 5], baseline: [f64; 5]| {
        let samples = Samples { canary: canary.to_vec(), baseline: baseline.to_vec() };
        [measured(10, Measured::Samples(samples))]
    };
    let (low, high) = ([1.0, 2.0, 3.0, 4.0, 5.0], [6.0, 7.0, 8.0, 9.0, 10.0]);
    let judge = |figures: &[Measurement]| stage(&canary).judge(figures, &[], minute(10));
    assert!(failure(&judge(&samples(low, high))).0.starts_with("lower than"));
    assert_eq!(judge(&samples(high, low)), Verdict::Pass);
}

#[test]
fn checks_count_since_the_stage_began() {
    let canary = canary("max = 1.0", "\"smoke\"");
    let stage = stage(&canary);
    let result = |minutes: i64, state| {
        let at = minute(minutes);
        CheckResult { name: "smoke".into(), state, at, by: "robot".into() }
    };
    let figures = numbers(&[0.0; 10]);
    let judge = |results: &[CheckResult], at| stage.judge(&figures, results, minute(at));
    let waits = |verdict: Verdict| assert!(matches!(verdict, Verdict::Wait { .. }), "{verdict:?}");
    waits(judge(&[], 10));
    waits(judge(&[result(-1, CheckState::Success)], 10));
    waits(judge(&[result(1, CheckState::Pending)], 10));
    assert_eq!(judge(&[result(1, CheckState::Success)], 10), Verdict::Pass);
    // One that is red fails at once, unless it was green again since.
    let red = stage.judge(&[], &[result(1, CheckState::Failure)], minute(1));
    assert_eq!(failure(&red), ("it failed", "success before the next step"));
    let again = [result(1, CheckState::Failure), result(2, CheckState::Success)];
    assert_eq!(judge(&again, 10), Verdict::Pass);
    // One that never comes is not waited for without end.
    assert_eq!(failure(&judge(&[], 10 + 24 * 60)).0, "it has no result since the step began");
}
