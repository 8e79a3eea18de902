//! Batch normalization in training on GPUs: two launches forward, two backward.
//!
//! One launch sums up each channel in parts, the other adds the parts and computes every element.
//! Sums are taken about a channel's first element, so that a large mean costs no digits, and in an
//! order that depends on the shape alone. Maps may lie in memory channel by channel or position by
//! position (as behind Burn's convolutions); outputs lie as their inputs do.

mod autodiff;
mod cube;
mod kernel;
mod layout;
mod ops;

pub use ops::Options;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::optional::optional;
use ops::BatchOps;

/// A batch that is normalized, and the running statistics after it.
#[derive(Clone, Debug)]
pub struct Batch<const D: usize> {
    /// As the input.
    pub output: Tensor<D>,
    /// Running mean of each channel, through which nothing is differentiated.
    pub running_mean: Tensor<1>,
    /// Running unbiased variance of each channel, through which nothing is differentiated.
    pub running_variance: Tensor<1>,
}

/// Normalizes `x` by the statistics of the batch, scales by `weight`, adds `bias` and `residual`, and
/// clamps at 0 from below if asked to; moves the running statistics towards the batch's.
///
/// With `chosen`, the statistics are those of the samples for which it is 1 and not 0; the others are
/// normalized by them too. If none is chosen, the running statistics stay as they are.
///
/// # Shapes
///
/// - x: `[batch, channels, ...]`
/// - weight, bias, running mean and variance: `[channels]`
/// - residual: as x
/// - chosen: `[batch]`
/// - output: as x
///
/// # Panics
///
/// If the kernels do not [serve](crate::serves_gpu) a tensor, or if the shapes do not fit each other.
pub fn normalize<const D: usize>(
    x: Tensor<D>,
    [weight, bias]: [Tensor<1>; 2],
    residual: Option<Tensor<D>>,
    chosen: Option<Tensor<1>>,
    [running_mean, running_variance]: [Tensor<1>; 2],
    options: Options,
) -> Batch<D> {
    let channels = [x.dims()[1]];
    for numbers in [&weight, &bias, &running_mean, &running_variance] {
        assert_eq!(numbers.dims(), channels, "a number for each channel");
    }
    if let Some(residual) = &residual {
        assert_eq!(
            residual.dims(),
            x.dims(),
            "what is added has the input's shape"
        );
    }
    if let Some(chosen) = &chosen {
        assert_eq!(chosen.dims(), [x.dims()[0]], "a choice for each sample");
    }
    let (output, _, _, running_mean, running_variance) = <Dispatch as BatchOps>::kd_batch_norm(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        optional(residual),
        optional(chosen),
        running_mean.into_dispatch(),
        running_variance.into_dispatch(),
        options,
    );
    Batch {
        output: Tensor::from_dispatch(output),
        running_mean: Tensor::from_dispatch(running_mean),
        running_variance: Tensor::from_dispatch(running_variance),
    }
}
