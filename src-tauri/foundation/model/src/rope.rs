//! Rotary positions: which angle each pair of a head's numbers turns by at each position.
//!
//! The scalings are those of transformers' `modeling_rope_utils`: none, linear, Llama 3's and YaRN. Pairs are half a head
//! apart, as in all models of this format.

use serde::Deserialize;

/// The keys of `config.json` about rotary positions, in the older spelling and in the newer one.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct RopeConfig {
    rope_theta: Option<f64>,
    rope_scaling: Option<Scaling>,
    rope_parameters: Option<Scaling>,
}

#[derive(Debug, Default, Deserialize)]
struct Scaling {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f64>,
    factor: Option<f64>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    original_max_position_embeddings: Option<f64>,
    attention_factor: Option<f64>,
    beta_fast: Option<f64>,
    beta_slow: Option<f64>,
    truncate: Option<bool>,
    mscale: Option<f64>,
    mscale_all_dim: Option<f64>,
    partial_rotary_factor: Option<f64>,
}

/// Angles per position.
#[derive(Clone, Debug, PartialEq)]
pub struct Rope {
    /// Radians per position, one per pair: `head_dim / 2` of them.
    frequencies: Vec<f32>,
    /// What cosine and sine are multiplied by (1 but for YaRN).
    magnitude: f32,
}

impl Rope {
    pub(crate) fn new(config: &RopeConfig, head_dim: usize, max_positions: usize) -> Result<Self, String> {
        let none = Scaling::default();
        let scaling = config.rope_parameters.as_ref().or(config.rope_scaling.as_ref()).unwrap_or(&none);
        let theta = scaling.rope_theta.or(config.rope_theta).unwrap_or(10_000.0);
        if scaling.partial_rotary_factor.is_some_and(|share| (share - 1.0).abs() > f64::EPSILON) {
            return Err("only a part of each head is rotated".to_owned());
        }
        let width = to_f64(head_dim);
        // In 32 bits, as transformers computes them: at long positions the last bit of a frequency is seen.
        #[expect(clippy::cast_possible_truncation, reason = "frequencies are wanted in 32 bits")]
        let base: Vec<f32> =
            (0..head_dim / 2).map(|pair| 1.0 / (theta as f32).powf(2.0 * to_f64(pair) as f32 / width as f32)).collect();
        let kind = scaling.rope_type.as_deref().unwrap_or("default");
        let factor = scaling.factor;
        let need = |name: &str, value: Option<f64>| value.ok_or(format!("its {kind} rope scaling lacks {name}"));
        match kind {
            "default" => Ok(Self { frequencies: base, magnitude: 1.0 }),
            "linear" => {
                let factor = need("factor", factor)?;
                Ok(Self { frequencies: map(&base, |_, frequency| frequency / factor), magnitude: 1.0 })
            }
            "llama3" => {
                let factor = need("factor", factor)?;
                let (low, high) = (
                    need("low_freq_factor", scaling.low_freq_factor)?,
                    need("high_freq_factor", scaling.high_freq_factor)?,
                );
                let trained = need("original_max_position_embeddings", scaling.original_max_position_embeddings)?;
                Ok(Self { frequencies: llama3(&base, factor, low, high, trained), magnitude: 1.0 })
            }
            "yarn" => {
                let trained = scaling.original_max_position_embeddings.unwrap_or(to_f64(max_positions));
                let factor = factor.unwrap_or(to_f64(max_positions) / trained);
                yarn(scaling, &base, theta, factor, trained)
            }
            other => Err(format!("its rope scaling is {other}; known are linear, llama3 and yarn")),
        }
    }

    /// The same with each frequency divided by its factor: how GGUF files keep Llama 3's scaling.
    #[must_use]
    pub fn divided(mut self, factors: &[f32]) -> Self {
        for (frequency, factor) in self.frequencies.iter_mut().zip(factors) {
            *frequency /= factor;
        }
        self
    }

