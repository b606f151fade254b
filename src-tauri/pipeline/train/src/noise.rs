//! Noise on the embeddings while training: NEFTune (Jain and others, arXiv 2310.05914).
//!
//! The paper adds to every number of a row's embeddings one that is spread evenly within `alpha / sqrt(L d)`, for a row of
//! `L` tokens and embeddings of `d` numbers: the noise of a whole row has the same size whatever its length. Here a token
//! may belong to many rows and is computed once, so it gets one noise for all of them, and `L` is the length of the longest
//! row that goes through it. A row that shares nothing, and the longest row of every branch, get what the paper gives them;
//! the rows that end earlier on its way get less than they would alone, never more.

use candle_core::Tensor;
use tw_model::Layout;
use tw_model::kernel::noise;

use crate::error::Result;
use crate::pack::Pack;

/// Noise, and what fixes it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    /// The paper's alpha: 5 to 15 are usual.
    pub alpha: f64,
    /// Names the step and the pack.
    pub seed: u64,
}

impl Noise {
    /// Adds it to a pack's embeddings [n, hidden], where they are.
    pub(crate) fn add(self, embeddings: &Tensor, pack: &Pack) -> Result<()> {
        let width = embeddings.dims2()?.1;
        #[expect(clippy::cast_possible_truncation, reason = "computed in 32 bits")]
        let sizes: Vec<f32> = row_lengths(&pack.layout)
            .into_iter()
            .map(|length| (self.alpha / (length as f64 * width as f64).sqrt()) as f32)
            .collect();
        Ok(noise::add(embeddings, &sizes, self.seed)?)
    }
}

/// For each token the length of the longest row that goes through it.
fn row_lengths(layout: &Layout) -> Vec<usize> {
    let mut longest: Vec<usize> =
        layout.segments.iter().map(|segment| layout.positions[segment.tokens.end - 1] as usize + 1).collect();
    // A segment's parent stands before it.
    for (index, segment) in layout.segments.iter().enumerate().rev() {
        if let Some(parent) = segment.parent {
            longest[parent] = longest[parent].max(longest[index]);
        }
    }
    layout
        .segments
        .iter()
        .zip(longest)
        .flat_map(|(segment, length)| segment.tokens.clone().map(move |_| length))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::Sequence;

    #[test]
    fn a_token_counts_with_the_longest_row_through_it() {
        let row = |tokens: &[u32]| Sequence { tokens: tokens.to_vec(), weights: vec![1.0; tokens.len()] };
        let pack = Pack::new(&[row(&[1, 2, 3, 4]), row(&[1, 2, 5]), row(&[1]), row(&[9, 9])]);
        assert_eq!(pack.tokens, [1, 2, 3, 4, 5, 9, 9]);
        assert_eq!(row_lengths(&pack.layout), [4, 4, 4, 4, 3, 2, 2]);
    }
}
