//! Batch normalisation.

mod autodiff;
mod flex;
mod kernel;
mod ops;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::Activation;
use crate::native::optional::optional;
use ops::NormOps;

/// Output, and mean and biased variance of each channel.
pub(crate) struct Normalised<const D: usize> {
    pub(crate) output: Tensor<D>,
    pub(crate) mean: Tensor<1>,
    pub(crate) variance: Tensor<1>,
}

/// Normalises `[batch, channels, ...]` by the statistics of the batch, scales by `weight`, adds
/// `bias` and `residual`, and applies `activation`.
pub(crate) fn normalise<const D: usize>(
    x: Tensor<D>,
    [weight, bias]: [Tensor<1>; 2],
    residual: Option<Tensor<D>>,
    activation: Activation,
    epsilon: f64,
) -> Normalised<D> {
    let (output, mean, variance) = <Dispatch as NormOps>::kd_norm_train(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        optional(residual),
        activation == Activation::Relu,
        epsilon,
    );
    Normalised {
        output: Tensor::from_dispatch(output),
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    }
}

/// `x · scale + shift` per channel, plus `residual`, and `activation`; on a plain device.
pub(crate) fn affine<const D: usize>(
    x: Tensor<D>,
    [scale, shift]: [Tensor<1>; 2],
    residual: Option<Tensor<D>>,
    activation: Activation,
) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as NormOps>::kd_affine(
        x.into_dispatch(),
        scale.into_dispatch(),
        shift.into_dispatch(),
        optional(residual),
        activation == Activation::Relu,
    ))
}
