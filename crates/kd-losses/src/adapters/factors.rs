//! The convolutions of factor transfer, of which paraphraser and translator are made.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::tensor::activation::leaky_relu;
use burn::tensor::{Device, Tensor};
use kd_nn::{BatchNorm, BatchNormConfig, conv2d_layer};

use crate::Gate;

/// Slope of the activations for negative values, in all public implementations.
const SLOPE: f64 = 0.1;

/// A 3×3 convolution that keeps the size of the map, a batch norm if there is one, a leaky ReLU.
#[derive(Module, Debug)]
pub struct FactorLayer {
    /// The convolution.
    pub conv: FactorConv,
    /// The batch norm, if there is one.
    pub bn: Option<BatchNorm>,
}

/// The convolution of a [`FactorLayer`].
#[derive(Module, Debug)]
pub enum FactorConv {
    /// Of an encoder.
    Conv(Conv2d),
    /// Of a decoder.
    ConvTranspose(ConvTranspose2d),
}

/// What the layers of a stack have in common.
#[derive(Clone, Copy)]
pub(super) struct FactorStack {
    pub transposed: bool,
    pub bias: bool,
    pub norm: bool,
}

impl FactorStack {
    /// One layer for each pair of channels, in and out.
    pub(super) fn init<const N: usize>(
        self,
        channels: [[usize; 2]; N],
        device: &Device,
    ) -> Vec<FactorLayer> {
        let layer = |channels: [usize; 2]| {
            let conv = if self.transposed {
                let config = ConvTranspose2dConfig::new(channels, [3, 3])
                    .with_padding([1, 1])
                    .with_bias(self.bias);
                FactorConv::ConvTranspose(config.init(device))
            } else {
                let config = Conv2dConfig::new(channels, [3, 3])
                    .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                    .with_bias(self.bias);
                FactorConv::Conv(config.init(device))
            };
            FactorLayer {
                conv,
                bn: self
                    .norm
                    .then(|| BatchNormConfig::new(channels[1]).init(device)),
            }
        };
        channels.into_iter().map(layer).collect()
    }
}

/// All layers one after another, batch statistics over the chosen samples only.
pub(super) fn through(layers: &[FactorLayer], map: Tensor<4>, gate: &Gate) -> Tensor<4> {
    layers.iter().fold(map, |map, layer| {
        let map = match &layer.conv {
            FactorConv::Conv(conv) => conv2d_layer(conv, map),
            FactorConv::ConvTranspose(conv) => conv.forward(map),
        };
        let map = match &layer.bn {
            Some(bn) => bn.forward_gated(map, gate.entries()),
            None => map,
        };
        leaky_relu(map, SLOPE)
    })
}

/// Channels of a factor: this share of the teacher's, rounded down, at least 1.
pub(crate) fn factor_channels(teacher: usize, rate: f64) -> usize {
    ((teacher as f64 * rate) as usize).max(1)
}
