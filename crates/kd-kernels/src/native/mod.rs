//! Kernels for the `flex` backend.

mod buffer;
pub(crate) mod conv;
pub(crate) mod norm;
mod optional;
pub(crate) mod pool;
mod tensors;
