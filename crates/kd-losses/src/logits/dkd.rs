//! Decoupled distillation.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use super::standardize::{check_standardize, standardized};
use crate::gate::sample_sums;
use crate::info::Register;
use crate::range::{positive, weight};
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// Stands for −∞ in place of the target's logit: no other finite logit comes near, and unlike −∞
/// its difference to itself is 0.
const NEVER: f64 = -1e30;

/// Which parts are in the loss: the public implementations differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DkdConvention {
    /// The paper's and mdistiller's: `alpha · TCKD + beta · NCKD`.
    #[default]
    Mdistiller,
    /// KDrefine's: the NCKD term alone. Its code computes the other term, `alpha` and `beta`
    /// too, but does not return them.
    KdRefine,
}

/// Configuration of [`DkdLoss`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct DkdLossConfig {
    /// Weight of the target class's part, from 0. Default 1.
    pub alpha: f64,
    /// Weight of the other classes' part, from 0. Default 8.
    pub beta: f64,
    /// Temperature of both parts, a positive number. Default 4.
    pub temperature: f64,
    /// Epochs in which the weight of the loss grows to 1 ([`DkdLoss::warm_up`]); 0: none. Default
    /// 20.
    pub warm_up: usize,
    /// Which parts are in the loss. Default [`DkdConvention::Mdistiller`].
    pub convention: DkdConvention,
    /// The multiplier of [standardized](crate::logits::standardize) logits, a positive number. Default
    /// none: the logits are taken as they are.
    #[serde(alias = "standardise")]
    pub standardize: Option<f64>,
}

impl Config for DkdLossConfig {}

impl Default for DkdLossConfig {
    fn default() -> Self {
        Self {
            alpha: 1.0,
            beta: 8.0,
            temperature: 4.0,
            warm_up: 20,
            convention: DkdConvention::default(),
            standardize: None,
        }
    }
}

impl DkdLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the weight of the target class's part.
    pub fn with_alpha(mut self, alpha: f64) -> Self {
        self.alpha = alpha;
        self
    }

    /// Sets the weight of the other classes' part.
    pub fn with_beta(mut self, beta: f64) -> Self {
        self.beta = beta;
        self
    }

    /// Sets the temperature.
    pub fn with_temperature(mut self, temperature: f64) -> Self {
        self.temperature = temperature;
        self
    }

    /// Sets the number of epochs in which the weight of the loss grows to 1.
    pub fn with_warm_up(mut self, warm_up: usize) -> Self {
        self.warm_up = warm_up;
        self
    }

    /// Sets which parts are in the loss.
    pub fn with_convention(mut self, convention: DkdConvention) -> Self {
        self.convention = convention;
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
    pub fn init(&self) -> Result<DkdLoss, LossError> {
        weight("dkd", "alpha", self.alpha)?;
        weight("dkd", "beta", self.beta)?;
        positive("dkd", "temperature", self.temperature)?;
        check_standardize("dkd", self.standardize)?;
        let (alpha, beta) = match self.convention {
            DkdConvention::Mdistiller => (self.alpha, self.beta),
            DkdConvention::KdRefine => (0.0, 1.0),
        };
        Ok(DkdLoss {
            alpha,
            beta,
            temperature: self.temperature,
            warm_up: self.warm_up,
            standardize: self.standardize,
        })
    }
}

