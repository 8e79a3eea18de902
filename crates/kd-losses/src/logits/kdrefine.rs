//! Standardized logits, with their own cross-entropy.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use super::kd::{KdLoss, KdLossConfig};
use super::standardize::{check_standardize, standardized};
use crate::info::Register;
use crate::range::{positive, weight};
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, ParameterInfo,
    Requirements, Setup, Site, Step, cross_entropy,
};

/// Configuration of [`KdRefineLoss`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct KdRefineLossConfig {
    /// Weight of the cross-entropy, from 0. Default 0.1.
    pub gamma: f64,
    /// Weight of the divergence, from 0. Default 0.9.
    pub alpha: f64,
    /// Temperature of the divergence, a positive number. Default 4.
    pub temperature: f64,
    /// The multiplier of [standardized](crate::logits::standardize) logits, a positive number. Default 2;
    /// with none, this is plain distillation with a weighted cross-entropy.
    #[serde(alias = "standardise")]
    pub standardize: Option<f64>,
}

impl Config for KdRefineLossConfig {}

impl Default for KdRefineLossConfig {
    fn default() -> Self {
        Self {
            gamma: 0.1,
            alpha: 0.9,
            temperature: 4.0,
            standardize: Some(2.0),
        }
    }
}

impl KdRefineLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the weight of the cross-entropy.
    pub fn with_gamma(mut self, gamma: f64) -> Self {
        self.gamma = gamma;
        self
    }

    /// Sets the weight of the divergence.
    pub fn with_alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Sets the temperature of the divergence.
    pub fn with_temperature(mut self, temperature: f64) -> Self {
        self.temperature = temperature;
        self
    }

    /// Sets the multiplier of standardized logits.
    pub fn with_standardize(mut self, standardize: Option<f64>) -> Self {
        self.standardize = standardize;
        self
    }

    /// Initializes the loss.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if a weight is negative, if the temperature or the multiplier is
    /// not positive, or if one of them is not finite.
    pub fn init(&self) -> Result<KdRefineLoss, LossError> {
        weight("kdrefine", "gamma", self.gamma)?;
        weight("kdrefine", "alpha", self.alpha)?;
        positive("kdrefine", "temperature", self.temperature)?;
        check_standardize("kdrefine", self.standardize)?;
        Ok(KdRefineLoss {
            gamma: self.gamma,
            alpha: self.alpha,
            standardize: self.standardize,
            divergence: KdLossConfig::new()
                .with_temperature(self.temperature)
                .init()?,
        })
    }
}

/// The objective of KDrefine (<https://github.com/YujieZheng99/KDrefine>): cross-entropy and
/// divergence, both of standardized logits (Sun et al. 2024, <https://arxiv.org/abs/2403.01427>).
///
/// ```text
/// L = gamma · CE( z(s), labels ) + alpha · T² / N · Σ_n KL( softmax(z(t_n) / T) ‖ softmax(z(s_n) / T) )
/// ```
///
/// for logits `s` of the student and `t` of the teacher, with `z` the [standardized](
/// crate::logits::standardize) logits. Sun et al. standardize in the divergence only and keep the
/// cross-entropy of the plain logits: that is the method `kd` with
/// [`KdLossConfig::with_standardize`] and a weight for each part.
///
/// It contains its own cross-entropy, so a recipe gives the cross-entropy beside it the weight 0.
#[derive(Module, Debug)]
pub struct KdRefineLoss {
    /// Weight of the cross-entropy.
    pub gamma: f64,
    /// Weight of the divergence.
    pub alpha: f64,
    /// The multiplier of standardized logits, if they are.
    #[module(skip)]
    pub standardize: Option<f64>,
    /// The divergence of the standardized logits.
    pub divergence: KdLoss,
}

impl KdRefineLoss {
    /// The loss; the teacher's logits are a constant.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, classes]`
    /// - teacher: `[batch, classes]`
    /// - labels: `[batch]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn forward(
        &self,
        student: Tensor<2>,
        teacher: Tensor<2>,
        labels: Tensor<1, Int>,
    ) -> Tensor<1> {
        self.forward_gated(student, teacher, labels, &Gate::all())
    }

    /// The loss with the divergence of the chosen samples: see [`Gate`]. A gate chooses what is
    /// distilled, so the cross-entropy is that of *all* samples under any gate.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(
        &self,
        student: Tensor<2>,
        teacher: Tensor<2>,
        labels: Tensor<1, Int>,
        gate: &Gate,
    ) -> Tensor<1> {
        let (student_shape, teacher_shape) = (student.dims(), teacher.dims());
        assert_eq!(
            student_shape, teacher_shape,
            "kdrefine: the student's logits are {student_shape:?}, the teacher's {teacher_shape:?}"
        );
        let student = standardized(student, self.standardize);
        let teacher = standardized(gate.teacher(teacher), self.standardize);
        let divergence = self
            .divergence
            .forward_gated(student.clone(), teacher, gate);
        cross_entropy(student, labels) * self.gamma + gate.scaled(divergence) * self.alpha
    }
}

