//! Embeddings of vectors.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::norms::unit;

/// Rows divided by their Euclidean norm, `[batch, length]`.
///
/// A row of zeros stays a row of zeros, and its gradient is 0. The `Normalize` of RepDistiller and of
/// spot-adaptive distillation divides 0 by 0 there.
pub fn normalize(rows: Tensor<2>) -> Tensor<2> {
    unit(rows, 0.0)
}

/// Configuration of [`Embed`].
#[derive(Config, Debug, PartialEq, Eq)]
pub struct EmbedConfig {
    /// Length of the vectors that come in.
    pub input: usize,
    /// Length of the vectors that go out.
    pub output: usize,
    /// Whether the output is divided by its norm.
    #[config(default = true)]
    pub normalize: bool,
}

/// A linear embedding, then [`normalize`] if asked for: the `Embed` of CRD, and without
/// normalization the `LinearEmbed` of correlation congruence (RepDistiller).
#[derive(Module, Debug)]
pub struct Embed {
    /// The linear layer.
    pub linear: Linear,
    /// Whether the output is divided by its norm.
    pub normalize: bool,
}

impl EmbedConfig {
    /// Initializes the embedding, with the initial values of PyTorch's linear layer.
    pub fn init(&self, device: &Device) -> Embed {
        Embed {
            linear: LinearConfig::new(self.input, self.output).init(device),
            normalize: self.normalize,
        }
    }
}

impl Embed {
    /// The embedding of each row.
    ///
    /// # Shapes
    ///
    /// - rows: `[batch, input]`
    /// - output: `[batch, output]`
    ///
    /// # Panics
    ///
    /// If the rows have another length.
    pub fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let rows = self.linear.forward(rows);
        if self.normalize {
            normalize(rows)
        } else {
            rows
        }
    }
}

/// Configuration of [`MlpEmbed`].
#[derive(Config, Debug, PartialEq, Eq)]
pub struct MlpEmbedConfig {
    /// Length of the vectors that come in.
    pub input: usize,
    /// Length of the vectors between the two layers.
    pub hidden: usize,
    /// Length of the vectors that go out.
    pub output: usize,
}

/// Two linear layers with a ReLU between them, then [`normalize`] (RepDistiller's `MLPEmbed`,
/// SemCKD's queries and keys).
#[derive(Module, Debug)]
pub struct MlpEmbed {
    /// The first layer.
    pub linear1: Linear,
    /// The second layer.
    pub linear2: Linear,
}

impl MlpEmbedConfig {
    /// Initializes the embedding, with the initial values of PyTorch's linear layer.
    pub fn init(&self, device: &Device) -> MlpEmbed {
        MlpEmbed {
            linear1: LinearConfig::new(self.input, self.hidden).init(device),
            linear2: LinearConfig::new(self.hidden, self.output).init(device),
        }
    }
}

impl MlpEmbed {
    /// The embedding of each row.
    ///
    /// # Shapes
    ///
    /// - rows: `[batch, input]`
    /// - output: `[batch, output]`
    ///
    /// # Panics
    ///
    /// If the rows have another length.
    pub fn forward(&self, rows: Tensor<2>) -> Tensor<2> {
        let hidden = relu(self.linear1.forward(rows));
        normalize(self.linear2.forward(hidden))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("f32")
    }

    #[test]
    fn rows_get_the_norm_one_and_zeros_stay_zero() {
        let device = Device::default().autodiff();
        let rows = Tensor::<2>::from_floats([[3.0, -4.0], [0.0, 0.0]], &device).require_grad();
        let normalized = normalize(rows.clone());
        let grads = normalized.clone().sum().backward();
        assert_eq!(values(normalized), [0.6, -0.8, 0.0, 0.0]);
        // (1 − n (n·1)) / norm for the first row, with n = (0.6, −0.8).
        let gradient = values(rows.grad(&grads).expect("a gradient"));
        for (found, expected) in gradient.iter().zip([1.12 / 5.0, 0.84 / 5.0, 0.0, 0.0]) {
            assert!((found - expected).abs() < 1e-6, "{gradient:?}");
        }
    }

    #[test]
    fn embeddings_have_the_configured_lengths() {
        let device = Device::default();
        let rows = Tensor::ones([3, 5], &device);
        let linear = EmbedConfig::new(5, 2).with_normalize(false).init(&device);
        assert_eq!(linear.forward(rows.clone()).dims(), [3, 2]);
        let norms = |rows: Tensor<2>| values(rows.square().sum_dim(1));
        let embedded = EmbedConfig::new(5, 2).init(&device).forward(rows.clone());
        assert!(norms(embedded).iter().all(|norm| (norm - 1.0).abs() < 1e-5));
        let embedded = MlpEmbedConfig::new(5, 64, 2).init(&device).forward(rows);
        assert!(norms(embedded).iter().all(|norm| (norm - 1.0).abs() < 1e-5));
    }
}
