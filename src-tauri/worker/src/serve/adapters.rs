//! Adapters from their folders, by name.

use std::path::Path;

use tw_infer::{Adapter, Branch, Module};
use tw_model::Architecture;
use tw_train::peft;

/// Reads a PEFT folder for a model.
pub(crate) fn read(folder: &Path, architecture: &Architecture) -> anyhow::Result<Adapter> {
    let adapter = peft::read(folder, architecture)?;
    let mut branches = Vec::with_capacity(adapter.slots.len());
    for slot in &adapter.slots {
        let module = Module::ALL.into_iter().find(|module| module.path() == slot.module.path());
        let module = module.ok_or_else(|| anyhow::anyhow!("{} cannot be adapted", slot.module.path()))?;
        let (a, b) = adapter.matrices(&adapter.values, slot)?;
        branches.push(Branch {
            layer: slot.layer,
            module,
            rank: adapter.spec.rank,
            a: a.flatten_all()?.to_vec1()?,
            b: b.flatten_all()?.to_vec1()?,
            scale: adapter.scale(),
        });
    }
    Ok(Adapter::new(architecture, branches)?)
}
