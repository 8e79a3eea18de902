//! Mixing two tensors sample by sample.

mod autodiff;
mod flex;
mod kernel;
mod ops;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use ops::MixOps;

/// `(1 − share) · own + share · other` for each sample.
///
/// # Shapes
///
/// - own, other: `[batch, ...]`
/// - share: `[batch]`
/// - output: as own
///
/// # Panics
///
/// If the kernels do not [serve](crate::serves) a tensor, or if some are on an autodiff device and
/// others are not.
pub fn mix<const D: usize>(own: Tensor<D>, other: Tensor<D>, share: Tensor<1>) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as MixOps>::kd_mix(
        own.into_dispatch(),
        other.into_dispatch(),
        share.into_dispatch(),
    ))
}
