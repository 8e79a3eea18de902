//! The operations as backends see them.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};

use crate::optional::{Optional, OptionalMetadata};

/// Settings of [`normalize`](super::normalize).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Added to the variance before the square root.
    pub epsilon: f64,
    /// Share of the batch in the running statistics.
    pub momentum: f64,
    /// Whether a ReLU follows.
    pub relu: bool,
}

/// Batch normalization in training.
#[backend_extension(Cube, Autodiff, Fusion)]
pub trait BatchOps: Backend {
    /// Output; mean and biased variance of the batch; running mean and variance.
    #[allow(clippy::too_many_arguments, clippy::type_complexity)]
    #[fusion(meta = |x, weight, _bias, _residual, _chosen, _mean, _variance, _options| {
        let channels = || weight.clone();
        (x.clone(), channels(), channels(), channels(), channels())
    })]
    fn kd_batch_norm(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        #[extension_type] residual: Optional<Self>,
        #[extension_type] chosen: Optional<Self>,
        running_mean: FloatTensor<Self>,
        running_variance: FloatTensor<Self>,
        options: Options,
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
    );

    /// Gradients of input, weight, bias and, if it is wanted, of what was added; of the last one,
    /// only if a ReLU came between, as it is the output's own otherwise.
    #[allow(clippy::too_many_arguments)]
    #[fusion(meta = |x, weight, _mean, _variance, gradient, _chosen, _activated, _options, added| {
        let added = match added {
            true => OptionalMetadata::Given(gradient.clone()),
            false => OptionalMetadata::Absent,
        };
        (x.clone(), weight.clone(), weight.clone(), added)
    })]
    fn kd_batch_norm_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        variance: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        #[extension_type] chosen: Optional<Self>,
        #[extension_type] activated: Optional<Self>,
        options: Options,
        added: bool,
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        Optional<Self>,
    );
}
