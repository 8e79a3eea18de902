//! Kernels for the `flex` backend.

pub(crate) mod conv;
pub(crate) mod norm;
mod optional;
mod tensors;
