//! Batch normalisation as PyTorch computes it.

use burn::config::Config;
use burn::module::{Flag, Module, Param, RunningState};
use burn::tensor::module::{batch_norm, batch_norm_train};
use burn::tensor::{Device, Tensor};

/// Configuration of [`BatchNorm`].
#[derive(Config, Debug)]
pub struct BatchNormConfig {
    /// Number of channels.
    pub num_features: usize,
    /// Added to the variance before the square root.
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// Share of the new batch in the running statistics.
    #[config(default = 0.1)]
    pub momentum: f64,
}

/// Batch normalisation over all axes but the second (Ioffe & Szegedy 2015,
/// <https://arxiv.org/abs/1502.03167>), with the semantics of PyTorch.
///
/// `y = (x − mean) / √(var + ε) · weight + bias`, per channel.
///
/// Two things differ from `burn::nn::BatchNorm`:
///
/// - the running variance is updated with the *unbiased* batch variance (`n / (n − 1)`), where
///   Burn uses the biased one;
/// - the running statistics are current at every read: Burn parks an update until the next
///   forward pass in training.
///
/// The parameters have PyTorch's names, so that module paths equal `state_dict` keys.
///
/// Batch statistics are used, and running statistics updated, if the input is on an autodiff
/// device and the layer has not been switched to evaluation (by `valid()` or `freeze()`);
/// otherwise the running statistics are used.
///
/// A clone shares its running statistics with the original, as all of Burn's running states do;
/// `valid()` takes an independent snapshot.
#[derive(Module, Debug)]
pub struct BatchNorm {
    /// Scale, `[num_features]`.
    pub weight: Param<Tensor<1>>,
    /// Shift, `[num_features]`.
    pub bias: Param<Tensor<1>>,
    /// Whether the layer is in training mode.
    pub training: Param<Flag>,
    /// Running mean, `[num_features]`.
    pub running_mean: RunningState<Tensor<1>>,
    /// Running unbiased variance, `[num_features]`.
    pub running_var: RunningState<Tensor<1>>,
    /// Share of the new batch in the running statistics.
    pub momentum: f64,
    /// Added to the variance before the square root.
    pub epsilon: f64,
}

impl BatchNormConfig {
    /// Initialises the layer: weight 1, bias 0, running mean 0, running variance 1.
    pub fn init(&self, device: &Device) -> BatchNorm {
        let shape = [self.num_features];
        BatchNorm {
            weight: Param::from_tensor(Tensor::ones(shape, device)),
            bias: Param::from_tensor(Tensor::zeros(shape, device)),
            training: Param::from_bool(true),
            running_mean: RunningState::new(Tensor::zeros(shape, device)),
            running_var: RunningState::new(Tensor::ones(shape, device)),
            momentum: self.momentum,
            epsilon: self.epsilon,
        }
    }
}

impl BatchNorm {
    /// Normalises `input` of shape `[batch, num_features, ...]`; the shape is kept.
    ///
    /// # Panics
    ///
    /// If the second axis is not `num_features`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        if input.is_autodiff() && self.training.is_enabled() {
            self.forward_train(input)
        } else {
            batch_norm(
                input,
                self.weight.val(),
                self.bias.val(),
                self.running_mean.value_sync(),
                self.running_var.value_sync(),
                self.epsilon,
            )
        }
    }

    fn forward_train<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let samples = input.shape().num_elements() / input.dims()[1].max(1);
        let batch = batch_norm_train(input, self.weight.val(), self.bias.val(), self.epsilon);

        // One value per channel has no unbiased variance: PyTorch refuses such a batch, and
        // here its variance of 0 is taken as it is.
        let unbias = samples as f64 / (samples.max(2) - 1) as f64;
        update(&self.running_mean, batch.mean, self.momentum, 1.0);
        update(&self.running_var, batch.variance, self.momentum, unbias);
        batch.output
    }
}

fn update(state: &RunningState<Tensor<1>>, batch: Tensor<1>, momentum: f64, factor: f64) {
    let old = state.value_sync();
    // Statistics stay outside the graph: a tracked state would keep every step's tape alive.
    let old = if old.is_autodiff() { old.inner() } else { old };
    let new = old.mul_scalar(1.0 - momentum) + batch.inner().mul_scalar(momentum * factor);
    state.update(Tensor::from_inner(new));
    // Burn parks an update per thread; reading it at once makes it the current value.
    state.value_sync();
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tolerance;

    fn input(device: &Device) -> Tensor<2> {
        Tensor::from_floats([[1.0, 0.0], [3.0, 4.0]], device)
    }

    #[test]
    fn running_statistics_are_unbiased_and_current_after_one_forward() {
        let device = Device::default().autodiff();
        let norm = BatchNormConfig::new(2).init(&device);
        norm.forward(input(&device));

        let tolerance = Tolerance::<f32>::absolute(1e-6);
        norm.running_mean
            .value()
            .into_data()
            .assert_approx_eq(&[0.2, 0.2].into(), tolerance);
        // Unbiased variances 2 and 8: 0.9 + 0.1 · var.
        norm.running_var
            .value()
            .into_data()
            .assert_approx_eq(&[1.1, 1.7].into(), tolerance);
    }

    #[test]
    fn evaluation_uses_running_statistics_and_keeps_them() {
        let device = Device::default().autodiff();
        let norm = BatchNormConfig::new(2).init(&device).valid();
        let x = input(&device.clone().inner());
        let y = norm.forward(x.clone());
        y.into_data()
            .assert_approx_eq(&x.into_data(), Tolerance::<f32>::absolute(1e-4));
        assert_eq!(norm.running_mean.value().into_data(), [0.0f32, 0.0].into());
    }

    #[test]
    fn a_batch_of_one_value_per_channel_stays_finite() {
        let device = Device::default().autodiff();
        let norm = BatchNormConfig::new(2).init(&device);
        norm.forward(Tensor::<2>::from_floats([[5.0, -5.0]], &device));
        let var: Vec<f32> = norm
            .running_var
            .value()
            .into_data()
            .try_to_vec()
            .expect("f32");
        assert_eq!(var, [0.9, 0.9]);
    }
}
