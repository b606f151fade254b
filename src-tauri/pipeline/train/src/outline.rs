//! What a job amounts to, before any weight is read.

use std::path::Path;

use tw_jobs::{JobFolder, LoraSpec, PlanInfo, TrainSpec, read_rows};
use tw_model::checkpoint::Checkpoint;
use tw_model::decoder::Keep;
use tw_model::{Architecture, Error as ModelError};

use crate::adapter::Module;
use crate::error::{Error, Result};
use crate::memory;
use crate::pack::{Pack, Sequence, pack_rows, sequences};
use crate::peft;

/// What a job amounts to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// Its figures. Where it does not fit, the peak is the least that it could take.
    pub plan: PlanInfo,
    /// Bytes that it may take, where that is known.
    pub allowed_bytes: Option<u64>,
    /// Whether it fits.
    pub fits: bool,
    /// The longest row that is trained or validated on.
    pub longest_row: usize,
    /// The largest pack that would fit; `None` where not even the weights do.
    pub fitting_tokens: Option<usize>,
}

/// Works out what the job in a folder amounts to, from its spec, its rows, the model's config and the headers of its files.
/// It may take `available` bytes where its spec does not say.
///
/// # Errors
/// When the spec, the rows or the model cannot be used. That it does not fit is no error.
pub fn outline(folder: &JobFolder, available: Option<u64>) -> Result<Outline> {
    let spec = folder.spec()?;
    let architecture = Architecture::read(&spec.model)?;
    let checkpoint = Checkpoint::open(&spec.model)?;
    if !checkpoint.contains("model.embed_tokens.weight") {
        return Err(ModelError::MissingTensor("model.embed_tokens.weight".to_owned()).into());
    }
    let read = |path: &Path| sequences(&read_rows(&folder.path().join(path))?, spec.max_length);
    let rows = read(&spec.rows)?;
    let validation = spec.validation.as_deref().map(read).transpose()?.unwrap_or_default();
    of(&spec, &architecture, &rows, &validation, spec.memory_bytes.or(available))
}

fn of(
    spec: &TrainSpec,
    a: &Architecture,
    rows: &[Sequence],
    validation: &[Sequence],
    allowed: Option<u64>,
) -> Result<Outline> {
    if spec.accumulation == 0 || (spec.epochs == 0 && spec.steps.is_none()) {
        return Err(Error::Spec("accumulation and epochs must be at least 1".to_owned()));
    }
    let vocab = a.vocab;
    let strange = rows.iter().chain(validation).flat_map(|row| &row.tokens).find(|token| **token as usize >= vocab);
    if let Some(token) = strange {
        return Err(ModelError::Vocabulary { token: *token, vocab }.into());
    }
    let trained = match &spec.adapter {
        Some(folder) => peft::read(folder, a)?.values.elem_count(),
        None => fresh_parameters(a, &spec.lora)?,
    };
    let longest_row = rows.iter().chain(validation).map(|row| row.tokens.len()).max().unwrap_or(0);
    let budget = spec.pack_tokens.max(spec.max_length.min(longest_row));
    let packs = pack_rows(rows, budget, spec.share_prefixes)?;
    let others = if validation.is_empty() { Vec::new() } else { pack_rows(validation, budget, spec.share_prefixes)? };
    let largest = packs.iter().chain(&others).map(|pack| pack.tokens.len()).max().unwrap_or(0);
    let (peak_bytes, fits) = match memory::plan(a, trained, largest, allowed) {
        Ok(keep) => (memory::peak_bytes(a, trained, largest, &keep), true),
        Err(Error::Memory { needed, .. }) => (needed, false),
        Err(error) => return Err(error),
    };
    let per_epoch = packs.len().div_ceil(spec.accumulation) as u64;
    let plan = PlanInfo {
        rows: rows.len(),
        row_tokens: rows.iter().map(|row| row.tokens.len()).sum(),
        pack_tokens: packs.iter().map(|pack: &Pack| pack.tokens.len()).sum(),
        packs: packs.len(),
        steps: spec.steps.unwrap_or(per_epoch * u64::from(spec.epochs)),
        trained_parameters: trained,
        frozen_parameters: a.parameters(),
        peak_bytes,
    };
    let fitting_tokens = fitting_tokens(a, trained, largest, allowed);
    Ok(Outline { plan, allowed_bytes: allowed, fits, longest_row, fitting_tokens })
}

