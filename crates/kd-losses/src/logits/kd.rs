//! Temperature distillation of logits.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::standardise::{check_standardise, standardised};
use crate::gate::sample_sums;
use crate::method::{Register, Term};
use crate::range::positive;
use crate::{Gate, LossError, LossWeights, MethodInfo, Reads, Setup, Step};

/// Configuration of [`KdLoss`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KdLossConfig {
    /// Temperature `T` that softens both distributions. Default 4.
    pub temperature: f64,
    /// The multiplier of [standardised](crate::standardise) logits, a positive number. Default
    /// none: the logits are taken as they are.
    pub standardise: Option<f64>,
}

// Implemented rather than derived, here and for every method: the derived reader refuses a file
// that leaves out a field with a default, and accepts one with an unknown field.
impl Config for KdLossConfig {}

impl Default for KdLossConfig {
    fn default() -> Self {
        Self {
            temperature: 4.0,
            standardise: None,
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

    /// Sets the multiplier of standardised logits.
    pub fn with_standardise(mut self, standardise: Option<f64>) -> Self {
        self.standardise = standardise;
        self
    }

    /// Whether [`init`](Self::init) will work.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if the temperature or the multiplier is not a positive finite
    /// number.
    pub fn check(&self) -> Result<(), LossError> {
        positive("kd", "temperature", self.temperature)?;
        check_standardise("kd", self.standardise)
    }

    /// Initialises the loss.
    ///
    /// # Panics
    ///
    /// If [`check`](Self::check) gives an error.
    pub fn init(&self) -> KdLoss {
        if let Err(error) = self.check() {
            panic!("{error}");
        }
        KdLoss {
            temperature: self.temperature,
            standardise: self.standardise,
        }
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
/// With [`KdLossConfig::standardise`] both sides are [standardised](crate::standardise) first.
#[derive(Module, Debug)]
pub struct KdLoss {
    /// Temperature.
    pub temperature: f64,
    /// The multiplier of standardised logits, if they are.
    #[module(skip)]
    pub standardise: Option<f64>,
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
        let (own, others) = (student.dims(), teacher.dims());
        assert_eq!(
            own, others,
            "kd: student logits are {own:?}, teacher's are {others:?}"
        );
        let student = standardised(student, self.standardise);
        let teacher = standardised(teacher.inner(), self.standardise);
        let log_student = log_softmax(student / self.temperature, 1);
        let log_teacher = log_softmax(teacher / self.temperature, 1);
        let divergence = log_teacher.clone().exp() * (log_teacher - log_student);
        gate.mean(sample_sums(divergence)) * (self.temperature * self.temperature)
    }
}

/// The method `kd`: [`KdLoss`] between the logits and nothing else.
///
/// The divergence of logits is a part of *every* distillation loss here, with a weight and a
/// temperature of its own, because feature methods are used together with it. `kd` is the method
/// that adds no term to it, so it has no parameters.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KdMethod {}

/// The term of a method that has none: see [`KdMethod`].
#[derive(Module, Debug)]
pub struct NoTerm;

impl Register for KdMethod {
    const INFO: MethodInfo = MethodInfo {
        name: "kd",
        aliases: &["st", "soft_target"],
        title: "Knowledge distillation with a temperature",
        paper: "Hinton, Vinyals & Dean 2015, Distilling the Knowledge in a Neural Network, \
                https://arxiv.org/abs/1503.02531",
        acts_on: "logits",
        reads: Reads::Logits,
        weights: LossWeights {
            ce: 0.1,
            kd: 0.9,
            method: 0.0,
        },
        ..MethodInfo::BASE
    };
    type Loss = NoTerm;

    fn build(&self, setup: &Setup, _device: &Device) -> Result<NoTerm, LossError> {
        setup.classes("kd", 1)?;
        Ok(NoTerm)
    }
}

impl Term for NoTerm {
    fn term(&self, _step: &Step<'_>) -> Option<Tensor<1>> {
        None
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
    fn a_high_temperature_matches_centred_logits() {
        // The limit given in the paper: half the mean squared difference of centred logits,
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
        let loss = KdLossConfig::new().init().forward(student.clone(), teacher);
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
    #[should_panic(expected = "kd: `temperature` is 0, expected a positive finite number")]
    fn a_temperature_of_zero_is_refused() {
        KdLossConfig::new().with_temperature(0.0).init();
    }

    #[test]
    #[should_panic(expected = "kd: `standardise` is -1, expected a positive finite number")]
    fn a_negative_multiplier_is_refused() {
        KdLossConfig::new().with_standardise(Some(-1.0)).init();
    }

    #[test]
    fn standardised_logits_are_compared_up_to_their_scale() {
        let device = Device::default();
        let kd = KdLossConfig::new().with_standardise(Some(2.0)).init();
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
