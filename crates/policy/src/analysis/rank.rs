use std::f64::consts::{PI, SQRT_2};

/// What a Mann-Whitney U test says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RankTest {
    /// U of the first figures: in how many pairs they are higher, ties counting half.
    pub statistic: f64,
    /// How probable it is by chance that they are at least so much higher.
    pub p: f64,
    /// The smallest `p` that so many figures can give.
    pub smallest: f64,
}

/// The most figures of either for which the distribution is computed rather than approximated.
const EXACT: usize = 50;

/// Whether the first figures are higher than the second, by a one-sided Mann-Whitney U test; nothing where
/// there are no figures.
///
/// Without ties, and with at most 50 figures of each, `p` is exact. Otherwise it is that of the normal
/// approximation with corrections for ties and for continuity. Figures that are no numbers are not for
/// this function.
pub fn mann_whitney(first: &[f64], second: &[f64]) -> Option<RankTest> {
    if first.is_empty() || second.is_empty() {
        return None;
    }
    let (statistic, ties) = ranked(first, second);
    let (n, m) = (first.len(), second.len());
    let is_small = n <= EXACT && m <= EXACT;
    let p = if is_small && ties == 0.0 {
        exact(n, m, statistic)
    } else {
        approximate(n, m, statistic, ties)
    };
    Some(RankTest { statistic, p: p.clamp(0.0, 1.0), smallest: smallest(n, m) })
}

/// A count as a number to calculate with. There are never so many that it would be another one.
fn number(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::from(u32::MAX), f64::from)
}

/// U of the first, and the sum of t^3 - t over all groups of t equal figures.
fn ranked(first: &[f64], second: &[f64]) -> (f64, f64) {
    let mut all: Vec<(f64, bool)> = first.iter().map(|figure| (*figure, true)).collect();
    all.extend(second.iter().map(|figure| (*figure, false)));
    // Zero has two signs, which are equal as numbers.
    for (figure, _) in &mut all {
        *figure += 0.0;
    }
    all.sort_by(|left, right| left.0.total_cmp(&right.0));
    let (mut ranks, mut ties, mut before) = (0.0, 0.0, 0.0);
    for group in all.chunk_by(|left, right| left.0.total_cmp(&right.0).is_eq()) {
        let size = number(group.len());
        let rank = before + f64::midpoint(size, 1.0);
        ranks += rank * number(group.iter().filter(|(_, is_first)| *is_first).count());
        ties += size * size * size - size;
        before += size;
    }
    let n = number(first.len());
    (ranks - n * (n + 1.0) / 2.0, ties)
}

/// The probability that U is at least so large, where all orders are equally probable.
///
/// The largest of `n + m` figures is one of the first with the probability `n / (n + m)`, and is higher
/// then than all of the second; what remains is the same with one figure less.
fn exact(n: usize, m: usize, statistic: f64) -> f64 {
    // `by[i]`: how probable each U is with `i` of the first and as many of the second as the round has.
    let mut by: Vec<Vec<f64>> = vec![vec![1.0]; n + 1];
    for second in 1..=m {
        for first in 1..=n {
            let share = number(first) / number(first + second);
            let mut next = vec![0.0; first * second + 1];
            for (u, p) in by[first].iter().enumerate() {
                next[u] += (1.0 - share) * p;
            }
            for (u, p) in by[first - 1].iter().enumerate() {
                next[u + second] += share * p;
            }
            by[first] = next;
        }
    }
    let tail = by[n].iter().enumerate().filter(|(u, _)| number(*u) >= statistic);
    tail.map(|(_, p)| p).sum()
}

fn approximate(n: usize, m: usize, statistic: f64, ties: f64) -> f64 {
    let (n, m) = (number(n), number(m));
    let all = n + m;
    let mean = n * m / 2.0;
    let variance = n * m / 12.0 * ((all + 1.0) - ties / (all * (all - 1.0)));
    if variance <= 0.0 {
        // All figures are equal.
        return 1.0;
    }
    let z = (statistic - mean - 0.5) / variance.sqrt();
    upper_tail(z)
}

/// One order of all: that in which the first are higher than all of the second.
fn smallest(n: usize, m: usize) -> f64 {
    let factor = |i: usize| number(i) / number(m + i);
    (1..=n).map(factor).product()
}

/// The probability that a normally distributed number is above `z`.
fn upper_tail(z: f64) -> f64 {
    let x = z.abs() / SQRT_2;
    let tail = if x < 2.5 { 0.5 * (1.0 - error_function(x)) } else { 0.5 * far_tail(x) };
    if z < 0.0 { 1.0 - tail } else { tail }
}

