//! Holds no code: the package exists for its tests and benches.
