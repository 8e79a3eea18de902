//! Variational information distillation.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::{log_sigmoid, relu};
use burn::tensor::{Device, Tensor};
use kd_nn::conv2d_layer;
use serde::{Deserialize, Serialize};

use crate::gate::sample_means;
use crate::info::Register;
use crate::pool::{pool_to, smaller};
use crate::range::within;
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, Pair, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// The small number that is added to the variance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum VidConvention {
    /// RepDistiller's: 1e-5.
    #[default]
    RepDistiller,
    /// Knowledge-Distillation-Zoo's: 1e-6.
    Zoo,
}

impl VidConvention {
    fn epsilon(self) -> f64 {
        match self {
            Self::RepDistiller => 1e-5,
            Self::Zoo => 1e-6,
        }
    }
}

/// Configuration of [`VidLoss`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct VidLossConfig {
    /// The variance at the start, above 0.001. Default 5.
    pub variance: f64,
    /// The small number that is added to the variance. Default [`VidConvention::RepDistiller`].
    pub convention: VidConvention,
}

impl Config for VidLossConfig {}

impl Default for VidLossConfig {
    fn default() -> Self {
        Self {
            variance: 5.0,
            convention: VidConvention::default(),
        }
    }
}

impl VidLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the variance at the start.
    pub fn with_variance(mut self, variance: f64) -> Self {
        self.variance = variance;
        self
    }

    /// Sets the small number that is added to the variance.
    pub fn with_convention(mut self, convention: VidConvention) -> Self {
        self.convention = convention;
        self
    }

    /// Initializes the loss for pairs of maps with these channels.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if the variance is too small or not finite.
    pub fn init(&self, channels: &[Pair<usize>], device: &Device) -> Result<VidLoss, LossError> {
        let expected = "a finite number above 0.001";
        within(
            "vid",
            "variance",
            self.variance,
            self.variance > 1e-3,
            expected,
        )?;
        let epsilon = self.convention.epsilon();
        // The inverse of the softplus, log(exp(v) − 1), without overflow.
        let variance = self.variance - epsilon;
        let log_scale = variance + (-(-variance).exp_m1()).ln();
        let predictor = |Pair { student, teacher }: &Pair<usize>| {
            let conv = |input| {
                Conv2dConfig::new([input, *teacher], [1, 1])
                    .with_bias(false)
                    .init(device)
            };
            VidPredictor {
                convs: vec![conv(*student), conv(*teacher), conv(*teacher)],
                log_scale: Param::from_tensor(Tensor::full([*teacher], log_scale, device)),
                epsilon,
            }
        };
        Ok(VidLoss {
            predictors: channels.iter().map(predictor).collect(),
        })
    }
}

/// Variational information distillation (Ahn et al. 2019, <https://arxiv.org/abs/1904.05835>): a
/// lower bound of what the student's maps tell of the teacher's.
///
/// The teacher's map is taken for Gaussian around a prediction `μ` from the student's, with a
/// variance `σ²_c` for each channel; both are trained with the student.
///
/// ```text
/// L   = mean over samples, channels, positions of  ½ ( ( t − μ(s) )² / σ²_c + log σ²_c )
/// σ²_c = log( 1 + exp(α_c) ) + ε
/// ```
///
/// The larger map is average-pooled to the smaller size first. The prediction is three 1×1
/// convolutions with ReLUs between, without biases and batch norm, as in the public code. Several
/// stages add up. The value may be negative.
#[derive(Module, Debug)]
pub struct VidLoss {
    /// One prediction for each pair of maps.
    pub predictors: Vec<VidPredictor>,
}

/// The prediction of a map of the teacher.
#[derive(Module, Debug)]
pub struct VidPredictor {
    /// Three 1×1 convolutions.
    pub convs: Vec<Conv2d>,
    /// `α` of each channel, `[channels]`.
    pub log_scale: Param<Tensor<1>>,
    /// The small number that is added to the variance.
    pub epsilon: f64,
}