/// Decoupled distillation (Zhao et al. 2022, <https://arxiv.org/abs/2203.08679>): how sure the
/// teacher is of the label, and what it thinks of the other classes, apart.
///
/// ```text
/// p = softmax(x / T),  b = (p_label, 1 − p_label),  q = p without the label, sum 1
/// L = T² / N · Σ_n  alpha · KL( b(t_n) ‖ b(s_n) ) + beta · KL( q(t_n) ‖ q(s_n) )
/// ```
///
/// for logits `s` of the student and `t` of the teacher; the parts are called TCKD and NCKD. In
/// plain distillation the second is weighted by `1 − p_label` of the teacher, which all but
/// removes it where the teacher is sure. With two classes it is 0.
///
/// Over the first epochs the whole loss is multiplied by [`warm_up`](Self::warm_up): `forward`
/// does not know the epoch and leaves that to the caller, the registry does it. For what public
/// implementations leave out, see [`DkdConvention`].
///
/// Numerics: `b` is a softmax of two logits, the label's and the log-sum-exp of the others, and
/// `q` leaves out the label's logit itself. The references take the logarithm of summed
/// probabilities, which is infinite once they underflow, and subtract 1000 from the label's
/// logit, which a larger logit survives.
#[derive(Module, Debug)]
pub struct DkdLoss {
    /// Weight of the target class's part.
    pub alpha: f64,
    /// Weight of the other classes' part.
    pub beta: f64,
    /// Temperature.
    pub temperature: f64,
    /// Epochs of warm-up.
    pub warm_up: usize,
    /// The multiplier of standardized logits, if they are.
    #[module(skip)]
    pub standardize: Option<f64>,
}

