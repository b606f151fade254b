//! Which token comes next.

use tw_model::kernel::vector::{exp, max_of, sum_of, vectorised};

use crate::request::{Constraint, TokenInfo};

/// How tokens are chosen. The names and the order of the filters are vLLM's: penalties, temperature, `min_p`, `top_k`,
/// `top_p`.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// 0 takes the likeliest token.
    pub temperature: f32,
    /// The likeliest tokens that together have this probability.
    pub top_p: f32,
    /// So many likeliest tokens; 0 for all.
    pub top_k: usize,
    /// Tokens at least this share as likely as the likeliest.
    pub min_p: f32,
    /// Divides (or multiplies) the scores of tokens that stand in prompt or answer.
    pub repetition_penalty: f32,
    /// Taken from the scores of tokens in the answer, once for each time.
    pub frequency_penalty: f32,
    /// Taken once.
    pub presence_penalty: f32,
    /// Added to the scores of these tokens.
    pub bias: Vec<(u32, f32)>,
    /// The same seed gives the same answer. Chance where none is given.
    pub seed: Option<u64>,
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            temperature: 0.0,
            top_p: 1.0,
            top_k: 0,
            min_p: 0.0,
            repetition_penalty: 1.0,
            frequency_penalty: 0.0,
            presence_penalty: 0.0,
            bias: Vec::new(),
            seed: None,
        }
    }
}

/// Below this, a temperature means the likeliest token.
const GREEDY_BELOW: f32 = 1e-5;

/// Chooses the tokens of one answer.
#[derive(Debug)]
pub(crate) struct Sampler {
    sampling: Sampling,
    seed: u64,
    /// Tokens chosen so far.
    drawn: u64,
    logprobs: Option<usize>,
}

impl Sampler {
    /// `chance` is the seed where the request has none.
    pub(crate) fn new(sampling: Sampling, logprobs: Option<usize>, chance: u64) -> Self {
        Self { seed: sampling.seed.unwrap_or(chance), sampling, drawn: 0, logprobs }
    }

