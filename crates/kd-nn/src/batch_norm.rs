//! Batch normalization as PyTorch computes it.

use burn::config::Config;
#[cfg(feature = "cube")]
use burn::module::ModuleMapper;
use burn::module::{Flag, Module, Param, RunningState};
use burn::tensor::module::{batch_norm, batch_norm_train};
use burn::tensor::{Device, Tensor};

#[cfg(feature = "cube")]
use kd_kernels::{gpu, serves_gpu};
#[cfg(feature = "flex")]
use kd_kernels::{norm, serves};

use crate::Activation;

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

/// Batch normalization over all axes but the second (Ioffe & Szegedy 2015,
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
    /// Initializes the layer: weight 1, bias 0, running mean 0, running variance 1.
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
    /// Normalizes `input` of shape `[batch, num_features, ...]`; the shape is kept.
    ///
    /// # Panics
    ///
    /// If the second axis is not `num_features`.
    pub fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        self.forward_with(input, None, Activation::None)
    }

    /// As [`forward`](Self::forward), then adds `residual` and applies `activation`: one pass over
    /// memory where `kd-kernels` serves.
    ///
    /// # Panics
    ///
    /// If the second axis is not `num_features`, or if the shapes differ.
    pub fn forward_with<const D: usize>(
        &self,
        input: Tensor<D>,
        residual: Option<Tensor<D>>,
        activation: Activation,
    ) -> Tensor<D> {
        let trains = input.is_autodiff() && self.training.is_enabled();
        #[cfg(feature = "cube")]
        if trains && serves_gpu(&input) {
            return self.forward_train_gpu(input, residual, None, activation);
        }
        #[cfg(feature = "flex")]
        if serves(&input) {
            if trains {
                return self.forward_train_native(input, residual, activation);
            }
            let tracked = |tensor: &Tensor<D>| tensor.is_autodiff();
            let plain = !tracked(&input)
                && !residual.as_ref().is_some_and(tracked)
                && !self.weight.val().is_autodiff();
            if plain {
                return norm::affine(input, self.affine(), residual, activation.is_relu());
            }
        }
        let output = if trains {
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
        };
        activation.apply(output, residual)
    }

    /// Factor and shift of each channel in evaluation, on the plain device:
    /// `weight / √(running variance + ε)` and `bias − running mean · factor`.
    pub fn affine(&self) -> [Tensor<1>; 2] {
        let plain = |tensor: Tensor<1>| match tensor.is_autodiff() {
            true => tensor.inner(),
            false => tensor,
        };
        let variance = plain(self.running_var.value_sync());
        let factor = plain(self.weight.val()) / (variance + self.epsilon).sqrt();
        let shift = plain(self.bias.val()) - plain(self.running_mean.value_sync()) * factor.clone();
        [factor, shift]
    }

    /// As [`forward`](Self::forward), but in training the statistics are those of the chosen
    /// samples alone: what `forward` would compute on them if they were gathered first.
    ///
    /// The samples that are not chosen are normalized too, by the same statistics, and do not
    /// influence them. If none is chosen, the running statistics stay as they are.
    ///
    /// # Shapes
    ///
    /// - input: `[batch, num_features, ...]`
    /// - chosen: `[batch]`, 1 for a chosen sample and 0 for any other; `None` for all
    /// - output: as the input
    ///
    /// # Panics
    ///
    /// If the second axis is not `num_features`, or if the batches differ.
    pub fn forward_gated<const D: usize>(
        &self,
        input: Tensor<D>,
        chosen: Option<&Tensor<1>>,
    ) -> Tensor<D> {
        match chosen {
            Some(chosen) if input.is_autodiff() && self.training.is_enabled() => {
                self.forward_train_gated(input, chosen)
            }
            _ => self.forward(input),
        }
    }

    fn forward_train_gated<const D: usize>(
        &self,
        input: Tensor<D>,
        chosen: &Tensor<1>,
    ) -> Tensor<D> {
        let dims = input.dims();
        let (batch, channels) = (dims[0], dims[1]);
        assert_eq!(
            chosen.dims(),
            [batch],
            "a gate of {:?} does not fit a batch of {batch}",
            chosen.dims()
        );
        #[cfg(feature = "cube")]
        if serves_gpu(&input) {
            return self.forward_train_gpu(input, None, Some(chosen.clone()), Activation::None);
        }
        let positions = input.shape().num_elements() / (batch * channels).max(1);
        let x = input.reshape([batch, channels, positions]);
        let weight: Tensor<3> = chosen.clone().reshape([batch, 1, 1]);
        let values = chosen.clone().sum() * positions as f64;
        // At least 1, so that no choice at all divides 0 by 1.
        let count: Tensor<3> = values.clone().clamp_min(1.0).reshape([1, 1, 1]);
        let mean_over_chosen =
            |values: Tensor<3>| (values.sum_dim(2) * weight.clone()).sum_dim(0) / count.clone();

        let mean = mean_over_chosen(x.clone());
        let centered = x - mean.clone();
        let variance = mean_over_chosen(centered.clone().square());
        let scale =
            self.weight.val().reshape([1, channels, 1]) / (variance.clone() + self.epsilon).sqrt();
        let output = centered * scale + self.bias.val().reshape([1, channels, 1]);

        // 1 if anything was chosen: without samples there is nothing to learn from.
        let any = values.clone().clamp(0.0, 1.0);
        let unbias = values.clone() / (values - 1.0).clamp_min(1.0);
        update_if(
            &self.running_mean,
            mean.reshape([channels]),
            &any,
            self.momentum,
        );
        update_if(
            &self.running_var,
            variance.reshape([channels]).inner() * unbias,
            &any,
            self.momentum,
        );
        output.reshape(dims)
    }

    fn forward_train<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let samples = samples(&input);
        let batch = batch_norm_train(input, self.weight.val(), self.bias.val(), self.epsilon);
        self.learn(batch.mean, batch.variance, samples);
        batch.output
    }

    #[cfg(feature = "flex")]
    fn forward_train_native<const D: usize>(
        &self,
        input: Tensor<D>,
        residual: Option<Tensor<D>>,
        activation: Activation,
    ) -> Tensor<D> {
        let samples = samples(&input);
        let parameters = [self.weight.val(), self.bias.val()];
        let result = norm::normalize(
            input,
            parameters,
            residual,
            activation.is_relu(),
            self.epsilon,
        );
        self.learn(result.mean, result.variance, samples);
        result.output
    }

    #[cfg(feature = "cube")]
    fn forward_train_gpu<const D: usize>(
        &self,
        input: Tensor<D>,
        residual: Option<Tensor<D>>,
        chosen: Option<Tensor<1>>,
        activation: Activation,
    ) -> Tensor<D> {
        let options = gpu::norm::Options {
            epsilon: self.epsilon,
            momentum: self.momentum,
            relu: activation.is_relu(),
        };
        let parameters = [self.weight.val(), self.bias.val()];
        let running = [&self.running_mean, &self.running_var].map(|state| state.value_sync());
        let batch = gpu::norm::normalize(input, parameters, residual, chosen, running, options);
        replace(&self.running_mean, batch.running_mean);
        replace(&self.running_var, batch.running_variance);
        batch.output
    }

    /// Moves the running statistics towards those of a batch of so many values a channel.
    fn learn(&self, mean: Tensor<1>, variance: Tensor<1>, samples: usize) {
        // One value per channel has no unbiased variance: PyTorch refuses such a batch, and
        // here its variance of 0 is taken as it is.
        let unbias = samples as f64 / (samples.max(2) - 1) as f64;
        update(&self.running_mean, mean, self.momentum, 1.0);
        update(&self.running_var, variance, self.momentum, unbias);
    }
}