impl VidPredictor {
    /// The loss of one pair of maps; the teacher's is a constant.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, channels, height, width]`
    /// - teacher: `[batch, other channels, other height, other width]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the batches differ in size, or the channels are not those of [`VidLossConfig::init`].
    pub fn forward(&self, student: Tensor<4>, teacher: Tensor<4>) -> Tensor<1> {
        self.forward_gated(student, teacher, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(&self, student: Tensor<4>, teacher: Tensor<4>, gate: &Gate) -> Tensor<1> {
        let (student_shape, teacher_shape) = (student.dims(), teacher.dims());
        assert!(
            student_shape[0] == teacher_shape[0] && [teacher_shape[1]] == self.log_scale.dims(),
            "vid: the student's map is {student_shape:?}, the teacher's is {teacher_shape:?}, for {:?} channels",
            self.log_scale.dims()
        );
        let size = smaller(&student, &teacher);
        let mut mean = pool_to(student, size);
        for (index, conv) in self.convs.iter().enumerate() {
            if index > 0 {
                mean = relu(mean);
            }
            mean = conv2d_layer(conv, mean);
        }
        let squares = (mean - pool_to(gate.teacher(teacher), size)).square();

        // log(1 + exp(α)) = −log sigmoid(−α), which does not overflow.
        let variance = log_sigmoid(self.log_scale.val().neg()).neg() + self.epsilon;
        let variance = variance.reshape([1, teacher_shape[1] as i32, 1, 1]);
        gate.mean(sample_means(squares / variance.clone() + variance.log()) * 0.5)
    }
}

impl Register for VidLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "vid",
        aliases: &["variational"],
        title: "Variational information: maps predicted, with a variance",
        paper: "Ahn et al. 2019, Variational Information Distillation for Knowledge Transfer, \
                https://arxiv.org/abs/1904.05835",
        weights: LossWeights::method(1.0),
        parameters: &[
            ParameterInfo {
                name: "variance",
                description: "variance at the start",
            },
            ParameterInfo {
                name: "convention",
                description: "small constant added to the variance: `repdistiller` (1e-5) or `zoo` \
                              (1e-6)",
            },
        ],
    };
}

impl LossConfig for VidLossConfig {
    type Loss = VidLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::EachStage).with_teacher_gradient()
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<VidLoss, LossError> {
        self.init(&setup.stage_channels("vid")?, device)
    }
}

impl DistillationLoss for VidLoss {
    /// All stages but the stem, as in RepDistiller; one spot for each.
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        step.over_stages(|spot, student, teacher, gate| {
            self.predictors[spot].forward_gated(student, teacher, gate)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(config: &VidLossConfig) -> VidPredictor {
        let loss = config
            .init(&[Pair::both(1)], &Device::default())
            .expect("a loss");
        let mut predictor = loss.predictors.into_iter().next().expect("one pair");
        for conv in &mut predictor.convs {
            conv.weight = conv.weight.clone().map(|weight| weight.ones_like());
        }
        predictor
    }

    #[test]
    fn a_worked_example() {
        let device = Device::default();
        let map = |value: f32| Tensor::<4>::full([1, 1, 2, 2], value, &device);
        // The prediction is the student's value, 3 away from the teacher's; the variance is 5.
        let value = one(&VidLossConfig::new()).forward(map(1.0), map(4.0));
        let expected = 0.5 * (9.0 / 5.0 + 5f32.ln());
        assert!((value.into_scalar::<f32>() - expected).abs() < 1e-5);
    }

    #[test]
    fn the_variance_at_the_start_is_the_configured_one() {
        let device = Device::default();
        let map = |value: f32| Tensor::<4>::full([1, 1, 2, 2], value, &device);
        for variance in [0.002, 5.0, 1e3, 1e6] {
            // Nothing is left to predict, so the value is half the logarithm of the variance.
            let loss = one(&VidLossConfig::new().with_variance(variance));
            let value: f32 = loss.forward(map(1.0), map(1.0)).into_scalar();
            let expected = 0.5 * variance.ln() as f32;
            assert!((value - expected).abs() < 1e-4, "{variance}: {value}");
        }
    }

    #[test]
    fn extreme_scales_stay_finite() {
        let device = Device::default().autodiff();
        let map = |value: f32| Tensor::<4>::full([1, 1, 2, 2], value, &device);
        for scale in [-1e3, 1e3] {
            let mut predictor = one(&VidLossConfig::new());
            predictor.log_scale = Param::from_tensor(Tensor::full([1], scale, &device));
            let loss = predictor.forward(map(1.0), map(1.5));
            let grads = loss.backward();
            let gradient = predictor.log_scale.val().grad(&grads).expect("a gradient");
            assert!(loss.into_scalar::<f32>().is_finite(), "{scale}");
            assert!(gradient.into_scalar::<f32>().is_finite(), "{scale}");
        }
    }

    #[test]
    fn a_variance_that_is_too_small_is_a_typed_error() {
        let error = VidLossConfig::new()
            .with_variance(0.0)
            .init(&[Pair::both(1)], &Device::default())
            .expect_err("a mistake");
        assert_eq!(
            error.to_string(),
            "vid: `variance` is 0, expected a finite number above 0.001"
        );
    }

    #[test]
    #[should_panic(expected = "the teacher's is [1, 2, 2, 2], for [1] channels")]
    fn other_channels_are_refused() {
        let device = Device::default();
        let map = |channels| Tensor::<4>::zeros([1, channels, 2, 2], &device);
        one(&VidLossConfig::new()).forward(map(1), map(2));
    }
}