    /// Cosines and sines for the positions, `head_dim / 2` of each per position.
    #[must_use]
    pub fn table(&self, positions: &[u32]) -> Table {
        let pairs = self.frequencies.len();
        let mut table = Table { pairs, cos: Vec::new(), sin: Vec::new() };
        table.cos.reserve_exact(positions.len() * pairs);
        table.sin.reserve_exact(positions.len() * pairs);
        for position in positions {
            let position = *position as f32;
            for frequency in &self.frequencies {
                let (sin, cos) = (position * frequency).sin_cos();
                table.cos.push(cos * self.magnitude);
                table.sin.push(sin * self.magnitude);
            }
        }
        table
    }
}

/// Cosines and sines, one row of `pairs` numbers per token.
#[derive(Clone, Debug)]
pub struct Table {
    /// Numbers per row.
    pub pairs: usize,
    /// Row-major cosines.
    pub cos: Vec<f32>,
    /// Row-major sines.
    pub sin: Vec<f32>,
}

impl Table {
    /// The rows of the tokens at these places.
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        let pick = |from: &[f32]| {
            rows.iter().flat_map(|row| &from[*row as usize * self.pairs..][..self.pairs]).copied().collect()
        };
        Self { pairs: self.pairs, cos: pick(&self.cos), sin: pick(&self.sin) }
    }
}

fn to_f64(value: usize) -> f64 {
    value as f64
}

#[expect(clippy::cast_possible_truncation, reason = "frequencies are wanted in 32 bits")]
fn map(base: &[f32], scaled: impl Fn(usize, f64) -> f64) -> Vec<f32> {
    base.iter().enumerate().map(|(pair, frequency)| scaled(pair, f64::from(*frequency)) as f32).collect()
}

fn llama3(base: &[f32], factor: f64, low: f64, high: f64, trained: f64) -> Vec<f32> {
    map(base, |_, frequency| {
        let wavelength = 2.0 * std::f64::consts::PI / frequency;
        if wavelength < trained / high {
            frequency
        } else if wavelength > trained / low {
            frequency / factor
        } else {
            let smooth = (trained / wavelength - low) / (high - low);
            (1.0 - smooth) * frequency / factor + smooth * frequency
        }
    })
}

fn yarn(scaling: &Scaling, base: &[f32], theta: f64, factor: f64, trained: f64) -> Result<Rope, String> {
    let width = 2.0 * to_f64(base.len());
    let growth = |scale: f64| if factor <= 1.0 { 1.0 } else { 0.1 * scale * factor.ln() + 1.0 };
    let magnitude = match (scaling.attention_factor, scaling.mscale, scaling.mscale_all_dim) {
        (Some(given), _, _) => given,
        (None, Some(one), Some(all)) if one != 0.0 && all != 0.0 => growth(one) / growth(all),
        _ => growth(1.0),
    };
    // The pair that turns so many times over the trained positions.
    let pair_of = |turns: f64| width * (trained / (turns * 2.0 * std::f64::consts::PI)).ln() / (2.0 * theta.ln());
    let (mut low, mut high) = (pair_of(scaling.beta_fast.unwrap_or(32.0)), pair_of(scaling.beta_slow.unwrap_or(1.0)));
    if !(low.is_finite() && high.is_finite()) {
        return Err("its yarn rope scaling has values that cannot be".to_owned());
    }
    if scaling.truncate.unwrap_or(true) {
        (low, high) = (low.floor(), high.ceil());
    }
    (low, high) = (low.max(0.0), high.min(width - 1.0));
    if (high - low).abs() < f64::EPSILON {
        high += 0.001;
    }
    let frequencies = map(base, |pair, frequency| {
        let ramp = ((to_f64(pair) - low) / (high - low)).clamp(0.0, 1.0);
        frequency / factor * ramp + frequency * (1.0 - ramp)
    });
    #[expect(clippy::cast_possible_truncation, reason = "computed in 32 bits from here on")]
    Ok(Rope { frequencies, magnitude: magnitude as f32 })
}