/// The most tokens of a pack that fit when every layer keeps only its input, up to `most`.
fn fitting_tokens(a: &Architecture, trained: usize, most: usize, allowed: Option<u64>) -> Option<usize> {
    let allowed = allowed.unwrap_or(u64::MAX);
    let keep = vec![Keep::Input; a.layers];
    let fits = |tokens: usize| memory::peak_bytes(a, trained, tokens, &keep) <= allowed;
    if fits(most) {
        return Some(most);
    }
    let (mut fitting, mut too_many) = (0, most);
    while too_many - fitting > 1 {
        let middle = usize::midpoint(fitting, too_many);
        if fits(middle) { fitting = middle } else { too_many = middle }
    }
    (fitting > 0).then_some(fitting)
}

/// How many numbers a fresh adapter has.
fn fresh_parameters(a: &Architecture, lora: &LoraSpec) -> Result<usize> {
    let mut modules = Vec::new();
    for target in &lora.targets {
        let found = Module::ALL.into_iter().find(|module| module.name() == target || module.path() == target);
        let module = found.ok_or_else(|| Error::Spec(format!("{target} is not a projection of this model")))?;
        if !modules.contains(&module) {
            modules.push(module);
        }
    }
    if lora.rank == 0 || modules.is_empty() {
        return Err(Error::Spec("the adapter needs a rank of at least 1 and at least one projection".to_owned()));
    }
    let width = |module: &Module| {
        let (out, from) = module.shape(a);
        out + from
    };
    Ok(a.layers * lora.rank * modules.iter().map(width).sum::<usize>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Adapter;

    const CONFIG: &str = r#"{"model_type":"qwen3","vocab_size":61,"hidden_size":32,"intermediate_size":48,
        "num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":8,"rms_norm_eps":1e-6,
        "tie_word_embeddings":true,"max_position_embeddings":512,"rope_theta":10000.0}"#;

    fn architecture() -> Architecture {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.json"), CONFIG).unwrap();
        Architecture::read(folder.path()).unwrap()
    }

    fn rows() -> Vec<Sequence> {
        let row = |last: u32| Sequence { tokens: vec![1, 2, 3, last], weights: vec![0.0, 0.0, 0.0, 1.0] };
        vec![row(4), row(5), row(6)]
    }

    fn spec() -> TrainSpec {
        TrainSpec { pack_tokens: 12, max_length: 12, ..TrainSpec::default() }
    }

    #[test]
    fn an_outline_counts_as_the_trainer_does() {
        let a = architecture();
        let outline = of(&spec(), &a, &rows(), &[], None).unwrap();
        let adapter = Adapter::fresh(&a, &LoraSpec::default(), 1).unwrap();
        assert_eq!(outline.plan.trained_parameters, adapter.values.elem_count());
        assert_eq!((outline.plan.rows, outline.plan.row_tokens, outline.plan.pack_tokens), (3, 12, 6));
        assert_eq!((outline.plan.packs, outline.plan.steps, outline.longest_row), (1, 1, 4));
        let alone = TrainSpec { share_prefixes: false, ..spec() };
        assert_eq!(of(&alone, &a, &rows(), &[], None).unwrap().plan.pack_tokens, 12);
    }

    #[test]
    fn what_does_not_fit_says_how_much_would() {
        let a = architecture();
        let whole = of(&spec(), &a, &rows(), &[], None).unwrap();
        let all = vec![Keep::Input; a.layers];
        let for_four = memory::peak_bytes(&a, whole.plan.trained_parameters, 4, &all);
        let tight = of(&spec(), &a, &rows(), &[], Some(for_four)).unwrap();
        assert!(!tight.fits && tight.plan.peak_bytes > for_four && tight.fitting_tokens == Some(4));
        let none = of(&spec(), &a, &rows(), &[], Some(10)).unwrap();
        assert!(!none.fits && none.fitting_tokens.is_none());
    }

    #[test]
    fn a_token_outside_of_the_vocabulary_is_named() {
        let rows = [Sequence { tokens: vec![1, 99], weights: vec![0.0, 1.0] }];
        let said = of(&spec(), &architecture(), &rows, &[], None).unwrap_err().to_string();
        assert!(said.contains("99") && said.contains("tokenizer"), "{said}");
    }
}
