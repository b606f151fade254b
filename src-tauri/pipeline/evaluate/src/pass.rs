//! pass@k and pass^k of n samples of a task.

/// The chance that at least one of `k` samples passes, estimated without bias from `passed` of `n`: `1 - C(n-c, k) / C(n, k)`
/// (Chen et al. 2021, arXiv 2107.03374). `None` where there are fewer samples than `k`.
#[must_use]
pub fn pass_at(passed: u32, n: u32, k: u32) -> Option<f64> {
    if k == 0 || k > n {
        return None;
    }
    let failed = n.saturating_sub(passed);
    if failed < k {
        return Some(1.0);
    }
    Some(1.0 - ratio(failed, n, k))
}

/// The chance that all of `k` samples pass: `C(c, k) / C(n, k)` (Yao et al. 2024, arXiv 2406.12045).
#[must_use]
pub fn pass_all(passed: u32, n: u32, k: u32) -> Option<f64> {
    if k == 0 || k > n {
        return None;
    }
    Some(if passed < k { 0.0 } else { ratio(passed, n, k) })
}

/// `C(some, k) / C(all, k)` as a product, which never grows large.
fn ratio(some: u32, all: u32, k: u32) -> f64 {
    (0..k).map(|i| f64::from(some - i) / f64::from(all - i)).product()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn estimates_are_those_of_drawing_without_putting_back() {
        // Of 4 samples with 1 passed, 3 of the 6 pairs hold it; no pair is all passed.
        assert!((pass_at(1, 4, 2).unwrap() - 0.5).abs() < 1e-12);
        assert!((pass_all(3, 4, 2).unwrap() - 0.5).abs() < 1e-12);
        assert_eq!((pass_all(1, 4, 2), pass_at(4, 4, 4), pass_at(0, 4, 4)), (Some(0.0), Some(1.0), Some(0.0)));
        assert_eq!((pass_at(1, 2, 3), pass_all(1, 2, 3), pass_at(1, 2, 0)), (None, None, None));
        assert!((pass_at(3, 10, 1).unwrap() - 0.3).abs() < 1e-12 && (pass_all(3, 10, 1).unwrap() - 0.3).abs() < 1e-12);
        assert!(pass_at(500, 1000, 400).unwrap() <= 1.0);
    }
}