impl DkdLoss {
    /// The loss without warm-up; the teacher's logits are a constant.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, classes]`, at least 2 classes
    /// - teacher: `[batch, classes]`
    /// - labels: `[batch]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the shapes differ or there are fewer than 2 classes.
    pub fn forward(
        &self,
        student: Tensor<2>,
        teacher: Tensor<2>,
        labels: Tensor<1, Int>,
    ) -> Tensor<1> {
        self.forward_gated(student, teacher, labels, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`].
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
        assert!(
            student_shape == teacher_shape && student_shape[1] >= 2,
            "dkd: the student's logits are {student_shape:?}, the teacher's {teacher_shape:?}; there must be two \
             classes at least"
        );
        let classes = student_shape[1];
        let places = Tensor::<1, Int>::arange(0..classes as i64, &labels.device());
        let target = labels
            .clone()
            .unsqueeze_dim::<2>(1)
            .equal(places.unsqueeze_dim(0));
        let parts = |logits: Tensor<2>| {
            let logits = standardized(logits, self.standardize) / self.temperature;
            decouple(logits, labels.clone(), &target)
        };
        let ([student_target, student_rest], [teacher_target, teacher_rest]) =
            (parts(student), parts(gate.teacher(teacher)));

        let divergence = |log_teacher: Tensor<2>, log_student: Tensor<2>| {
            log_teacher.clone().exp() * (log_teacher - log_student)
        };
        let target_part = sample_sums(divergence(teacher_target, student_target));
        // The teacher's probability of the label is exactly 0 there; so is the difference then.
        let rest = divergence(teacher_rest, student_rest).mask_fill(target, 0.0);
        let total = target_part * self.alpha + sample_sums(rest) * self.beta;
        gate.mean(total) * (self.temperature * self.temperature)
    }

    /// The factor of the loss in an epoch, which counts from 1: `min(epoch / warm_up, 1)`.
    pub fn warm_up(&self, epoch: usize) -> f64 {
        if epoch >= self.warm_up {
            1.0
        } else {
            epoch as f64 / self.warm_up as f64
        }
    }
}

/// Log-probabilities of (the label, any other class) `[batch, 2]`, and of the other classes among
/// themselves `[batch, classes]`, where the label's entry means nothing.
fn decouple(logits: Tensor<2>, labels: Tensor<1, Int>, target: &Tensor<2, Bool>) -> [Tensor<2>; 2] {
    let label = logits.clone().gather(1, labels.unsqueeze_dim(1));
    let others = logits.mask_fill(target.clone(), NEVER);
    // Any constant will do in a log-sum-exp, so the largest needs no gradient.
    let largest = others.clone().inner().max_dim(1);
    let rest = (others.clone() - largest.clone()).exp().sum_dim(1).log() + largest;
    let binary = log_softmax(Tensor::cat(vec![label, rest], 1), 1);
    [binary, log_softmax(others, 1)]
}

impl Register for DkdLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "dkd",
        title: "Decoupled distillation: the label's class and the others apart",
        paper: "Zhao et al. 2022, Decoupled Knowledge Distillation, \
                https://arxiv.org/abs/2203.08679",
        weights: LossWeights::method(1.0),
        parameters: &[
            ParameterInfo {
                name: "alpha",
                description: "weight of the label's part",
            },
            ParameterInfo {
                name: "beta",
                description: "weight of the other classes' part",
            },
            ParameterInfo {
                name: "temperature",
                description: "temperature of both parts",
            },
            ParameterInfo {
                name: "warm_up",
                description: "epochs in which the loss grows to its full weight; 0: none",
            },
            ParameterInfo {
                name: "convention",
                description: "`mdistiller` (both parts) or `kdrefine` (the other classes only, \
                              unweighted)",
            },
            ParameterInfo {
                name: "standardize",
                description: "multiplier of standardized logits; null: as they are",
            },
        ],
        ..MethodInfo::BASE
    };
}

impl LossConfig for DkdLossConfig {
    type Loss = DkdLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Logits)
            .with_labels()
            .with_teacher_gradient()
    }

    fn build(&self, setup: &Setup, _device: &Device) -> Result<DkdLoss, LossError> {
        setup.classes("dkd", 2)?;
        self.init()
    }
}

impl DistillationLoss for DkdLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let labels = step.expect_labels("dkd");
        let student = step.student.logits.clone();
        let teacher = step.teacher.logits.clone();
        let loss = self.forward_gated(student, teacher, labels, &step.gate(0));
        step.scaled(0, step.warmed_up(loss, self.warm_up))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logits::KdLossConfig;
    use crate::logits::gated;
    use proptest::prelude::*;

    fn loss(alpha: f64, beta: f64) -> DkdLoss {
        DkdLossConfig::new()
            .with_alpha(alpha)
            .with_beta(beta)
            .with_temperature(1.0)
            .init()
            .expect("a loss")
    }

    fn tensors<const C: usize>(
        student: [f32; C],
        teacher: [f32; C],
        label: i32,
    ) -> (Tensor<2>, Tensor<2>, Tensor<1, Int>) {
        let device = Device::default();
        let row = |logits| Tensor::<1>::from_floats(logits, &device).unsqueeze();
        (
            row(student),
            row(teacher),
            Tensor::from_ints([label], &device),
        )
    }

    fn value<const C: usize>(
        loss: &DkdLoss,
        student: [f32; C],
        teacher: [f32; C],
        label: i32,
    ) -> f32 {
        let (student, teacher, labels) = tensors(student, teacher, label);
        loss.forward(student, teacher, labels).into_scalar()
    }

    #[test]
    fn a_worked_example() {
        // Probabilities (1/2, 1/4, 1/4) and (1/4, 1/2, 1/4), label 0.
        let (student, teacher) = ([2f32.ln(), 0.0, 0.0], [0.0, 2f32.ln(), 0.0]);
        let target = 0.25 * (0.25f32 / 0.5).ln() + 0.75 * (0.75f32 / 0.5).ln();
        let rest = 2.0 / 3.0 * (2.0f32 / 3.0 / 0.5).ln() + 1.0 / 3.0 * (1.0f32 / 3.0 / 0.5).ln();
        assert!((value(&loss(1.0, 0.0), student, teacher, 0) - target).abs() < 1e-6);
        assert!((value(&loss(0.0, 1.0), student, teacher, 0) - rest).abs() < 1e-6);
        let both = 3.0 * target + 2.0 * rest;
        assert!((value(&loss(3.0, 2.0), student, teacher, 0) - both).abs() < 1e-5);
    }

    #[test]
    fn with_two_classes_there_are_no_others() {
        let (student, teacher) = ([1.0, -2.0], [0.5, 3.0]);
        assert_eq!(value(&loss(0.0, 1.0), student, teacher, 1), 0.0);
        let (own, others, _) = tensors(student, teacher, 1);
        let kd = KdLossConfig::new()
            .with_temperature(1.0)
            .init()
            .expect("a loss");
        let kd: f32 = kd.forward(own, others).into_scalar();
        assert!((value(&loss(1.0, 8.0), student, teacher, 1) - kd).abs() < 1e-6);
    }

    #[test]
    fn huge_logits_give_finite_values_and_gradients() {
        for (student, teacher) in [
            ([3e4, -3e4, 0.0], [-3e4, 0.0, 3e4]),
            ([-3e4, 0.0, 3e4], [3e4, -3e4, 0.0]),
        ] {
            let (student, teacher, labels) = tensors(student, teacher, 0);
            let student = student.autodiff().require_grad();
            let value = loss(1.0, 8.0).forward(student.clone(), teacher, labels);
            let grads = value.backward();
            let gradient = student.grad(&grads).expect("a gradient").into_data();
            let gradient: Vec<f32> = gradient.try_to_vec().expect("f32");
            assert!(gradient.iter().all(|value| value.is_finite()));
            let value: f32 = value.into_scalar();
            assert!(value.is_finite() && value > 1e4, "{value}");
        }
    }

    #[test]
    fn the_warm_up_is_linear() {
        let loss = DkdLossConfig::new()
            .with_warm_up(20)
            .init()
            .expect("a loss");
        assert_eq!(
            [1, 5, 20, 240].map(|epoch| loss.warm_up(epoch)),
            [0.05, 0.25, 1.0, 1.0]
        );
        let none = DkdLossConfig::new().with_warm_up(0).init().expect("a loss");
        assert_eq!(none.warm_up(1), 1.0);
    }

    #[test]
    #[should_panic(expected = "dkd: the student's logits are [1, 1], the teacher's [1, 1]")]
    fn one_class_is_refused() {
        value(&loss(1.0, 8.0), [1.0], [1.0], 0);
    }

    #[test]
    fn parameters_out_of_range_are_errors() {
        let message = |config: DkdLossConfig| config.init().expect_err("a mistake").to_string();
        assert_eq!(
            message(DkdLossConfig::new().with_beta(-2.0)),
            "dkd: `beta` is -2, expected a finite number, at least 0"
        );
        assert_eq!(
            message(DkdLossConfig::new().with_temperature(-4.0)),
            "dkd: `temperature` is -4, expected a positive finite number"
        );
        assert!(
            DkdLossConfig::new()
                .with_alpha(f64::INFINITY)
                .init()
                .is_err()
        );
        assert!(
            DkdLossConfig::new()
                .with_standardize(Some(-1.0))
                .init()
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn plain_distillation_is_its_parts_weighted_by_the_teachers_doubt(
            student in prop::array::uniform4(-4f32..4.0),
            teacher in prop::array::uniform4(-4f32..4.0),
            label in 0i32..4,
        ) {
            let (own, others, _) = tensors(student, teacher, label);
            let probabilities: Vec<f32> = log_softmax(others.clone(), 1)
                .exp()
                .into_data()
                .try_to_vec()
                .expect("f32");
            let doubt = 1.0 - probabilities[label as usize];
            let kd = KdLossConfig::new().with_temperature(1.0).init().expect("a loss");
            let kd: f32 = kd.forward(own, others).into_scalar();
            let sum = value(&loss(1.0, f64::from(doubt)), student, teacher, label);
            prop_assert!((kd - sum).abs() < 1e-4, "{} {}", kd, sum);
        }

        #[test]
        fn the_same_logits_give_zero(logits in prop::array::uniform4(-9f32..9.0), label in 0i32..4) {
            prop_assert_eq!(value(&loss(1.0, 8.0), logits, logits, label), 0.0);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_gate_gathers(chosen in prop::array::uniform6(any::<bool>()), standardize: bool) {
            let loss = DkdLossConfig::new()
                .with_standardize(standardize.then_some(2.0))
                .init()
                .expect("a loss");
            gated::check(chosen, |student, teacher, labels, gate| {
                loss.forward_gated(student, teacher, labels, gate)
            })?;
        }
    }
}
