//! The paraphraser of factor transfer.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::factors::{FactorLayer, FactorStack, factor_channels, through};
use crate::Gate;

/// Configuration of [`Paraphraser`].
#[derive(Config, Debug, PartialEq)]
pub struct ParaphraserConfig {
    /// Channels of the teacher's map.
    pub teacher: usize,
    /// Channels of the factor, as a fraction of the teacher's.
    #[config(default = 0.5)]
    pub rate: f64,
    /// Whether the convolutions have biases.
    #[config(default = true)]
    pub bias: bool,
    /// Whether batch norms follow the convolutions.
    #[config(default = false)]
    pub norm: bool,
}

/// The paraphraser of factor transfer (Kim, Park & Kwak 2018, <https://arxiv.org/abs/1802.04977>):
/// an autoencoder of the teacher's map, whose inner map is the *factor*.
///
/// ```text
/// factor = encoder(map):   3×3 convolutions  C → C → kC → kC
/// map'   = decoder(factor): transposed 3×3    kC → kC → C → C
/// ```
///
/// each followed by a leaky ReLU with slope 0.1. RepDistiller has biases and no batch norm, as
/// here by default; Knowledge-Distillation-Zoo has batch norms and no biases.
#[derive(Module, Debug)]
pub struct Paraphraser {
    /// From the map to the factor.
    pub encoder: Vec<FactorLayer>,
    /// From the factor back to the map.
    pub decoder: Vec<FactorLayer>,
}

impl ParaphraserConfig {
    /// Initializes the paraphraser, with the initial values of PyTorch's layers.
    pub fn init(&self, device: &Device) -> Paraphraser {
        let (map, factor) = (self.teacher, factor_channels(self.teacher, self.rate));
        let stack = |transposed| FactorStack {
            transposed,
            bias: self.bias,
            norm: self.norm,
        };
        Paraphraser {
            encoder: stack(false).init([[map, map], [map, factor], [factor, factor]], device),
            decoder: stack(true).init([[factor, factor], [factor, map], [map, map]], device),
        }
    }
}

impl Paraphraser {
    /// The factor of a map.
    ///
    /// # Shapes
    ///
    /// - map: `[batch, channels, height, width]`
    /// - output: `[batch, rate · channels, height, width]`
    ///
    /// # Panics
    ///
    /// If the number of channels is not the configured one.
    pub fn factor(&self, map: Tensor<4>) -> Tensor<4> {
        self.factor_gated(map, &Gate::all())
    }

    /// The same, with batch statistics over the chosen samples only: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`factor`](Self::factor), or if the gate is for another batch.
    pub fn factor_gated(&self, map: Tensor<4>, gate: &Gate) -> Tensor<4> {
        through(&self.encoder, map, gate)
    }

    /// The map that a factor stands for.
    ///
    /// # Shapes
    ///
    /// - factor: `[batch, rate · channels, height, width]`
    /// - output: `[batch, channels, height, width]`
    ///
    /// # Panics
    ///
    /// If the number of channels is not that of a factor.
    pub fn reconstruct(&self, factor: Tensor<4>) -> Tensor<4> {
        self.reconstruct_gated(factor, &Gate::all())
    }

    /// The same, with batch statistics over the chosen samples only: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`reconstruct`](Self::reconstruct), or if the gate is for another batch.
    pub fn reconstruct_gated(&self, factor: Tensor<4>, gate: &Gate) -> Tensor<4> {
        through(&self.decoder, factor, gate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_has_its_share_of_the_channels() {
        let device = Device::default();
        for (rate, channels) in [(0.5, 3), (0.75, 4), (0.01, 1), (1.0, 6)] {
            let paraphraser = ParaphraserConfig::new(6).with_rate(rate).init(&device);
            let factor = paraphraser.factor(Tensor::ones([2, 6, 5, 4], &device));
            assert_eq!(factor.dims(), [2, channels, 5, 4]);
            assert_eq!(paraphraser.reconstruct(factor).dims(), [2, 6, 5, 4]);
        }
    }
}