impl Register for KdRefineLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "kdrefine",
        title: "Distillation and cross-entropy of standardized logits",
        paper: "Sun et al. 2024, Logit Standardization in Knowledge Distillation, \
                https://arxiv.org/abs/2403.01427; objective of \
                https://github.com/YujieZheng99/KDrefine",
        weights: LossWeights {
            ce: 0.0,
            kd: 0.0,
            method: 1.0,
        },
        parameters: &[
            ParameterInfo {
                name: "gamma",
                description: "weight of the cross-entropy of standardized logits",
            },
            ParameterInfo {
                name: "alpha",
                description: "weight of the divergence of standardized logits",
            },
            ParameterInfo {
                name: "temperature",
                description: "temperature of the divergence",
            },
            ParameterInfo {
                name: "standardize",
                description: "multiplier of standardized logits; null: as they are",
            },
        ],
        ..MethodInfo::BASE
    };
}

impl LossConfig for KdRefineLossConfig {
    type Loss = KdRefineLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Logits)
            .with_labels()
            .with_teacher_gradient()
    }

    fn build(&self, setup: &Setup, _device: &Device) -> Result<KdRefineLoss, LossError> {
        setup.classes("kdrefine", 2)?;
        self.init()
    }
}

impl DistillationLoss for KdRefineLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let labels = step.expect_labels("kdrefine");
        let student = step.student.logits.clone();
        let teacher = step.teacher.logits.clone();
        self.forward_gated(student, teacher, labels, &step.gate(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logits::gated;
    use proptest::prelude::*;

    fn loss() -> KdRefineLoss {
        KdRefineLossConfig::new().init().expect("a loss")
    }

    #[test]
    fn without_standardizing_it_is_the_weighted_sum_of_both_parts() {
        let device = Device::default();
        let student = Tensor::<2>::from_floats([[1.0, 2.0, 0.0], [0.0, 3.0, 1.0]], &device);
        let teacher = Tensor::<2>::from_floats([[0.0, 1.0, 5.0], [2.0, 0.0, 1.0]], &device);
        let labels = Tensor::<1, Int>::from_ints([2, 1], &device);
        let value: f32 = KdRefineLossConfig::new()
            .with_standardize(None)
            .with_gamma(0.5)
            .with_alpha(2.0)
            .with_temperature(3.0)
            .init()
            .expect("a loss")
            .forward(student.clone(), teacher.clone(), labels.clone())
            .into_scalar();
        let kd = KdLossConfig::new()
            .with_temperature(3.0)
            .init()
            .expect("a loss");
        let expected =
            cross_entropy(student.clone(), labels) * 0.5 + kd.forward(student, teacher) * 2.0;
        assert!((value - expected.into_scalar::<f32>()).abs() < 1e-6);
    }

    #[test]
    fn with_nothing_chosen_the_cross_entropy_is_left() {
        let device = Device::default();
        let student = Tensor::<2>::from_floats([[1.0, 2.0, 0.0], [0.0, 3.0, 1.0]], &device);
        let teacher = Tensor::<2>::zeros([2, 3], &device);
        let labels = Tensor::<1, Int>::from_ints([2, 1], &device);
        let none = Gate::new(Tensor::zeros([2], &device));
        let value = loss().forward_gated(student.clone(), teacher, labels.clone(), &none);
        let expected = cross_entropy(standardized(student, Some(2.0)), labels) * 0.1;
        let value = value.into_scalar::<f32>();
        assert!((value - expected.into_scalar::<f32>()).abs() < 1e-7);
    }

    #[test]
    #[should_panic(expected = "kdrefine: the student's logits are [1, 2], the teacher's [1, 3]")]
    fn different_classes_are_refused() {
        let device = Device::default();
        loss().forward(
            Tensor::zeros([1, 2], &device),
            Tensor::zeros([1, 3], &device),
            Tensor::zeros([1], &device),
        );
    }

    #[test]
    fn parameters_out_of_range_are_errors() {
        let message =
            |config: KdRefineLossConfig| config.init().expect_err("a mistake").to_string();
        assert_eq!(
            message(KdRefineLossConfig::new().with_gamma(-1.0)),
            "kdrefine: `gamma` is -1, expected a finite number, at least 0"
        );
        assert_eq!(
            message(KdRefineLossConfig::new().with_temperature(0.0)),
            "kdrefine: `temperature` is 0, expected a positive finite number"
        );
        assert!(
            KdRefineLossConfig::new()
                .with_alpha(f64::NAN)
                .init()
                .is_err()
        );
        assert!(
            KdRefineLossConfig::new()
                .with_standardize(Some(0.0))
                .init()
                .is_err()
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_divergence_is_that_of_the_gathered_samples(
            chosen in prop::array::uniform6(any::<bool>()),
        ) {
            let loss = KdRefineLossConfig::new().with_gamma(0.0).init().expect("a loss");
            gated::check(chosen, |student, teacher, labels, gate| {
                loss.forward_gated(student, teacher, labels, gate)
            })?;
        }
    }
}
