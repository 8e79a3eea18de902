//! Batch normalization.

mod autodiff;
mod flex;
mod kernel;
mod ops;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::optional::optional;
use ops::NormOps;

/// A batch that is normalized, and its statistics.
#[derive(Clone, Debug)]
pub struct Normalized<const D: usize> {
    /// As the input.
    pub output: Tensor<D>,
    /// Mean of each channel, through which nothing is differentiated.
    pub mean: Tensor<1>,
    /// Biased variance of each channel, through which nothing is differentiated.
    pub variance: Tensor<1>,
}

/// Normalizes `x` by the statistics of the batch, scales by `weight`, adds `bias` and `residual`, and
/// clamps at 0 from below if `relu`.
///
/// # Shapes
///
/// - x: `[batch, channels, ...]`
/// - weight, bias: `[channels]`
/// - residual: as x
/// - output: as x
///
/// # Panics
///
/// If the kernels do not [serve](crate::serves) a tensor, or if the shapes do not fit each other.
pub fn normalize<const D: usize>(
    x: Tensor<D>,
    [weight, bias]: [Tensor<1>; 2],
    residual: Option<Tensor<D>>,
    relu: bool,
    epsilon: f64,
) -> Normalized<D> {
    let (output, mean, variance) = <Dispatch as NormOps>::kd_norm_train(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        optional(residual),
        relu,
        epsilon,
    );
    Normalized {
        output: Tensor::from_dispatch(output),
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    }
}

/// `x · scale + shift` per channel, plus `residual`, clamped at 0 from below if `relu`. It is not
/// differentiable.
///
/// # Shapes
///
/// - x: `[batch, channels, ...]`
/// - scale, shift: `[channels]`
/// - residual: as x
/// - output: as x
///
/// # Panics
///
/// If a tensor is on an autodiff device, if the kernels do not [serve](crate::serves) it, or if the
/// shapes do not fit each other.
pub fn affine<const D: usize>(
    x: Tensor<D>,
    [scale, shift]: [Tensor<1>; 2],
    residual: Option<Tensor<D>>,
    relu: bool,
) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as NormOps>::kd_affine(
        x.into_dispatch(),
        scale.into_dispatch(),
        shift.into_dispatch(),
        optional(residual),
        relu,
    ))
}
