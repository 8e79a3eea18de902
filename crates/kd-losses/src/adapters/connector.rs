//! The convolution between maps of the same size and different channels.

use burn::config::Config;
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor};
use kd_nn::{BatchNorm, BatchNormConfig, conv2d_layer};

use crate::Gate;

/// Configuration of [`Connector`].
#[derive(Config, Debug, PartialEq, Eq)]
pub struct ConnectorConfig {
    /// Channels of the student's map.
    pub student: usize,
    /// Channels of the teacher's map.
    pub teacher: usize,
    /// Height and width of the kernel; an odd number, so that the map keeps its size.
    #[config(default = 1)]
    pub kernel: usize,
    /// Whether the convolution has a bias.
    #[config(default = true)]
    pub bias: bool,
    /// Whether a batch norm follows.
    #[config(default = true)]
    pub norm: bool,
}

/// A convolution that brings a map of the student to the channels of the teacher's, and a batch
/// norm; the size of the map stays. `ofd` and `srrl` have it 1×1 and without a bias.
#[derive(Module, Debug)]
pub struct Connector {
    /// The convolution.
    pub conv: Conv2d,
    /// The batch norm, if there is one.
    pub bn: Option<BatchNorm>,
}

impl ConnectorConfig {
    /// Initializes the connector, with the initial values of PyTorch's layers.
    ///
    /// # Panics
    ///
    /// If the kernel is not an odd number.
    pub fn init(&self, device: &Device) -> Connector {
        assert!(
            self.kernel % 2 == 1,
            "connector: a kernel of {} does not keep the size of the map",
            self.kernel
        );
        let padding = self.kernel / 2;
        let conv = Conv2dConfig::new([self.student, self.teacher], [self.kernel; 2])
            .with_padding(PaddingConfig2d::Explicit(
                padding, padding, padding, padding,
            ))
            .with_bias(self.bias)
            .init(device);
        Connector {
            conv,
            bn: self
                .norm
                .then(|| BatchNormConfig::new(self.teacher).init(device)),
        }
    }
}

impl Connector {
    /// The student's map with the teacher's channels.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, channels, height, width]` as in [`ConnectorConfig::student`]
    /// - output: `[batch, channels, height, width]` as in [`ConnectorConfig::teacher`]
    ///
    /// # Panics
    ///
    /// If the number of channels is not the configured one.
    pub fn forward(&self, student: Tensor<4>) -> Tensor<4> {
        self.forward_gated(student, &Gate::all())
    }

    /// The same, with batch statistics over the chosen samples only: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(&self, student: Tensor<4>, gate: &Gate) -> Tensor<4> {
        let connected = conv2d_layer(&self.conv, student);
        match &self.bn {
            Some(bn) => bn.forward_gated(connected, gate.entries()),
            None => connected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_stays_for_every_odd_kernel() {
        let device = Device::default();
        for kernel in [1, 3, 5] {
            let connector = ConnectorConfig::new(2, 3).with_kernel(kernel).init(&device);
            let connected = connector.forward(Tensor::ones([2, 2, 5, 4], &device));
            assert_eq!(connected.dims(), [2, 3, 5, 4], "{kernel}");
        }
    }

    #[test]
    fn options_say_which_parameters_there_are() {
        let device = Device::default();
        let params = |config: ConnectorConfig| config.init(&device).num_params();
        let config = || ConnectorConfig::new(2, 3);
        assert_eq!(params(config()), 2 * 3 + 3 + 4 * 3);
        assert_eq!(params(config().with_bias(false)), 2 * 3 + 4 * 3);
        assert_eq!(params(config().with_norm(false)), 2 * 3 + 3);
    }

    #[test]
    #[should_panic(expected = "a kernel of 2 does not keep the size")]
    fn an_even_kernel_is_refused() {
        ConnectorConfig::new(1, 1)
            .with_kernel(2)
            .init(&Device::default());
    }
}
