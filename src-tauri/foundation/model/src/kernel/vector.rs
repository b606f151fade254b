//! Loops over floats, compiled for the vector instructions of the machine at hand.

/// Runs a loop with the widest vector instructions there are. What it calls must be `#[inline(always)]`.
#[inline(always)]
pub fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}

/// e^x to about one unit in the last place, without a branch. Below -87 it gives about 1e-38.
#[inline(always)]
pub fn exp(x: f32) -> f32 {
    // Adding and taking away 1.5 * 2^23 rounds to the nearest whole number.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.3, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let whole = shifted - ROUND;
    // ln 2 in two parts, so that the remainder is exact (Cody and Waite).
    let rest = x - whole * 0.693_359_4 + whole * 2.121_944_4e-4;
    let p = 1.987_569_1e-4;
    let p = p * rest + 1.398_199_9e-3;
    let p = p * rest + 8.333_452e-3;
    let p = p * rest + 4.166_579_6e-2;
    let p = p * rest + 1.666_666_5e-1;
    let p = p * rest + 0.5;
    let value = p * rest * rest + rest + 1.0;
    // The whole part is the exponent; its low bits stand in the mantissa of `shifted`.
    let exponent = (shifted.to_bits() << 23).wrapping_add(0x3f80_0000);
    value * f32::from_bits(exponent)
}

const LANES: usize = 16;

/// The sum, in a fixed order that suits vector instructions.
#[inline(always)]
pub fn sum_of(count: usize, term: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let whole = count / LANES * LANES;
    let mut start = 0;
    while start < whole {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += term(start + lane);
        }
        start += LANES;
    }
    let mut total: f32 = lanes.iter().sum();
    for index in whole..count {
        total += term(index);
    }
    total
}

/// The largest number; negative infinity if there is none.
#[inline(always)]
pub fn max_of(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane = if *value > *lane { *value } else { *lane };
        }
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |most, value| if *value > most { *value } else { most })
}

/// Sum of the products of two equally long slices.
#[inline(always)]
pub fn dot(left: &[f32], right: &[f32]) -> f32 {
    let count = left.len().min(right.len());
    let (left, right) = (&left[..count], &right[..count]);
    sum_of(count, |index| left[index] * right[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_right_to_two_units_in_the_last_place() {
        let mut x = -87.0_f32;
        while x < 87.0 {
            let (ours, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((ours / exact - 1.0).abs() < 2.4e-7, "{x}: {ours} and {exact}");
            x += 0.013;
        }
        assert!(exp(-1e30) < 1e-37 && (exp(0.0) - 1.0).abs() < f32::EPSILON);
    }

    #[test]
    fn sums_and_maxima_take_every_number() {
        let values: Vec<f32> = (0..37_u8).map(f32::from).collect();
        assert!((sum_of(37, |index| values[index]) - 666.0).abs() < 1e-3);
        assert!((max_of(&values) - 36.0).abs() < f32::EPSILON);
    }
}
