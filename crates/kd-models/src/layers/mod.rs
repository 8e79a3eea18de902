//! Building blocks shared by the families.

mod branches;
mod conv;
mod conv_norm;
mod fold;
mod keys;
mod shuffle;
pub(crate) mod tally;

pub(crate) use conv::ConvSpec;
pub(crate) use conv_norm::ConvNorm;
pub use conv_norm::UnitKind;
pub use fold::Folding;
pub(crate) use fold::{Fold, fold_fields};
pub(crate) use keys::{SPLIT, STAGES, UNITS, rename};
pub(crate) use shuffle::{channel_shuffle, interleave_channels};

use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor};
use kd_core::{Classifier, NormAffine};
use kd_nn::BatchNorm;

/// Global average pooling: `[batch, channels, height, width]` to `[batch, channels]`.
pub(crate) fn global_average(map: Tensor<4>) -> Tensor<2> {
    let [batch, channels, ..] = map.dims();
    adaptive_avg_pool2d(map, [1, 1]).reshape([batch, channels])
}

/// A linear layer whose weight is drawn by `weight` (PyTorch's default if absent) with zero bias.
pub(crate) fn linear_zero_bias(
    features: usize,
    classes: usize,
    weight: Option<Initializer>,
    device: &Device,
) -> Linear {
    let config = LinearConfig::new(features, classes);
    let mut linear = match weight {
        Some(initializer) => config.with_initializer(initializer).init(device),
        None => config.init(device),
    };
    linear.bias = Some(Initializer::Zeros.init([classes], device));
    linear
}

/// A normal distribution around zero.
pub(crate) fn normal(std: f64) -> Initializer {
    Initializer::Normal { mean: 0.0, std }
}

/// A linear layer as losses copy it; `None` if it has no bias.
pub(crate) fn classifier(layer: &Linear) -> Option<Classifier> {
    Some(Classifier {
        // Burn's layers hold the transpose of PyTorch's weight.
        weight: layer.weight.val().transpose(),
        bias: layer.bias.as_ref()?.val(),
    })
}

/// Scale and shift of a batch norm as losses read them.
pub(crate) fn affine(norm: &BatchNorm) -> NormAffine {
    NormAffine {
        weight: norm.weight.val(),
        bias: norm.bias.val(),
    }
}
