//! Temperature distillation of logits.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::standardize::{check_standardize, standardized};
use crate::info::Register;
use crate::range::positive;
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// Configuration of [`KdLoss`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct KdLossConfig {
    /// Temperature `T` that softens both distributions. Default 4.
    pub temperature: f64,
    /// The multiplier of [standardized](crate::logits::standardize) logits, a positive number. Default
    /// none: the logits are taken as they are.
    #[serde(alias = "standardise")]
    pub standardize: Option<f64>,
}

// Implemented rather than derived, here and for every method: the derived reader refuses a file
// that leaves out a field with a default, and accepts one with an unknown field.
impl Config for KdLossConfig {}

impl Default for KdLossConfig {
    fn default() -> Self {
        Self {
            temperature: 4.0,
            standardize: None,
        }
    }
}

impl KdLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the temperature.
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
    /// [`LossError::Parameter`] if the temperature or the multiplier is not a positive finite
    /// number.
    pub fn init(&self) -> Result<KdLoss, LossError> {
        positive("kd", "temperature", self.temperature)?;
        check_standardize("kd", self.standardize)?;
        Ok(KdLoss {
            temperature: self.temperature,
            standardize: self.standardize,
        })
    }
}

/// Temperature distillation (Hinton, Vinyals & Dean 2015, <https://arxiv.org/abs/1503.02531>).
///
/// ```text
/// L = T² / N · Σ_n KL( softmax(t_n / T) ‖ softmax(s_n / T) )
/// ```
///
/// for logits `s` of the student and `t` of the teacher. The factor `T²` keeps the size of the
/// gradient independent of the temperature. The sum runs over classes and samples and is
/// divided by the batch only (PyTorch's `batchmean`), as in RepDistiller; an implementation that
/// averages over classes too gives a value smaller by the number of classes.
///
/// Both sides are computed as log-probabilities, so that probabilities which underflow to 0 add 0
/// and the loss is finite for logits of any finite size. Identical logits give exactly 0.
///
/// With [`KdLossConfig::standardize`] both sides are [standardized](crate::logits::standardize) first.
#[derive(Module, Debug)]
pub struct KdLoss {
    /// Temperature.
    pub temperature: f64,
    /// The multiplier of standardized logits, if they are.
    #[module(skip)]
    pub standardize: Option<f64>,
}

impl KdLoss {
    /// The loss; the teacher's logits are a constant, whatever graph they come from.
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
            "kd: student logits are {student_shape:?}, teacher's are {teacher_shape:?}"
        );
        let student = standardized(student, self.standardize);
        let teacher = standardized(gate.teacher(teacher), self.standardize);
        let divergence = kd_nn::divergence(student, teacher, self.temperature);
        gate.mean(divergence) * (self.temperature * self.temperature)
    }
}

impl Register for KdLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "kd",
        aliases: &["st", "soft_target"],
        title: "Knowledge distillation with a temperature",
        paper: "Hinton, Vinyals & Dean 2015, Distilling the Knowledge in a Neural Network, \
                https://arxiv.org/abs/1503.02531",
        weights: LossWeights {
            ce: 0.1,
            kd: 0.9,
            method: 0.0,
        },
        parameters: &[
            ParameterInfo {
                name: "temperature",
                description: "temperature of both distributions",
            },
            ParameterInfo {
                name: "standardize",
                description: "multiplier of standardized logits; null: as they are",
            },
        ],
    };
}

impl LossConfig for KdLossConfig {
    type Loss = KdLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Logits).with_teacher_gradient()
    }

    fn build(&self, setup: &Setup, _device: &Device) -> Result<KdLoss, LossError> {
        setup.classes("kd", 1)?;
        self.init()
    }
}

