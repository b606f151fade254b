//! The pages, one folder a stage.

pub(crate) mod collect;
pub(crate) mod dataset;
pub(crate) mod hub;
pub(crate) mod review;
pub(crate) mod settings;
pub(crate) mod train;
