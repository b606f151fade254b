//! AdamW whose states take 8 bits a number instead of 32.
//!
//! Dettmers and others, "8-bit Optimizers via Block-wise Quantization", arXiv 2110.02861: each state is cut into blocks,
//! each block is divided by its largest number, and what is left is kept as the nearest of 256 values that lie the closer
//! the smaller they are (dynamic quantisation, section 1.3 and appendix). The step itself is computed in 32 bits. Two
//! numbers are those of the authors' library bitsandbytes rather than of the paper: blocks of 256 (the paper has 2,048),
//! and matrices under 4,096 numbers keep 32 bits.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::adamw::{Factors, Step};
use super::tensor::{change, floats};
use super::vector::vectorised;
use crate::error::{Error, Result};

/// Numbers of a block.
pub const BLOCK: usize = 256;
/// Matrices with fewer numbers keep states of 32 bits.
pub const SMALLEST: usize = 4_096;
/// Blocks that one task takes.
const BLOCKS_AT_A_TIME: usize = 64;

/// The values that a code can stand for, from the smallest to the largest, all within -1 to 1, or 0 to 1.
///
/// A value has a decimal exponent from 0 to -6; the smaller the exponent, the fewer bits are left for the fraction. With
/// `e` bits the fractions are the centres of `2^e` equal parts of 0.1 to 1. To these come 0 and 1.
fn map(signed: bool) -> Vec<f32> {
    let mut values = vec![0.0, 1.0];
    for exponent in 0..7_i32 {
        let parts = 1_u32 << (exponent + i32::from(!signed));
        for part in 0..parts {
            let centre = 0.1 + 0.9 * (f64::from(part) + 0.5) / f64::from(parts);
            #[expect(clippy::cast_possible_truncation, reason = "kept in 32 bits")]
            let value = (centre * 10_f64.powi(exponent - 6)) as f32;
            values.push(value);
            if signed {
                values.push(-value);
            }
        }
    }
    values.sort_by(f32::total_cmp);
    values
}

/// One state in 8 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Coded {
    /// For each number the place of its value in the map.
    pub codes: Vec<u8>,
    /// For each block of [`BLOCK`] numbers the largest one's size.
    pub scales: Vec<f32>,
}

/// The states of all trained numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct States {
    /// How many numbers each matrix has, in their order: blocks never reach from one into the next.
    matrices: Vec<usize>,
    /// Mean gradients of large matrices.
    pub mean: Coded,
    /// Mean squares of large matrices.
    pub squares: Coded,
    /// Mean gradients of small matrices.
    pub small_mean: Vec<f32>,
    /// Mean squares of small matrices.
    pub small_squares: Vec<f32>,
}

/// A map with the borders between its values.
struct Map {
    values: Vec<f32>,
    borders: Vec<f32>,
}

impl Map {
    fn new(signed: bool) -> Self {
        let values = map(signed);
        let borders = values.windows(2).map(|pair| pair[0].midpoint(pair[1])).collect();
        Self { values, borders }
    }

    fn decode(&self, codes: &[u8], scale: f32, numbers: &mut [f32]) {
        for (number, code) in numbers.iter_mut().zip(codes) {
            *number = self.values[usize::from(*code)] * scale;
        }
    }

    /// Gives the block's scale.
    fn encode(&self, numbers: &[f32], codes: &mut [u8]) -> f32 {
        let scale = numbers.iter().fold(0.0_f32, |most, number| most.max(number.abs()));
        let share = if scale > 0.0 { scale.recip() } else { 0.0 };
        for (code, number) in codes.iter_mut().zip(numbers) {
            let nearest = self.borders.partition_point(|border| *border < number * share);
            // 256 values have 255 borders.
            *code = u8::try_from(nearest).unwrap_or(u8::MAX);
        }
        scale
    }
}

/// Some blocks of a large matrix, or a small matrix: values, gradients and states that belong together.
enum Task<'a> {
    Coded { values: &'a mut [f32], gradients: &'a [f32], mean: CodedPart<'a>, squares: CodedPart<'a> },
    Plain { values: &'a mut [f32], gradients: &'a [f32], mean: &'a mut [f32], squares: &'a mut [f32] },
}

struct CodedPart<'a> {
    codes: &'a mut [u8],
    scales: &'a mut [f32],
}

impl<'a> CodedPart<'a> {
    fn take(&mut self, numbers: usize) -> CodedPart<'a> {
        CodedPart { codes: cut(&mut self.codes, numbers), scales: cut(&mut self.scales, numbers.div_ceil(BLOCK)) }
    }
}

/// Takes the first `count` off a slice.
fn cut<'a, T>(slice: &mut &'a mut [T], count: usize) -> &'a mut [T] {
    slice.split_off_mut(..count).unwrap_or_default()
}

fn is_large(matrix: usize) -> bool {
    matrix >= SMALLEST
}

