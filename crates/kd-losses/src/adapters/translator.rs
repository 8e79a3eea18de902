//! The translator of factor transfer.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};

use super::factors::{FactorLayer, FactorStack, factor_channels, through};
use crate::Gate;

/// Configuration of [`Translator`].
#[derive(Config, Debug, PartialEq)]
pub struct TranslatorConfig {
    /// Channels of the student's map.
    pub student: usize,
    /// Channels of the teacher's map.
    pub teacher: usize,
    /// Channels of the factor, as a fraction of the teacher's.
    #[config(default = 0.5)]
    pub rate: f64,
    /// Whether the convolutions have biases.
    #[config(default = true)]
    pub bias: bool,
    /// Whether batch norms follow the convolutions.
    #[config(default = true)]
    pub norm: bool,
}

/// The translator of factor transfer (Kim, Park & Kwak 2018, <https://arxiv.org/abs/1802.04977>):
/// the encoder of a [`Paraphraser`](super::Paraphraser) for the student, trained with it.
///
/// 3×3 convolutions `S → S → kC → kC` with batch norms and leaky ReLUs of slope 0.1. They have
/// biases in RepDistiller, as here by default, and none in Knowledge-Distillation-Zoo.
#[derive(Module, Debug)]
pub struct Translator {
    /// From the student's map to its factor.
    pub encoder: Vec<FactorLayer>,
}

impl TranslatorConfig {
    /// Initializes the translator, with the initial values of PyTorch's layers.
    pub fn init(&self, device: &Device) -> Translator {
        let (map, factor) = (self.student, factor_channels(self.teacher, self.rate));
        let stack = FactorStack {
            transposed: false,
            bias: self.bias,
            norm: self.norm,
        };
        Translator {
            encoder: stack.init([[map, map], [map, factor], [factor, factor]], device),
        }
    }
}

impl Translator {
    /// The student's factor.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, channels, height, width]`
    /// - output: `[batch, rate · teacher's channels, height, width]`
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
        through(&self.encoder, student, gate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_factor_is_of_the_length_of_the_paraphrasers() {
        let device = Device::default();
        let translator = TranslatorConfig::new(4, 6).init(&device);
        let factor = translator.forward(Tensor::ones([2, 4, 5, 3], &device));
        assert_eq!(factor.dims(), [2, 3, 5, 3]);
    }
}
