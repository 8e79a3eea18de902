//! Regression of logits.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::standardize::{check_standardize, standardized};
use crate::gate::sample_means;
use crate::info::Register;
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// Configuration of [`LogitsLoss`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct LogitsLossConfig {
    /// The multiplier of [standardized](crate::logits::standardize) logits, a positive number. Default
    /// none: the logits are taken as they are.
    #[serde(alias = "standardise")]
    pub standardize: Option<f64>,
}

impl Config for LogitsLossConfig {}

impl LogitsLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
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
    /// [`LossError::Parameter`] if the multiplier is not a positive finite number.
    pub fn init(&self) -> Result<LogitsLoss, LossError> {
        check_standardize("logits", self.standardize)?;
        Ok(LogitsLoss {
            standardize: self.standardize,
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
pub struct LogitsLoss {
    /// The multiplier of standardized logits, if they are.
    #[module(skip)]
    pub standardize: Option<f64>,
}

impl LogitsLoss {
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
        let (student_shape, teacher_shape) = (student.dims(), teacher.dims());
        assert_eq!(
            student_shape, teacher_shape,
            "logits: the student's are {student_shape:?}, the teacher's {teacher_shape:?}"
        );
        let student = standardized(student, self.standardize);
        let teacher = standardized(gate.teacher(teacher), self.standardize);
        gate.mean(sample_means((student - teacher).square()))
    }
}

impl Register for LogitsLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "logits",
        title: "Regression of the teacher's logits",
        paper: "Ba & Caruana 2014, Do Deep Nets Really Need to be Deep?, \
                https://arxiv.org/abs/1312.6184",
        weights: LossWeights::method(0.1),
        parameters: &[ParameterInfo {
            name: "standardize",
            description: "multiplier of standardized logits; null: as they are",
        }],
        ..MethodInfo::BASE
    };
}

impl LossConfig for LogitsLossConfig {
    type Loss = LogitsLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Logits).with_teacher_gradient()
    }

    fn build(&self, setup: &Setup, _device: &Device) -> Result<LogitsLoss, LossError> {
        setup.classes("logits", 1)?;
        self.init()
    }
}

impl DistillationLoss for LogitsLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let student = step.student.logits.clone();
        step.scaled(
            0,
            self.forward_gated(student, step.teacher.logits.clone(), &step.gate(0)),
        )
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
        let loss = LogitsLossConfig::new().init().expect("a loss");
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
        let loss = LogitsLossConfig::new().init().expect("a loss");
        loss.forward(
            Tensor::zeros([2, 3], &device),
            Tensor::zeros([1, 3], &device),
        );
    }

    #[test]
    fn a_multiplier_out_of_range_is_an_error() {
        let error = LogitsLossConfig::new()
            .with_standardize(Some(0.0))
            .init()
            .expect_err("out of range");
        assert_eq!(
            error.to_string(),
            "logits: `standardize` is 0, expected a positive finite number"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_gate_gathers(chosen in prop::array::uniform6(any::<bool>()), standardize: bool) {
            let loss = LogitsLossConfig::new()
                .with_standardize(standardize.then_some(2.0))
                .init()
                .expect("a loss");
            gated::check(chosen, |student, teacher, _, gate| {
                loss.forward_gated(student, teacher, gate)
            })?;
        }
    }
}
