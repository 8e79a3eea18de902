//! The operation as backends see it.
// Burn deprecates `ndarray`; it stays a second opinion for tests.
#![allow(deprecated)]

use burn::backend::tensor::IntTensor;
use burn::backend::{Backend, backend_extension};

/// Writing whole numbers into the memory of a tensor.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    NdArray: cfg(feature = "ndarray"),
    Cube: cfg(feature = "cube"),
    Fusion: cfg(feature = "cube")
)]
pub trait AssignOps: Backend {
    /// `target` with the numbers of `source`, in its own memory where that can be.
    #[fusion(dtype = target, shape = target)]
    fn kd_assign_int(target: IntTensor<Self>, source: IntTensor<Self>) -> IntTensor<Self> {
        drop(target);
        source
    }
}

#[cfg(feature = "flex")]
impl AssignOps for burn::backend::Flex {}

#[cfg(feature = "ndarray")]
impl AssignOps for burn::backend::NdArray {}