/// Values of a channel.
fn samples<const D: usize>(input: &Tensor<D>) -> usize {
    input.shape().num_elements() / input.dims()[1].max(1)
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

/// Puts a running statistic in the place of the old one, as its `update` does, which divides by the
/// number of threads first: a launch.
#[cfg(feature = "cube")]
fn replace(state: &RunningState<Tensor<1>>, value: Tensor<1>) {
    struct Replace(Tensor<1>);

    impl ModuleMapper for Replace {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            param.map(|_| Tensor::from_dispatch(self.0.clone().into_dispatch()))
        }
    }

    state.clone().map(&mut Replace(value));
}

/// Moves a running statistic towards the batch's by `momentum`, or not at all if `any` is 0.
fn update_if(state: &RunningState<Tensor<1>>, batch: Tensor<1>, any: &Tensor<1>, momentum: f64) {
    let old = state.value_sync().inner();
    let new = old.clone() + (batch.inner() - old) * any.clone() * momentum;
    state.update(Tensor::from_inner(new));
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
    fn gated_statistics_are_those_of_the_chosen_samples() {
        let device = Device::default().autodiff();
        let x = Tensor::<3>::from_floats(
            [[[1.0, 2.0]], [[50.0, -9.0]], [[4.0, 8.0]], [[0.5, 0.0]]],
            &device,
        )
        .require_grad();
        let weights = Tensor::<3>::from_floats([[[1.0, -2.0]], [[3.0, 0.5]]], &device);
        let rows = Tensor::<1, burn::tensor::Int>::from_ints([0, 2], &device);
        let chosen = Tensor::from_floats([1.0, 0.0, 1.0, 0.0], &device.clone().inner());
        let norm = || BatchNormConfig::new(1).init(&device);

        let (gathered, gated) = (norm(), norm());
        let gathered_loss =
            (gathered.forward(x.clone().select(0, rows.clone())) * weights.clone()).sum();
        let output = gated.forward_gated(x.clone(), Some(&chosen));
        let gated_loss = (output.select(0, rows) * weights).sum();

        let tolerance = Tolerance::<f32>::absolute(1e-5);
        let value = |norm: &BatchNorm| {
            Tensor::cat(vec![norm.running_mean.value(), norm.running_var.value()], 0).into_data()
        };
        value(&gated).assert_approx_eq(&value(&gathered), tolerance);
        let gradient = |loss: Tensor<1>| {
            let grads = loss.backward();
            x.grad(&grads).expect("a gradient").into_data()
        };
        let expected = gradient(gathered_loss.clone());
        gradient(gated_loss.clone()).assert_approx_eq(&expected, tolerance);
        gated_loss
            .into_data()
            .assert_approx_eq(&gathered_loss.into_data(), tolerance);
    }

    #[test]
    fn nothing_chosen_changes_no_statistics_and_stays_finite() {
        let device = Device::default().autodiff();
        let norm = BatchNormConfig::new(2).init(&device);
        let none = Tensor::zeros([2], &device.clone().inner());
        let output = norm.forward_gated(input(&device), Some(&none));
        assert!(output.sum().into_scalar::<f32>().is_finite());
        assert_eq!(norm.running_mean.value().into_data(), [0.0f32, 0.0].into());
        assert_eq!(norm.running_var.value().into_data(), [1.0f32, 1.0].into());
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