impl States {
    /// States of 0 for matrices of so many numbers each.
    #[must_use]
    pub fn zeros(matrices: &[usize]) -> Self {
        let large = matrices.iter().copied().filter(|matrix| is_large(*matrix));
        let (codes, blocks) =
            large.fold((0, 0), |(codes, blocks), matrix| (codes + matrix, blocks + matrix.div_ceil(BLOCK)));
        let small: usize = matrices.iter().filter(|matrix| !is_large(**matrix)).sum();
        let coded = || Coded { codes: vec![0; codes], scales: vec![0.0; blocks] };
        Self {
            matrices: matrices.to_vec(),
            // With a scale of 0 every code stands for 0.
            mean: coded(),
            squares: coded(),
            small_mean: vec![0.0; small],
            small_squares: vec![0.0; small],
        }
    }

    /// Their parts under the names that files keep them by.
    ///
    /// # Errors
    /// When a tensor cannot be made.
    pub fn tensors(&self) -> Result<Vec<(&'static str, Tensor)>> {
        let codes = |codes: &[u8]| Tensor::from_slice(codes, codes.len(), &Device::Cpu);
        let numbers = |numbers: &[f32]| Tensor::from_slice(numbers, numbers.len(), &Device::Cpu);
        Ok(vec![
            ("mean_codes", codes(&self.mean.codes)?),
            ("mean_scales", numbers(&self.mean.scales)?),
            ("squares_codes", codes(&self.squares.codes)?),
            ("squares_scales", numbers(&self.squares.scales)?),
            ("small_mean", numbers(&self.small_mean)?),
            ("small_squares", numbers(&self.small_squares)?),
        ])
    }

    /// The same from such tensors.
    ///
    /// # Errors
    /// When one of them is of another size or kind.
    pub fn read(matrices: &[usize], tensor: impl Fn(&str) -> Result<Tensor>) -> Result<Self> {
        let mut states = Self::zeros(matrices);
        let wrong = |name: &str| Error::Kernel(format!("{name} is of another size than the adapter asks for"));
        for (name, codes) in [("mean_codes", &mut states.mean.codes), ("squares_codes", &mut states.squares.codes)] {
            let found = tensor(name)?.to_vec1::<u8>()?;
            *codes = if found.len() == codes.len() { found } else { return Err(wrong(name)) };
        }
        for (name, numbers) in [
            ("mean_scales", &mut states.mean.scales),
            ("squares_scales", &mut states.squares.scales),
            ("small_mean", &mut states.small_mean),
            ("small_squares", &mut states.small_squares),
        ] {
            let found = tensor(name)?.to_vec1::<f32>()?;
            *numbers = if found.len() == numbers.len() { found } else { return Err(wrong(name)) };
        }
        Ok(states)
    }

    /// As [`super::adamw::step`] with these states.
    ///
    /// # Errors
    /// When a tensor is not contiguous 32-bit floats on the CPU, or has another size.
    pub fn step(&mut self, values: &Tensor, gradients: &Tensor, step: &Step) -> Result<()> {
        let count: usize = self.matrices.iter().sum();
        if values.elem_count() != count || gradients.elem_count() != count {
            return Err(Error::Kernel(format!("states of {count} numbers cannot move {}", values.elem_count())));
        }
        let gradients = floats(gradients)?;
        let gradients: &[f32] = &gradients;
        let factors = Factors::of(step);
        let (signed, unsigned) = (Map::new(true), Map::new(false));
        change(values, |values| {
            self.tasks(values, gradients).into_par_iter().for_each(|task| match task {
                Task::Plain { values, gradients, mean, squares } => {
                    vectorised(|| factors.apply(values, gradients, mean, squares));
                }
                Task::Coded { values, gradients, mean, squares } => {
                    let states = mean.codes.chunks_mut(BLOCK).zip(squares.codes.chunks_mut(BLOCK));
                    let scales = mean.scales.iter_mut().zip(squares.scales);
                    let numbers = values.chunks_mut(BLOCK).zip(gradients.chunks(BLOCK));
                    for ((numbers, states), (mean_scale, squares_scale)) in numbers.zip(states).zip(scales) {
                        let ((values, gradients), (mean_codes, squares_codes)) = (numbers, states);
                        let (mut mean, mut squares) = ([0.0; BLOCK], [0.0; BLOCK]);
                        let (mean, squares) = (&mut mean[..values.len()], &mut squares[..values.len()]);
                        signed.decode(mean_codes, *mean_scale, mean);
                        unsigned.decode(squares_codes, *squares_scale, squares);
                        vectorised(|| factors.apply(values, gradients, mean, squares));
                        *mean_scale = signed.encode(mean, mean_codes);
                        *squares_scale = unsigned.encode(squares, squares_codes);
                    }
                }
            });
        })
    }

