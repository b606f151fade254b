//! Noise on the rows of a matrix: a function of a seed and the place alone.

use candle_core::Tensor;
use rayon::prelude::*;

use super::tensor::change_rows;
use crate::error::{Error, Result};

/// Adds to each number of a row of `x` [n, width] one that is spread evenly between minus and plus the row's size, where it
/// is.
///
/// # Errors
/// When there are not as many sizes as rows, or the tensor is not 32-bit floats on the CPU.
pub fn add(x: &Tensor, sizes: &[f32], seed: u64) -> Result<()> {
    let (rows, width) = x.dims2()?;
    if rows != sizes.len() {
        return Err(Error::Kernel(format!("noise of {} rows cannot be added to {rows}", sizes.len())));
    }
    change_rows(x, |numbers, apart| {
        numbers.par_chunks_mut(apart.max(1)).zip(sizes).enumerate().for_each(|(row, (numbers, size))| {
            for (place, number) in numbers[..width].iter_mut().enumerate() {
                let place = (row * width + place) as u64 + 1;
                let mut hash = seed.wrapping_add(place.wrapping_mul(0x9E37_79B9_7F4A_7C15));
                hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
                hash ^= hash >> 31;
                // The top 24 bits, as a number from -1 to below 1.
                #[expect(clippy::cast_precision_loss, reason = "24 bits fit")]
                let unit = (hash >> 40) as f32 / 8_388_608.0 - 1.0;
                *number += unit * size;
            }
        });
    })
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn noise_is_even_within_each_rows_size_and_fixed_by_its_seed() {
        let noise = |seed| {
            let x = Tensor::zeros((3, 4_000), candle_core::DType::F32, &Device::Cpu).unwrap();
            add(&x, &[0.5, 0.0, 2.0], seed).unwrap();
            x.to_vec2::<f32>().unwrap()
        };
        let found = noise(7);
        assert!(found == noise(7) && found != noise(8));
        for (row, size) in [(0, 0.5_f32), (1, 0.0), (2, 2.0)] {
            let mean = found[row].iter().sum::<f32>() / 4_000.0;
            let spread = (found[row].iter().map(|n| n * n).sum::<f32>() / 4_000.0).sqrt();
            assert!(found[row].iter().all(|number| number.abs() <= size) && mean.abs() < 0.04 * size.max(1e-9));
            assert!((spread - size / 3.0_f32.sqrt()).abs() <= 0.02 * size, "{spread}");
        }
        assert!(add(&Tensor::zeros((2, 4), candle_core::DType::F32, &Device::Cpu).unwrap(), &[1.0], 1).is_err());
    }
}