impl DistillationLoss for KdLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let (student, teacher) = (step.student.logits.clone(), step.teacher.logits.clone());
        step.scaled(0, self.forward_gated(student, teacher, &step.gate(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value(temperature: f64, student: Vec<f32>, teacher: Vec<f32>) -> f32 {
        let device = Device::default();
        let row = |logits: Vec<f32>| Tensor::<1>::from_floats(&*logits, &device).unsqueeze();
        KdLossConfig::new()
            .with_temperature(temperature)
            .init()
            .expect("a loss")
            .forward(row(student), row(teacher))
            .into_scalar()
    }

    #[test]
    fn temperature_one_is_the_plain_divergence() {
        // Probabilities (1/2, 1/2) against (3/4, 1/4).
        let loss = value(1.0, vec![3f32.ln(), 0.0], vec![0.0, 0.0]);
        let expected = 0.5 * (0.5f32 / 0.75).ln() + 0.5 * (0.5f32 / 0.25).ln();
        assert!((loss - expected).abs() < 1e-6, "{loss} is not {expected}");
    }

    #[test]
    fn a_high_temperature_matches_centered_logits() {
        // The limit given in the paper: half the mean squared difference of centered logits,
        // here (1, -1, 0) and (0, 3, -3).
        let loss = value(50.0, vec![2.0, 0.0, 1.0], vec![0.0, 3.0, -3.0]);
        let expected = (1.0 + 16.0 + 9.0) / 3.0 / 2.0;
        assert!((loss - expected).abs() < 0.03 * expected, "{loss}");
    }

    #[test]
    fn a_low_temperature_asks_for_the_teachers_class_only() {
        // At T → 0 the teacher is one-hot and T · L tends to the student's margin.
        let temperature = 1e-3;
        let loss = value(temperature, vec![0.0, 2.0], vec![1.0, 0.0]);
        let margin = f64::from(loss) / temperature;
        assert!((margin - 2.0).abs() < 1e-3, "{margin}");
    }

    #[test]
    fn huge_logits_give_finite_values_and_gradients() {
        let device = Device::default();
        let student =
            Tensor::<2>::from_floats([[3e4, -3e4, 0.0]], &device.clone().autodiff()).require_grad();
        let teacher = Tensor::<2>::from_floats([[-3e4, 0.0, 3e4]], &device);
        let loss = KdLossConfig::new()
            .init()
            .expect("a loss")
            .forward(student.clone(), teacher);
        let grads = loss.backward();
        let gradient: Vec<f32> = student
            .grad(&grads)
            .expect("a gradient")
            .into_data()
            .try_to_vec()
            .expect("f32");
        assert_eq!(loss.into_scalar::<f32>(), 4.0 * 3e4);
        assert_eq!(gradient, [4.0, 0.0, -4.0]);
    }

    #[test]
    fn the_teacher_is_a_constant_even_on_an_autodiff_device() {
        let device = Device::default().autodiff();
        let student = Tensor::<2>::from_floats([[1.0, 2.0]], &device).require_grad();
        let teacher = Tensor::<2>::from_floats([[2.0, 1.0]], &device).require_grad();
        let loss = KdLossConfig::new()
            .init()
            .expect("a loss")
            .forward(student.clone(), teacher.clone());
        let grads = loss.backward();
        assert!(student.grad(&grads).is_some());
        assert!(teacher.grad(&grads).is_none());
    }

    #[test]
    #[should_panic(expected = "student logits are [1, 2], teacher's are [1, 3]")]
    fn different_numbers_of_classes_are_refused() {
        value(4.0, vec![0.0; 2], vec![0.0; 3]);
    }

    #[test]
    fn numbers_that_are_not_positive_are_refused() {
        let message = |config: KdLossConfig| config.init().expect_err("a mistake").to_string();
        assert_eq!(
            message(KdLossConfig::new().with_temperature(0.0)),
            "kd: `temperature` is 0, expected a positive finite number"
        );
        assert_eq!(
            message(KdLossConfig::new().with_standardize(Some(-1.0))),
            "kd: `standardize` is -1, expected a positive finite number"
        );
    }

    #[test]
    fn standardized_logits_are_compared_up_to_their_scale() {
        let device = Device::default();
        let kd = KdLossConfig::new()
            .with_standardize(Some(2.0))
            .init()
            .expect("a loss");
        let student = Tensor::<2>::from_floats([[1.0, 2.0, 4.0]], &device);
        let loss: f32 = kd
            .forward(student.clone(), student * 3.0 + 1.0)
            .into_scalar();
        assert!(loss.abs() < 1e-6, "{loss}");
    }

    #[test]
    fn a_config_may_leave_out_its_fields_but_not_invent_any() {
        let read = |text| serde_json::from_str::<KdLossConfig>(text);
        assert_eq!(read("{}").ok(), Some(KdLossConfig::new()));
        let error = read(r#"{"temp": 2}"#)
            .expect_err("unknown field")
            .to_string();
        assert!(error.contains("unknown field `temp`"), "{error}");
    }

    proptest! {
        #[test]
        fn it_is_never_negative_and_zero_for_the_same_logits(
            student in prop::collection::vec(-20f32..20.0, 5),
            teacher in prop::collection::vec(-20f32..20.0, 5),
            temperature in 0.5f64..20.0,
        ) {
            prop_assert_eq!(value(temperature, teacher.clone(), teacher.clone()), 0.0);
            let loss = value(temperature, student, teacher);
            let rounding = 1e-6 * temperature * temperature;
            prop_assert!(f64::from(loss) >= -rounding, "{}", loss);
        }

        #[test]
        fn a_shift_of_all_logits_changes_nothing(
            student in prop::collection::vec(-4f32..4.0, 4),
            teacher in prop::collection::vec(-4f32..4.0, 4),
            shift in -8f32..8.0,
        ) {
            let shifted = student.iter().map(|logit| logit + shift).collect();
            let before = value(4.0, student, teacher.clone());
            let after = value(4.0, shifted, teacher);
            prop_assert!((before - after).abs() < 1e-4, "{} {}", before, after);
        }
    }
}
