//! A decoder's layers over a pack of tokens, forwards and backwards.
//!
//! Nothing here learns: projections are asked of [`Linears`], which may add an adapter to them and collect its gradients.
//! Everything else is frozen, so a backward gives the gradient of its layer's input only.

use candle_core::Tensor;

use crate::architecture::Architecture;
use crate::error::{Error, Result};
use crate::kernel::attention::{self, Attended, Plan};
use crate::kernel::heads::{self, Heads};
use crate::kernel::{norm, rows, swiglu};
use crate::layout::Layout;
use crate::rope::Table;
use crate::weights::Weights;

/// A projection of a layer. Those that read the same input are computed as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Linear {
    /// Queries, keys and values at once.
    Qkv,
    /// Queries alone, where only some tokens ask.
    Queries,
    /// Keys and values alone.
    KeysValues,
    /// From the heads back to the residual stream.
    Output,
    /// Gate and up.
    GateUp,
    /// Back from the MLP.
    Down,
}

/// Who computes projections.
pub trait Linears {
    /// `x` [n, in] through a projection: [n, out], a tensor of its own.
    ///
    /// # Errors
    /// When a tensor operation fails.
    fn forward(&self, layer: usize, linear: Linear, x: &Tensor) -> Result<Tensor>;

    /// Takes the gradient `dy` [n, out] of what `forward` gave for `x`, and gives that of `x` where it is wanted.
    ///
    /// # Errors
    /// When a tensor operation fails.
    fn backward(&self, layer: usize, linear: Linear, x: &Tensor, dy: &Tensor, wants_dx: bool)
    -> Result<Option<Tensor>>;
}

/// What every layer needs to know about a pack.
#[derive(Clone, Debug)]
pub struct Prepared {
    table: Table,
    plan: Plan,
    /// The tokens whose next ones are asked for, where they are not all: only these leave the last layer.
    asked: Option<Asked>,
}

#[derive(Clone, Debug)]
struct Asked {
    rows: Vec<u32>,
    table: Table,
    plan: Plan,
}

impl Prepared {
    /// For a pack; `asked` names the tokens whose next ones are asked for, in ascending order.
    #[must_use]
    pub fn new(architecture: &Architecture, layout: &Layout, asked: &[u32]) -> Self {
        let table = architecture.rope.table(&layout.positions);
        let asked = (asked.len() < layout.len()).then(|| Asked {
            rows: asked.to_vec(),
            table: table.select(asked),
            plan: Plan::new(layout, Some(asked)),
        });
        Self { plan: Plan::new(layout, None), table, asked }
    }
}

/// What a layer's forward leaves for its backward. Parts may be dropped; the backward then computes them again.
#[derive(Clone, Debug)]
pub struct Saved {
    input: Tensor,
    attention: Option<Attention>,
    middle: Option<Tensor>,
    gate_up: Option<Tensor>,
}

#[derive(Clone, Debug)]
struct Attention {
    /// Projections before norm and rotation, kept where heads are normalised.
    raw: Option<Raw>,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attended: Attended,
}

#[derive(Clone, Debug)]
enum Raw {
    Together(Tensor),
    Apart { queries: Tensor, keys_values: Tensor },
}

/// How much of a layer is kept between its forward and its backward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Everything: nothing is computed twice.
    All,
    /// Everything but gate and up, the widest part.
    WithoutMlp,
    /// Only the layer's input.
    Input,
}

impl Saved {
    /// Drops what is not to be kept.
    #[must_use]
    pub fn keeping(mut self, keep: Keep) -> Self {
        if keep != Keep::All {
            self.gate_up = None;
        }
        if keep == Keep::Input {
            self.attention = None;
            self.middle = None;
        }
        self
    }
}

/// A decoder's layers over one pack.
#[derive(Clone, Copy)]
pub struct Decoder<'a> {
    /// The frozen weights: norms and embeddings are taken from here.
    pub weights: &'a Weights,
    /// The projections.
    pub linears: &'a dyn Linears,
    /// The pack.
    pub pack: &'a Prepared,
}

