//! Shares with their intervals, and how likely a difference is chance.

use tw_artifact::{Change, Rate};

/// The normal quantile of a two-sided interval of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// Wilson's score interval (1927) of a share of `n`, which keeps within 0 and 1 and has a width also at 0 and 1. `n` need
/// not be whole: it may be an effective size.
fn wilson(share: f64, n: f64) -> (f64, f64) {
    if n <= 0.0 {
        return (0.0, 1.0);
    }
    let z2 = Z * Z;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}

/// A share of independent cases.
#[must_use]
pub fn rate(right: u32, of: u32) -> Rate {
    let share = if of == 0 { 0.0 } else { f64::from(right) / f64::from(of) };
    let (low, high) = wilson(share, f64::from(of));
    Rate { right, of, low, high }
}

/// A share of cases that come in groups (the steps of a trace, the samples of a task), each `(right, of)`. Cases of a group
/// are alike, so the interval is that of fewer cases: Wilson's, with the effective sample size (Korn and Graubard 1998)
/// from the variance of the ratio between groups. Never narrower than [`rate`]'s.
#[must_use]
pub fn rate_of_groups(groups: &[(u32, u32)]) -> Rate {
    let (right, of) = groups.iter().fold((0, 0), |sum, group| (sum.0 + group.0, sum.1 + group.1));
    let plain = rate(right, of);
    let groups: Vec<(f64, f64)> =
        groups.iter().filter(|group| group.1 > 0).map(|group| (f64::from(group.0), f64::from(group.1))).collect();
    let (Some(share), count) = (plain.share(), groups.len() as f64) else { return plain };
    let n = f64::from(of);
    if groups.len() < 2 {
        // One group says nothing of what lies between groups: it counts as one case.
        let (low, high) = wilson(share, count);
        return Rate { low, high, ..plain };
    }
    let residuals: f64 = groups.iter().map(|(right, of)| (right - share * of).powi(2)).sum();
    let variance = count / (count - 1.0) * residuals / (n * n);
    // Where all cases are right, or all are wrong, the variance tells nothing: then the groups are the cases.
    let size = if share <= 0.0 || share >= 1.0 {
        count
    } else if variance > 0.0 {
        (share * (1.0 - share) / variance).min(n)
    } else {
        n
    };
    let (low, high) = wilson(share, size);
    Rate { low, high, ..plain }
}

/// How two judgements of the same cases differ, with the exact McNemar test: under "equally good" each case that changed is
/// as likely gained as lost.
#[must_use]
pub fn change(pairs: impl IntoIterator<Item = (bool, bool)>) -> Change {
    let mut change = Change::default();
    for (before, after) in pairs {
        change.both += 1;
        change.gained += u32::from(!before && after);
        change.lost += u32::from(before && !after);
    }
    change.p_value = two_sided(change.gained, change.lost);
    change
}

/// Chance of a split at least as uneven as this of `gained + lost` throws of a coin.
fn two_sided(gained: u32, lost: u32) -> f64 {
    let (n, least) = (gained + lost, gained.min(lost));
    let mut sum = 0.0;
    // Binomial terms as logarithms: their products would leave what a double holds.
    let mut term = -f64::from(n) * std::f64::consts::LN_2;
    for k in 0..=least {
        sum += term.exp();
        term += (f64::from(n - k)).ln() - f64::from(k + 1).ln();
    }
    (2.0 * sum).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 5e-4
    }

    #[test]
    fn wilsons_interval_is_the_published_one() {
        // Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
        for (right, of, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let found = rate(right, of);
            assert!(close(found.low, low) && close(found.high, high), "{found:?}");
        }
        assert_eq!((rate(0, 0).low, rate(0, 0).high, rate(0, 0).share()), (0.0, 1.0, None));
    }

    #[test]
    fn cases_that_are_alike_count_as_fewer() {
        let alike = [(10, 10), (0, 10), (10, 10), (0, 10), (10, 10), (0, 10)];
        let mixed = [(5, 10); 6];
        let width = |rate: Rate| rate.high - rate.low;
        let (alike, mixed, plain) = (rate_of_groups(&alike), rate_of_groups(&mixed), rate(30, 60));
        assert_eq!(alike.share(), mixed.share());
        assert!(width(alike) > 2.0 * width(plain), "{alike:?} {plain:?}");
        assert!(close(width(mixed), width(plain)));
        assert!(rate_of_groups(&[(7, 7)]).low < 0.3, "seven steps of one trace prove little");
        assert!(close(rate_of_groups(&[(1, 1); 20]).low, rate(20, 20).low));
    }

    #[test]
    fn a_change_is_judged_by_the_cases_that_changed() {
        let pairs = |gained: usize, lost: usize| {
            let same = std::iter::repeat_n((true, true), 50);
            same.chain(std::iter::repeat_n((false, true), gained)).chain(std::iter::repeat_n((true, false), lost))
        };
        // Binomial(10, 1/2): 2 P(X <= 1) = 22/1024.
        let found = change(pairs(9, 1));
        assert_eq!((found.both, found.gained, found.lost), (60, 9, 1));
        assert!(close(found.p_value, 22.0 / 1024.0));
        assert!(close(change(pairs(0, 0)).p_value, 1.0) && close(change(pairs(3, 3)).p_value, 1.0));
        assert!(change(pairs(4000, 1000)).p_value < 1e-12);
    }
}
