//! Inputs dropped at random, the rest made larger: which ones is a function of a seed and the place alone.

use candle_core::Tensor;
use rayon::prelude::*;

use super::tensor::{floats, tensor};
use crate::error::Result;

/// Numbers that one task takes.
const CHUNK: usize = 16_384;

/// `x` with `share` of its numbers set to 0 and the others divided by `1 - share`. The gradient of `x` is the same function
/// of the gradient.
///
/// # Errors
/// When the tensor is not contiguous 32-bit floats on the CPU.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 2^32 fits")]
pub fn forward(x: &Tensor, share: f64, seed: u64) -> Result<Tensor> {
    let mut output = floats(x)?.to_vec();
    let limit = (share * f64::from(u32::MAX)) as u32;
    let larger = (1.0 / (1.0 - share)) as f32;
    output.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, numbers)| {
        for (place, number) in numbers.iter_mut().enumerate() {
            let mut hash = seed.wrapping_add(((chunk * CHUNK + place) as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            *number *= if (hash >> 32) as u32 >= limit { larger } else { 0.0 };
        }
    });
    tensor(output, x.shape())
}