impl Decoder<'_> {
    fn eps(&self) -> f32 {
        self.weights.architecture.norm_eps
    }

    /// Those who ask in this layer, where they are not all.
    fn asked(&self, layer: usize) -> Option<&Asked> {
        if layer + 1 == self.weights.layers.len() { self.pack.asked.as_ref() } else { None }
    }

    fn heads(&self, layer: usize, queries: bool, keys_values: bool) -> Heads<'_> {
        let a = &self.weights.architecture;
        let kv = if keys_values { a.kv_heads } else { 0 };
        Heads {
            queries: if queries { a.heads } else { 0 },
            keys: kv,
            values: kv,
            head_dim: a.head_dim,
            norms: self.weights.layers[layer].head_norms.as_ref().map(|(q, k)| (q, k)),
            eps: a.norm_eps,
        }
    }

    /// The tokens' embeddings: [n, hidden].
    ///
    /// # Errors
    /// When a token is not in the vocabulary.
    pub fn embed(&self, tokens: &[u32]) -> Result<Tensor> {
        self.weights.check_tokens(tokens)?;
        rows::pick(&self.weights.embedding, tokens)
    }

    /// The norm after the last layer.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn finish(&self, hidden: &Tensor) -> Result<Tensor> {
        norm::forward(hidden, &self.weights.norm, self.eps())
    }

    /// The gradient of the last layer's output from that of [`Self::finish`].
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn finish_backward(&self, dy: &Tensor, hidden: &Tensor) -> Result<Tensor> {
        norm::backward(dy, hidden, &self.weights.norm, self.eps(), None)
    }

    /// One layer: [n, hidden] to [n, hidden]; the last one gives rows only for those who ask.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn layer(&self, layer: usize, input: Tensor) -> Result<(Tensor, Saved)> {
        let attention = self.attend(layer, &input)?;
        let middle = self.middle(layer, &input, &attention)?;
        let gate_up = self.gate_up(layer, &middle)?;
        let output = self.linears.forward(layer, Linear::Down, &swiglu::forward(&gate_up)?)?;
        rows::add(&output, &middle)?;
        let saved = Saved { input, attention: Some(attention), middle: Some(middle), gate_up: Some(gate_up) };
        Ok((output, saved))
    }

    fn attend(&self, layer: usize, input: &Tensor) -> Result<Attention> {
        let a = &self.weights.architecture;
        let x = norm::forward(input, &self.weights.layers[layer].attention_norm, self.eps())?;
        let (raw, q, kv, plan) = if let Some(asked) = self.asked(layer) {
            let keys_values = self.linears.forward(layer, Linear::KeysValues, &x)?;
            let queries = self.linears.forward(layer, Linear::Queries, &rows::pick(&x, &asked.rows)?)?;
            let q = heads::split(&queries, &self.heads(layer, true, false), &asked.table)?;
            let kv = heads::split(&keys_values, &self.heads(layer, false, true), &self.pack.table)?;
            (Raw::Apart { queries, keys_values }, q, kv, &asked.plan)
        } else {
            let raw = self.linears.forward(layer, Linear::Qkv, &x)?;
            let all = heads::split(&raw, &self.heads(layer, true, true), &self.pack.table)?;
            let kv = all.narrow(0, a.heads, 2 * a.kv_heads)?;
            (Raw::Together(raw), all.narrow(0, 0, a.heads)?, kv, &self.pack.plan)
        };
        let (k, v) = (kv.narrow(0, 0, a.kv_heads)?, kv.narrow(0, a.kv_heads, a.kv_heads)?);
        let attended = attention::forward(&q, &k, &v, plan)?;
        Ok(Attention { raw: a.qk_norm.then_some(raw), q, k, v, attended })
    }

    fn middle(&self, layer: usize, input: &Tensor, attention: &Attention) -> Result<Tensor> {
        let middle = self.linears.forward(layer, Linear::Output, &attention.attended.output)?;
        match self.asked(layer) {
            Some(asked) => rows::add(&middle, &rows::pick(input, &asked.rows)?)?,
            None => rows::add(&middle, input)?,
        }
        Ok(middle)
    }

    fn gate_up(&self, layer: usize, middle: &Tensor) -> Result<Tensor> {
        let x = norm::forward(middle, &self.weights.layers[layer].mlp_norm, self.eps())?;
        self.linears.forward(layer, Linear::GateUp, &x)
    }

    /// The gradient of a layer's input from that of its output, where it is wanted.
    ///
    /// # Errors
    /// When a tensor operation fails.
    pub fn layer_backward(&self, layer: usize, saved: Saved, dy: &Tensor, wants_dx: bool) -> Result<Option<Tensor>> {
        let weights = &self.weights.layers[layer];
        let input = saved.input;
        let attention = saved.attention.map_or_else(|| self.attend(layer, &input), Ok)?;
        let middle = saved.middle.map_or_else(|| self.middle(layer, &input, &attention), Ok)?;
        let gate_up = saved.gate_up.map_or_else(|| self.gate_up(layer, &middle), Ok)?;

        let down = self.linears.backward(layer, Linear::Down, &swiglu::forward(&gate_up)?, dy, true)?;
        let dgate_up = swiglu::backward(&wanted(down)?, &gate_up)?;
        drop(gate_up);
        let x = norm::forward(&middle, &weights.mlp_norm, self.eps())?;
        let dx = wanted(self.linears.backward(layer, Linear::GateUp, &x, &dgate_up, true)?)?;
        drop((x, dgate_up));
        let dmiddle = norm::backward(&dx, &middle, &weights.mlp_norm, self.eps(), Some(dy))?;
        drop((dx, middle));

        let Attention { raw, q, k, v, attended } = attention;
        let dheads = wanted(self.linears.backward(layer, Linear::Output, &attended.output, &dmiddle, true)?)?;
        let asked = self.asked(layer);
        let plan = asked.map_or(&self.pack.plan, |asked| &asked.plan);
        let gradients = attention::backward(&dheads, &attended, (&q, &k, &v), plan)?;
        drop((q, k, v, attended, dheads));
        let x = norm::forward(&input, &weights.attention_norm, self.eps())?;
        let dx = match asked {
            Some(asked) => self.split_apart_backward(layer, asked, &gradients, raw.as_ref(), &x, wants_dx)?,
            None => {
                let raw = match &raw {
                    Some(Raw::Together(raw)) => Some(raw),
                    _ => None,
                };
                let parts = [&gradients.q, &gradients.k, &gradients.v];
                let dqkv = heads::split_backward(&parts, raw, &self.heads(layer, true, true), &self.pack.table)?;
                self.linears.backward(layer, Linear::Qkv, &x, &dqkv, wants_dx)?
            }
        };
        let Some(dx) = dx else { return Ok(None) };
        let residual = asked.is_none().then_some(&dmiddle);
        let dinput = norm::backward(&dx, &input, &weights.attention_norm, self.eps(), residual)?;
        if let Some(asked) = asked {
            rows::add_at(&dinput, &asked.rows, &dmiddle)?;
        }
        Ok(Some(dinput))
    }

    fn split_apart_backward(
        &self,
        layer: usize,
        asked: &Asked,
        gradients: &attention::Gradients,
        raw: Option<&Raw>,
        x: &Tensor,
        wants_dx: bool,
    ) -> Result<Option<Tensor>> {
        let (queries, keys_values) = match raw {
            Some(Raw::Apart { queries, keys_values }) => (Some(queries), Some(keys_values)),
            _ => (None, None),
        };
        let dq = heads::split_backward(&[&gradients.q], queries, &self.heads(layer, true, false), &asked.table)?;
        let parts = [&gradients.k, &gradients.v];
        let dkv = heads::split_backward(&parts, keys_values, &self.heads(layer, false, true), &self.pack.table)?;
        let dx_asked = self.linears.backward(layer, Linear::Queries, &rows::pick(x, &asked.rows)?, &dq, wants_dx)?;
        let dx = self.linears.backward(layer, Linear::KeysValues, x, &dkv, wants_dx)?;
        if let (Some(dx), Some(dx_asked)) = (&dx, &dx_asked) {
            rows::add_at(dx, &asked.rows, dx_asked)?;
        }
        Ok(dx)
    }
}

fn wanted(gradient: Option<Tensor>) -> Result<Tensor> {
    gradient.ok_or_else(|| Error::Kernel("a projection gave no gradient".to_owned()))
}

/// The logits of the tokens of a pack that ask, [asked, vocab], through these projections.
///
/// # Errors
/// When a token is not in the vocabulary, or a tensor operation fails.
pub fn logits(
    weights: &Weights,
    linears: &dyn Linears,
    tokens: &[u32],
    layout: &Layout,
    asked: &[u32],
) -> Result<Tensor> {
    let pack = Prepared::new(&weights.architecture, layout, asked);
    let decoder = Decoder { weights, linears, pack: &pack };
    let mut hidden = decoder.embed(tokens)?;
    for layer in 0..weights.layers.len() {
        hidden = decoder.layer(layer, hidden)?.0;
    }
    crate::kernel::linear::forward(&decoder.finish(&hidden)?, &weights.head)
}
