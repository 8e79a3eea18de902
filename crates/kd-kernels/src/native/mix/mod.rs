//! Mixing two tensors sample by sample.

mod autodiff;
mod flex;
mod kernel;
mod ops;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use ops::MixOps;

/// A mixture of tensors that the kernels serve.
pub(crate) fn mix<const D: usize>(own: Tensor<D>, other: Tensor<D>, share: Tensor<1>) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as MixOps>::kd_mix(
        own.into_dispatch(),
        other.into_dispatch(),
        share.into_dispatch(),
    ))
}
