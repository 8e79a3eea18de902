//! Regression of logits.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::standardise::{check_standardise, standardised};
use crate::gate::sample_means;
use crate::method::{Register, Term};
use crate::{Gate, LossError, LossWeights, MethodInfo, ParameterInfo, Reads, Setup, Step};

/// Configuration of [`LogitsRegressionLoss`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogitsRegressionConfig {
    /// The multiplier of [standardised](crate::standardise) logits, a positive number. Default
    /// none: the logits are taken as they are.
    pub standardise: Option<f64>,
}

impl Config for LogitsRegressionConfig {}

impl LogitsRegressionConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the multiplier of standardised logits.
    pub fn with_standardise(mut self, standardise: Option<f64>) -> Self {
        self.standardise = standardise;
        self
    }

    /// Initialises the loss.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if the multiplier is not a positive finite number.
    pub fn init(&self) -> Result<LogitsRegressionLoss, LossError> {
        check_standardise("logits", self.standardise)?;
        Ok(LogitsRegressionLoss {
            standardise: self.standardise,
        })
    }
}

/// Regression of the teacher's logits (Ba & Caruana 2014, <https://arxiv.org/abs/1312.6184>).
///
/// ```text
/// L = mean over samples and classes of ( s − t )²
/// ```
///
/// for logits `s` of the student and `t` of the teacher: the limit of distillation with a high
/// temperature, but that here the level of all logits counts too. The mean is over classes too, as
/// in Knowledge-Distillation-Zoo; the paper sums over classes and halves.
#[derive(Module, Debug)]
pub struct LogitsRegressionLoss {
    /// The multiplier of standardised logits, if they are.
    #[module(skip)]
    pub standardise: Option<f64>,
}

impl LogitsRegressionLoss {
    /// The loss; the teacher's logits are a constant.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, classes]`
    /// - teacher: `[batch, classes]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn forward(&self, student: Tensor<2>, teacher: Tensor<2>) -> Tensor<1> {
        self.forward_gated(student, teacher, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(&self, student: Tensor<2>, teacher: Tensor<2>, gate: &Gate) -> Tensor<1> {
        let (own, others) = (student.dims(), teacher.dims());
        assert_eq!(
            own, others,
            "logits: the student's are {own:?}, the teacher's {others:?}"
        );
        let student = standardised(student, self.standardise);
        let teacher = standardised(teacher.inner(), self.standardise);
        gate.mean(sample_means((student - teacher).square()))
    }
}

impl Register for LogitsRegressionConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "logits",
        title: "Regression of the teacher's logits",
        paper: "Ba & Caruana 2014, Do Deep Nets Really Need to be Deep?, \
                https://arxiv.org/abs/1312.6184",
        acts_on: "logits",
        reads: Reads::Logits,
        weights: LossWeights::method(0.1),
        parameters: &[ParameterInfo {
            name: "standardise",
            default: "null",
            description: "multiplier of standardised logits; null: as they are",
        }],
        ..MethodInfo::BASE
    };
    type Loss = LogitsRegressionLoss;

    fn build(&self, setup: &Setup, _device: &Device) -> Result<LogitsRegressionLoss, LossError> {
        setup.classes("logits", 1)?;
        self.init()
    }
}

impl Term for LogitsRegressionLoss {
    fn term(&self, step: &Step<'_>) -> Option<Tensor<1>> {
        let student = step.student.logits.clone();
        Some(step.scaled(
            0,
            self.forward_gated(student, step.teacher.logits.clone(), &step.gate(0)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logits::gated;
    use proptest::prelude::*;

    #[test]
    fn it_is_the_mean_squared_difference() {
        let device = Device::default();
        let loss = LogitsRegressionConfig::new().init().expect("a loss");
        let student = Tensor::<2>::from_floats([[1.0, 2.0], [0.0, 0.0]], &device);
        let teacher = Tensor::<2>::from_floats([[3.0, 2.0], [0.0, 2.0]], &device);
        let value = loss.forward(student.clone(), teacher).into_scalar::<f32>();
        assert_eq!(value, 2.0);
        assert_eq!(
            loss.forward(student.clone(), student).into_scalar::<f32>(),
            0.0
        );
    }

    #[test]
    #[should_panic(expected = "logits: the student's are [2, 3], the teacher's [1, 3]")]
    fn a_smaller_teacher_batch_is_not_broadcast() {
        let device = Device::default();
        let loss = LogitsRegressionConfig::new().init().expect("a loss");
        loss.forward(
            Tensor::zeros([2, 3], &device),
            Tensor::zeros([1, 3], &device),
        );
    }

    #[test]
    fn a_multiplier_out_of_range_is_an_error() {
        let error = LogitsRegressionConfig::new()
            .with_standardise(Some(0.0))
            .init()
            .expect_err("out of range");
        assert_eq!(
            error.to_string(),
            "logits: `standardise` is 0, expected a positive finite number"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_gate_gathers(chosen in prop::array::uniform6(any::<bool>()), standardise: bool) {
            let loss = LogitsRegressionConfig::new()
                .with_standardise(standardise.then_some(2.0))
                .init()
                .expect("a loss");
            gated::check(chosen, |student, teacher, _, gate| {
                loss.forward_gated(student, teacher, gate)
            })?;
        }
    }
}
