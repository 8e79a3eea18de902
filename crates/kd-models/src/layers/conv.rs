//! Convolutions with the initialisation of the CIFAR networks.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Initializer, PaddingConfig2d};
use burn::tensor::Device;

/// He initialisation by fan-out: normal with variance `2 / (kernel area · output channels)`.
const HE_FAN_OUT: Initializer = Initializer::KaimingNormal {
    gain: std::f64::consts::SQRT_2,
    fan_out_only: true,
};

fn conv(channels: [usize; 2], kernel: usize, stride: usize) -> Conv2dConfig {
    let padding = kernel / 2;
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(
            padding, padding, padding, padding,
        ))
        .with_bias(false)
        .with_initializer(HE_FAN_OUT)
}

/// 3×3 convolution with padding 1 and no bias; `channels` are `[input, output]`.
pub(crate) fn conv3x3(channels: [usize; 2], stride: usize, device: &Device) -> Conv2d {
    conv(channels, 3, stride).init(device)
}

/// 3×3 convolution with padding 1 and a bias that starts at zero.
pub(crate) fn conv3x3_bias(channels: [usize; 2], device: &Device) -> Conv2d {
    let mut layer = conv3x3(channels, 1, device);
    layer.bias = Some(Initializer::Zeros.init([channels[1]], device));
    layer
}

/// 1×1 convolution without padding and bias.
pub(crate) fn conv1x1(channels: [usize; 2], stride: usize, device: &Device) -> Conv2d {
    conv(channels, 1, stride).init(device)
}
