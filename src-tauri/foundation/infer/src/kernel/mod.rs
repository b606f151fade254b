//! The loops that take the time, compiled for the vector instructions of the machine at hand.

pub(crate) mod attend;
pub(crate) mod dots;
pub(crate) mod rows;
