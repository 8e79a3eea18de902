//! Building blocks shared by the families.

mod conv;
mod downsample;

pub(crate) use conv::{conv1x1, conv3x3, conv3x3_bias};
pub(crate) use downsample::Downsample;

use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor};

/// Global average pooling: `[batch, channels, height, width]` to `[batch, channels]`.
pub(crate) fn global_average(map: Tensor<4>) -> Tensor<2> {
    let [batch, channels, ..] = map.dims();
    adaptive_avg_pool2d(map, [1, 1]).reshape([batch, channels])
}

/// A classifier whose weight is drawn by `weight` (PyTorch's default if absent) with zero bias.
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