    /// Everything, cut into parts that can be moved at once.
    fn tasks<'a>(&'a mut self, mut values: &'a mut [f32], mut gradients: &'a [f32]) -> Vec<Task<'a>> {
        let mut mean = CodedPart { codes: &mut self.mean.codes, scales: &mut self.mean.scales };
        let mut squares = CodedPart { codes: &mut self.squares.codes, scales: &mut self.squares.scales };
        let (mut small_mean, mut small_squares) = (&mut self.small_mean[..], &mut self.small_squares[..]);
        let mut tasks = Vec::new();
        for matrix in &self.matrices {
            let (mut left, step) = (*matrix, if is_large(*matrix) { BLOCK * BLOCKS_AT_A_TIME } else { *matrix });
            while left > 0 {
                let count = left.min(step);
                left -= count;
                let own = gradients.split_off(..count).unwrap_or_default();
                let values = cut(&mut values, count);
                tasks.push(if is_large(*matrix) {
                    Task::Coded { values, gradients: own, mean: mean.take(count), squares: squares.take(count) }
                } else {
                    let (mean, squares) = (cut(&mut small_mean, count), cut(&mut small_squares, count));
                    Task::Plain { values, gradients: own, mean, squares }
                });
            }
        }
        tasks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_maps_have_256_values_that_lie_closer_around_0() {
        let signed = map(true);
        assert_eq!((signed.len(), signed[127], signed[255]), (256, 0.0, 1.0));
        // The library's own first and last values; its largest negative one is not -1.
        assert!((signed[0] + 0.992_968_75).abs() < 1e-6 && (signed[128] - 5.5e-7).abs() < 1e-12, "{signed:?}");
        let unsigned = map(false);
        assert_eq!((unsigned.len(), unsigned[0], unsigned[255]), (256, 0.0, 1.0));
        assert!((unsigned[1] - 3.25e-7).abs() < 1e-12 && (unsigned[254] - 0.996_484_4).abs() < 1e-6, "{unsigned:?}");
        for values in [signed, unsigned] {
            assert!(values.windows(2).all(|pair| pair[0] < pair[1]));
        }
    }

    #[test]
    fn every_number_becomes_the_nearest_value() {
        let map = Map::new(true);
        let numbers: Vec<f32> = (0..200_i16).map(|place| (f32::from(place) * 0.37).sin() * 3.0).collect();
        let mut codes = [0; 200];
        let scale = map.encode(&numbers, &mut codes);
        let mut decoded = [0.0; 200];
        map.decode(&codes, scale, &mut decoded);
        for (number, decoded) in numbers.iter().zip(decoded) {
            let nearest = map.values.iter().map(|value| (value * scale - number).abs()).fold(f32::MAX, f32::min);
            assert!((decoded - number).abs() <= nearest + 1e-6, "{number} became {decoded}");
        }
        assert_eq!(map.encode(&[0.0; 3], &mut codes[..3]), 0.0);
    }

    #[test]
    fn small_matrices_move_as_with_32_bits_and_large_ones_nearly_so() {
        let matrices = [100, 5_000, 4_096, 7];
        let count: usize = matrices.iter().sum();
        let numbers = |name: &str| crate::synthetic::numbers(name, count, 1.0, 0.0);
        let tensor = |numbers: Vec<f32>| Tensor::from_vec(numbers, count, &Device::Cpu).unwrap();
        let (ours, plain) = (tensor(numbers("values")), tensor(numbers("values")));
        let (mean, squares) = (tensor(vec![0.0; count]), tensor(vec![0.0; count]));
        let mut states = States::zeros(&matrices);
        assert_eq!(states.mean.scales.len(), 20 + 16);
        for number in 1..=10 {
            let step = Step {
                number,
                rate: 1e-2,
                weight_decay: 0.01,
                beta1: 0.9,
                beta2: 0.999,
                eps: 1e-8,
                gradient_scale: 0.5,
            };
            let gradients = tensor(numbers(&format!("gradients {number}")));
            states.step(&ours, &gradients, &step).unwrap();
            super::super::adamw::step(&plain, &gradients, &mean, &squares, &step).unwrap();
        }
        let (ours, plain) = (ours.to_vec1::<f32>().unwrap(), plain.to_vec1::<f32>().unwrap());
        let begun = numbers("values");
        assert_eq!((&ours[..100], &ours[9_196..]), (&plain[..100], &plain[9_196..]));
        let apart = |range: std::ops::Range<usize>| {
            let square = |number: f32| f64::from(number) * f64::from(number);
            let moved: f64 = range.clone().map(|place| square(plain[place] - begun[place])).sum();
            range.map(|place| square(ours[place] - plain[place])).sum::<f64>() / moved
        };
        assert!(apart(100..9_196) < 1e-3, "{}", apart(100..9_196));

        let kept: std::collections::HashMap<_, _> = states.tensors().unwrap().into_iter().collect();
        let read = States::read(&matrices, |name| Ok(kept[name].clone())).unwrap();
        assert_eq!(read, states);
        assert!(States::read(&matrices[..3], |name| Ok(kept[name].clone())).is_err());
    }
}
