//! What the layers compute beyond plain matrix products, each forwards and backwards.
//!
//! Tensors are row-major and hold 32-bit floats on the CPU. None of these functions builds a graph for automatic
//! differentiation: who calls a forward also calls its backward. Results depend on the number of threads at most in how
//! matrix products are cut; the same machine with the same number of threads gives the same bits.

pub mod adamw;
pub mod adamw_eight_bit;
pub mod attention;
pub mod cross_entropy;
pub mod dropout;
pub mod heads;
pub mod linear;
mod matrix;
pub mod noise;
pub mod norm;
pub mod rows;
pub mod swiglu;
mod tensor;
pub mod vector;
