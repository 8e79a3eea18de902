//! The regressor between any two stages.

use burn::config::Config;
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use kd_nn::{BatchNorm, BatchNormConfig, conv2d_layer};

use crate::Gate;

/// Configuration of [`CrossLayerRegressor`].
#[derive(Config, Debug, PartialEq, Eq)]
pub struct CrossLayerRegressorConfig {
    /// Channels of the student's map.
    pub student: usize,
    /// Channels of the teacher's map.
    pub teacher: usize,
}

/// Three convolutions, 1×1, 3×3 and 1×1, without biases, with batch norm and ReLU after the first
/// two; twice the teacher's channels inside (SemCKD). Height and width are kept.
#[derive(Module, Debug)]
pub struct CrossLayerRegressor {
    /// 1×1, from the student's channels.
    pub conv1: Conv2d,
    /// After the first convolution.
    pub bn1: BatchNorm,
    /// 3×3.
    pub conv2: Conv2d,
    /// After the second convolution.
    pub bn2: BatchNorm,
    /// 1×1, to the teacher's channels.
    pub conv3: Conv2d,
}

impl CrossLayerRegressorConfig {
    /// Initializes the regressor, with the initial values of PyTorch's layers.
    pub fn init(&self, device: &Device) -> CrossLayerRegressor {
        let inside = 2 * self.teacher;
        let conv = |channels, size: usize| {
            let pad = size / 2;
            Conv2dConfig::new(channels, [size, size])
                .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
                .with_bias(false)
                .init(device)
        };
        let norm = || BatchNormConfig::new(inside).init(device);
        CrossLayerRegressor {
            conv1: conv([self.student, inside], 1),
            bn1: norm(),
            conv2: conv([inside, inside], 3),
            bn2: norm(),
            conv3: conv([inside, self.teacher], 1),
        }
    }
}

impl CrossLayerRegressor {
    /// The student's map with the teacher's channels; batch statistics are over the chosen samples.
    ///
    /// # Shapes
    ///
    /// - map: `[batch, student, height, width]`
    /// - output: `[batch, teacher, height, width]`
    ///
    /// # Panics
    ///
    /// If the channels are not the configured ones, or the gate is for another batch.
    pub fn forward_gated(&self, map: Tensor<4>, gate: &Gate) -> Tensor<4> {
        let norm = |bn: &BatchNorm, map| relu(bn.forward_gated(map, gate.entries()));
        let map = norm(&self.bn1, conv2d_layer(&self.conv1, map));
        let map = norm(&self.bn2, conv2d_layer(&self.conv2, map));
        conv2d_layer(&self.conv3, map)
    }
}
