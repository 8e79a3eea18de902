//! The projection shortcut of residual networks.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use kd_kernels::{BatchNorm, BatchNormConfig};

use super::conv1x1;

/// 1×1 convolution and batch norm, where a block changes stride or channels.
#[derive(Module, Debug)]
pub(crate) struct Downsample {
    conv: Conv2d,
    bn: BatchNorm,
}

impl Downsample {
    /// The projection from `channels[0]` to `channels[1]`, or `None` where the identity fits.
    pub(crate) fn if_needed(channels: [usize; 2], stride: usize, device: &Device) -> Option<Self> {
        (stride != 1 || channels[0] != channels[1]).then(|| Self {
            conv: conv1x1(channels, stride, device),
            bn: BatchNormConfig::new(channels[1]).init(device),
        })
    }

    pub(crate) fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.bn.forward(self.conv.forward(input))
    }
}