    /// The next token for these scores, which are changed. `tokens` are prompt and answer so far, `prompt` the prompt's
    /// length. `None` where the constraint allows none.
    pub(crate) fn next(
        &mut self,
        scores: &mut [f32],
        tokens: &[u32],
        prompt: usize,
        constraint: Option<&mut (dyn Constraint + 'static)>,
        stop: &[u32],
    ) -> Option<TokenInfo> {
        let told = self.logprobs.map(|count| (log_sum(scores), top(scores, count), scores.to_vec()));
        self.penalise(scores, tokens, prompt);
        let id = match constraint {
            None => self.choose(scores),
            Some(constraint) => {
                let may_end = constraint.may_end();
                // Narrowed by and by: asking about every token of the vocabulary would take longer than the model.
                let mut narrowed = Narrowed { scores, done: 0, order: Vec::new() };
                let mut allowed = |id: u32| if stop.contains(&id) { may_end } else { constraint.allows(id) };
                self.choose_narrowed(&mut narrowed, &mut allowed)?
            }
        };
        self.drawn += 1;
        Some(match told {
            None => TokenInfo { id, logprob: None, top: Vec::new() },
            Some((sum, top, scores)) => {
                let logprob = |id: u32| scores[id as usize] - sum;
                let top = top.into_iter().map(|id| (id, logprob(id))).collect();
                TokenInfo { id, logprob: Some(logprob(id)), top }
            }
        })
    }

    fn penalise(&self, scores: &mut [f32], tokens: &[u32], prompt: usize) {
        let sampling = &self.sampling;
        if (sampling.repetition_penalty - 1.0).abs() > f32::EPSILON {
            let mut seen = vec![false; scores.len()];
            for token in tokens {
                if !std::mem::replace(&mut seen[*token as usize], true) {
                    let score = &mut scores[*token as usize];
                    *score = if *score > 0.0 {
                        *score / sampling.repetition_penalty
                    } else {
                        *score * sampling.repetition_penalty
                    };
                }
            }
        }
        if sampling.frequency_penalty != 0.0 || sampling.presence_penalty != 0.0 {
            let mut seen = vec![false; scores.len()];
            for token in &tokens[prompt..] {
                let first = !std::mem::replace(&mut seen[*token as usize], true);
                scores[*token as usize] -=
                    sampling.frequency_penalty + if first { sampling.presence_penalty } else { 0.0 };
            }
        }
        for (token, bias) in &sampling.bias {
            if let Some(score) = scores.get_mut(*token as usize) {
                *score += bias;
            }
        }
    }

    /// A number from 0 up to 1, the same for the same seed and place.
    fn chance(&self) -> f64 {
        let mut x = self.seed.wrapping_add((self.drawn + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^= x >> 31;
        (x >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn choose(&self, scores: &mut [f32]) -> u32 {
        if self.sampling.temperature < GREEDY_BELOW {
            return likeliest(scores);
        }
        let Sampling { temperature, top_p, top_k, .. } = self.sampling;
        let most = max_of(scores);
        vectorised(|| {
            for score in scores.iter_mut() {
                *score = exp((*score - most) / temperature);
            }
        });
        let total = sum_of(scores.len(), |index| scores[index]);
        if top_k == 0 && top_p >= 1.0 && self.sampling.min_p <= 0.0 {
            let weights = scores.iter().enumerate().map(|(id, weight)| (index(id), *weight));
            return draw(weights, f64::from(total), self.chance());
        }
        // The likeliest first; how many are needed is not known before.
        let mut count = if top_k > 0 { top_k } else { 256 };
        loop {
            let order = top(scores, count);
            let kept = self.filter(scores, &order, total);
            if kept < order.len() || order.len() == scores.len() || top_k > 0 {
                let sum = order[..kept].iter().map(|id| f64::from(scores[*id as usize])).sum();
                return draw(order[..kept].iter().map(|id| (*id, scores[*id as usize])), sum, self.chance());
            }
            count *= 8;
        }
    }

    /// How many of the likeliest tokens stay. Their weights are relative to the likeliest one's, which is 1.
    fn filter(&self, weights: &[f32], order: &[u32], total: f32) -> usize {
        let Sampling { top_p, top_k, min_p, .. } = self.sampling;
        let limit = if top_k > 0 { top_k.min(order.len()) } else { order.len() };
        let limit = order[..limit].partition_point(|id| weights[*id as usize] >= min_p).max(1);
        // top_p counts what top_k has left.
        let total =
            if top_k > 0 || min_p > 0.0 { order[..limit].iter().map(|id| weights[*id as usize]).sum() } else { total };
        let mut sum = 0.0;
        for (place, id) in order[..limit].iter().enumerate() {
            sum += weights[*id as usize];
            if sum >= top_p * total {
                return place + 1;
            }
        }
        limit
    }

    fn choose_narrowed(&self, narrowed: &mut Narrowed<'_>, allowed: &mut dyn FnMut(u32) -> bool) -> Option<u32> {
        let greedy = self.sampling.temperature < GREEDY_BELOW;
        let wanted = if greedy { 1 } else { self.sampling.top_k.clamp(1, 64) };
        let wanted = if !greedy && self.sampling.top_k == 0 { 64 } else { wanted };
        let mut kept: Vec<(u32, f32)> = Vec::new();
        while kept.len() < wanted
            && let Some(id) = narrowed.next()
        {
            if allowed(id) {
                kept.push((id, narrowed.scores[id as usize]));
            }
        }
        let (first, most) = *kept.first()?;
        if greedy {
            return Some(first);
        }
        let weights: Vec<f32> = kept.iter().map(|(_, score)| exp((score - most) / self.sampling.temperature)).collect();
        let order: Vec<u32> = (0..index(weights.len())).collect();
        let stay = self.filter(&weights, &order, weights.iter().sum());
        let sum = weights[..stay].iter().map(|weight| f64::from(*weight)).sum();
        Some(draw(kept[..stay].iter().zip(&weights).map(|((id, _), weight)| (*id, *weight)), sum, self.chance()))
    }
}

/// Tokens from the likeliest on, found as far as they are asked for.
struct Narrowed<'a> {
    scores: &'a mut [f32],
    done: usize,
    order: Vec<u32>,
}

impl Narrowed<'_> {
    fn next(&mut self) -> Option<u32> {
        if self.done == self.order.len() {
            if self.order.len() == self.scores.len() {
                return None;
            }
            self.order = top(self.scores, (self.order.len() * 32).max(64));
        }
        self.done += 1;
        self.order.get(self.done - 1).copied()
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a vocabulary has fewer tokens")]
fn index(place: usize) -> u32 {
    place as u32
}

/// The first of the largest numbers.
fn likeliest(scores: &[f32]) -> u32 {
    let most = max_of(scores);
    index(scores.iter().position(|score| *score >= most).unwrap_or_default())
}

/// The `count` largest numbers' places, the largest first; of equal ones the first.
fn top(scores: &[f32], count: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..index(scores.len())).collect();
    let by = |a: &u32, b: &u32| scores[*b as usize].total_cmp(&scores[*a as usize]).then(a.cmp(b));
    if count == 0 {
        return Vec::new();
    }
    if count < order.len() {
        order.select_nth_unstable_by(count - 1, by);
        order.truncate(count);
    }
    order.sort_unstable_by(by);
    order
}

fn log_sum(scores: &[f32]) -> f32 {
    let most = max_of(scores);
    most + vectorised(|| sum_of(scores.len(), |index| exp(scores[index] - most))).ln()
}

/// One of these, with a chance that is its weight's share of the sum.
fn draw(weights: impl Iterator<Item = (u32, f32)>, sum: f64, chance: f64) -> u32 {
    let mut left = chance * sum;
    let mut last = 0;
    for (id, weight) in weights {
        if weight > 0.0 {
            last = id;
            left -= f64::from(weight);
            if left < 0.0 {
                break;
            }
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(sampling: &Sampling, scores: &[f32]) -> Vec<usize> {
        let mut counts = vec![0; scores.len()];
        let mut sampler = Sampler::new(Sampling { seed: Some(3), ..sampling.clone() }, None, 0);
        for _ in 0..2_000 {
            let token = sampler.next(&mut scores.to_vec(), &[], 0, None, &[]).unwrap();
            counts[token.id as usize] += 1;
        }
        counts
    }

    #[test]
    fn tokens_come_as_often_as_they_are_likely() {
        let scores = [2.0_f32.ln(), 1.0_f32.ln(), 1.0_f32.ln()];
        let warm = Sampling { temperature: 1.0, ..Sampling::default() };
        let counts = drawn(&warm, &scores);
        assert!(counts[0].abs_diff(1_000) < 80 && counts[1].abs_diff(500) < 80, "{counts:?}");
        let cold = Sampling { temperature: 0.5, ..Sampling::default() };
        let counts = drawn(&cold, &scores);
        assert!(counts[0].abs_diff(1_333) < 80, "{counts:?}");
        assert_eq!(drawn(&Sampling::default(), &scores), [2_000, 0, 0]);
    }

    #[test]
    fn each_filter_leaves_what_it_should() {
        let scores = [0.5_f32.ln(), 0.3_f32.ln(), 0.15_f32.ln(), 0.05_f32.ln()];
        let base = Sampling { temperature: 1.0, ..Sampling::default() };
        let left = |sampling: Sampling| drawn(&sampling, &scores).iter().filter(|count| **count > 0).count();
        assert_eq!(left(base.clone()), 4);
        assert_eq!(left(Sampling { top_k: 2, ..base.clone() }), 2);
        assert_eq!(left(Sampling { top_p: 0.6, ..base.clone() }), 2);
        assert_eq!(left(Sampling { top_p: 0.4, ..base.clone() }), 1);
        assert_eq!(left(Sampling { min_p: 0.2, ..base.clone() }), 3);
        assert_eq!(left(Sampling { top_k: 3, top_p: 0.5, ..base.clone() }), 1, "half of what the three have");
        let many: Vec<f32> = (0..5_000).map(|place| -(place as f32) / 1e4).collect();
        assert!(drawn(&Sampling { top_p: 0.999, ..base }, &many).iter().filter(|count| **count > 0).count() > 1_000);
    }

    #[test]
    fn penalties_and_biases_move_scores() {
        let mut sampler = Sampler::new(
            Sampling {
                repetition_penalty: 2.0,
                frequency_penalty: 0.5,
                presence_penalty: 1.0,
                bias: vec![(3, 9.0)],
                ..Sampling::default()
            },
            None,
            0,
        );
        let mut scores = [4.0, -1.0, 2.0, 0.0];
        sampler.penalise(&mut scores, &[0, 1, 2, 2], 2);
        assert_eq!(scores, [2.0, -2.0, 1.0 - 1.0 - 1.0, 9.0]);
        let info = sampler.next(&mut [0.0, 1.0, 0.0, 0.0], &[], 0, None, &[]).unwrap();
        assert_eq!(info.id, 3);
    }

    #[test]
    fn log_probabilities_are_those_before_any_filter() {
        let mut sampler = Sampler::new(Sampling { temperature: 0.1, top_k: 1, ..Sampling::default() }, Some(2), 0);
        let info = sampler.next(&mut [1.0_f32.ln(), 3.0_f32.ln()], &[], 0, None, &[]).unwrap();
        assert_eq!((info.id, info.top[1].0), (1, 0));
        assert!((info.logprob.unwrap() - 0.75_f32.ln()).abs() < 1e-6 && (info.top[1].1 - 0.25_f32.ln()).abs() < 1e-6);
    }

    /// Allows odd tokens.
    struct Odd;
    impl Constraint for Odd {
        fn allows(&mut self, token: u32) -> bool {
            token % 2 == 1
        }
        fn accept(&mut self, _: u32) {}
        fn may_end(&self) -> bool {
            false
        }
        fn must_end(&self) -> bool {
            false
        }
    }

    #[test]
    fn a_constraint_is_kept_with_and_without_chance() {
        for temperature in [0.0, 1.0] {
            let mut sampler = Sampler::new(Sampling { temperature, seed: Some(1), ..Sampling::default() }, None, 0);
            let mut scores: Vec<f32> = (0..1_000).map(|place| if place % 2 == 0 { 9.0 } else { 0.0 }).collect();
            let info = sampler.next(&mut scores, &[], 0, Some(&mut Odd), &[1]).unwrap();
            assert!(info.id % 2 == 1 && info.id != 1, "1 would end what is not whole");
        }
    }
}