/// erf, by its series: 2/sqrt(pi) e^(-x^2) sum 2^k x^(2k+1) / (1 * 3 * ... * (2k+1)), whose terms are all
/// positive (Abramowitz and Stegun, 7.1.6).
fn error_function(x: f64) -> f64 {
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term > sum * f64::EPSILON {
        odd += 2.0;
        term *= 2.0 * x * x / odd;
        sum += term;
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

/// 1 - erf, by its continued fraction (Abramowitz and Stegun, 7.1.14), from the inside out.
fn far_tail(x: f64) -> f64 {
    let mut fraction = x;
    for k in (1..=60).rev() {
        fraction = x + f64::from(k) / 2.0 / fraction;
    }
    (-x * x).exp() / PI.sqrt() / fraction
}

#[cfg(test)]
#[expect(clippy::unreadable_literal, reason = "figures as SciPy prints them")]
mod tests {
    use super::*;

    fn check(first: &[f64], second: &[f64], statistic: f64, p: f64) {
        let test = mann_whitney(first, second).expect("there are figures");
        assert!((test.statistic - statistic).abs() < 1e-9, "{test:?}");
        assert!((test.p - p).abs() <= 1e-9 * p, "{test:?}, expected {p}");
    }

    /// `scipy.stats.mannwhitneyu(first, second, alternative="greater", method="exact")` of `SciPy` 1.17.
    #[test]
    fn small_samples_have_their_exact_probabilities() {
        // Ages at which diabetes was found, the example of SciPy.
        let (males, females) = ([19.0, 22.0, 16.0, 29.0, 24.0], [20.0, 11.0, 17.0, 12.0]);
        check(&males, &females, 17.0, 0.05555555555555555);
        check(&females, &males, 3.0, 0.9682539682539683);
        // Permeability of membranes: Hollander and Wolfe, Nonparametric Statistical Methods.
        let term = [0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46];
        check(&term, &[1.15, 0.88, 0.9, 0.74, 1.21], 35.0, 0.1272061272061272);
        check(&[1.0, 2.0, 3.0], &[4.0, 5.0, 6.0], 0.0, 1.0);
        check(&[4.0, 5.0, 6.0], &[1.0, 2.0, 3.0], 9.0, 0.05);
        check(&[1.1], &[1.0], 1.0, 0.5);
        let series = |factor: u32, offset: f64| {
            (0..50).map(|i| f64::from(i * factor % 50) + offset).collect::<Vec<f64>>()
        };
        check(&series(3, 0.1), &series(7, 0.0), 1275.0, 0.4332358761992011);
    }

    /// The same with `method="asymptotic"`.
    #[test]
    fn ties_and_large_samples_are_approximated() {
        check(&[1.0, 1.0, 2.0, 3.0, 3.0], &[1.0, 2.0, 2.0, 4.0, 5.0, 6.0], 9.0, 0.8872011957212257);
        check(&[5.0, 5.0, 5.0, 6.0], &[1.0, 5.0, 5.0], 9.0, 0.1351446924008493);
        check(&[2.0, 2.0, 2.0], &[2.0, 2.0, 2.0, 2.0], 6.0, 1.0);
        let first: Vec<f64> = (0..60).map(|i| f64::from(i * 37 % 101)).collect();
        let second: Vec<f64> = (0..70).map(|i| f64::from(i * 53 % 97) - 3.0).collect();
        check(&first, &second, 2347.5, 0.12433473222721259);
        check(&second, &first, 1852.5, 0.8766205263860558);
        let first: Vec<f64> = (100..200).map(f64::from).collect();
        let second: Vec<f64> = (0..150).map(|i| f64::from(i) + 0.5).collect();
        check(&first, &second, 13725.0, 5.451835327901698e-29);
    }

    #[test]
    fn few_figures_can_say_little() {
        assert_eq!(mann_whitney(&[], &[1.0]), None);
        assert_eq!(mann_whitney(&[1.0], &[]), None);
        let smallest = |n: usize, m: usize| {
            mann_whitney(&vec![1.0; n], &vec![0.0; m]).expect("there are figures").smallest
        };
        assert!((smallest(3, 3) - 0.05).abs() < 1e-12);
        assert!((smallest(2, 2) - 1.0 / 6.0).abs() < 1e-12);
        assert!(smallest(1000, 1000) < 1e-300);
        assert_eq!(mann_whitney(&[-0.0], &[0.0]).expect("figures").statistic.to_string(), "0.5");
    }
}
