//! Distillation of softened logits.

use burn::config::Config;
use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;
use serde::{Deserialize, Serialize};

use crate::{DefaultWeights, LossError, MethodInfo};

/// Configuration of [`KdLoss`].
#[derive(Config, Debug)]
pub struct KdLossConfig {
    /// Temperature `T`, above 0. Default: 4.
    #[config(default = 4.0)]
    pub temperature: f64,
}

impl KdLossConfig {
    /// The loss.
    pub fn init(&self) -> KdLoss {
        KdLoss {
            temperature: self.temperature,
        }
    }
}

/// Distillation of softened logits (Hinton, Vinyals & Dean 2015,
/// <https://arxiv.org/abs/1503.02531>):
///
/// `T² / N · Σᵢ KL(softmax(tᵢ / T) ‖ softmax(sᵢ / T))`
///
/// The factor `T²` keeps the size of the gradient when the temperature changes. All four
/// reference repositories agree on this form (the sum over classes and batch, divided by the
/// batch). It is computed from log-probabilities, so that logits of any finite size give a finite
/// loss.
#[derive(Clone, Copy, Debug)]
pub struct KdLoss {
    temperature: f64,
}

impl KdLoss {
    /// The loss of student and teacher logits.
    ///
    /// # Shapes
    ///
    /// - both: `[batch, classes]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn forward(&self, student: Tensor<2>, teacher: Tensor<2>) -> Tensor<1> {
        let [batch, _] = student.dims();
        assert_eq!(
            student.dims(),
            teacher.dims(),
            "kd: student logits (left) and teacher logits (right) differ in shape"
        );
        let student = log_softmax(student / self.temperature, 1);
        let teacher = log_softmax(teacher / self.temperature, 1);
        let divergence = teacher.clone().exp() * (teacher - student);
        divergence.sum() * (self.temperature.powi(2) / batch.max(1) as f64)
    }
}

/// The method `kd` of the registry: distillation of logits and nothing else. Its term is the `kd`
/// part of the loss, which every method can be combined with; its temperature belongs to that
/// part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KdConfig {}

impl KdConfig {
    pub(crate) const INFO: MethodInfo = MethodInfo {
        name: "kd",
        aliases: &["st", "soft-target"],
        title: "Distilling the knowledge in a neural network",
        paper: "Hinton, Vinyals & Dean 2015, https://arxiv.org/abs/1503.02531",
        acts_on: "logits",
        weights: DefaultWeights {
            ce: 0.1,
            kd: 0.9,
            method: 0.0,
        },
        parameters: &[],
    };

    pub(crate) fn check(&self, student: usize, teacher: usize) -> Result<(), LossError> {
        if student != teacher {
            return Err(LossError::Classes {
                method: "kd",
                student,
                teacher,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;
    use proptest::prelude::*;

    fn loss(temperature: f64, student: &[f32], teacher: &[f32], classes: usize) -> f32 {
        let device = Device::default();
        let rows = student.len() / classes;
        let tensor = |values: &[f32]| {
            Tensor::<1>::from_floats(values, &device).reshape([rows, classes])
        };
        KdLossConfig::new()
            .with_temperature(temperature)
            .init()
            .forward(tensor(student), tensor(teacher))
            .into_scalar()
    }

    #[test]
    fn a_hand_computed_value() {
        // Teacher (1/2, 1/2), student (3/4, 1/4): KL = ln 2 − ½ ln 3 + ½ · ln(4/4)… = ½ ln(4/3).
        let value = loss(1.0, &[3f32.ln(), 0.0], &[0.0, 0.0], 2);
        assert!((value - 0.5 * (4f32 / 3.0).ln()).abs() < 1e-6);
    }

    #[test]
    fn different_numbers_of_classes_are_an_error() {
        assert!(KdConfig {}.check(10, 100).is_err());
    }

    proptest! {
        #[test]
        fn it_is_zero_for_equal_logits_and_never_negative_nor_nan(
            student in prop::collection::vec(-300f32..300.0, 12),
            teacher in prop::collection::vec(-300f32..300.0, 12),
            temperature in 1.0..8.0,
        ) {
            prop_assert_eq!(loss(temperature, &teacher, &teacher, 4), 0.0);
            let value = loss(temperature, &student, &teacher, 4);
            prop_assert!(value.is_finite() && value >= -1e-4);
        }

        #[test]
        fn a_constant_added_to_a_row_changes_nothing(
            student in prop::collection::vec(-3f32..3.0, 4),
            teacher in prop::collection::vec(-3f32..3.0, 4),
            shift in -5f32..5.0,
        ) {
            let shifted: Vec<f32> = student.iter().map(|logit| logit + shift).collect();
            let difference = loss(4.0, &student, &teacher, 4) - loss(4.0, &shifted, &teacher, 4);
            prop_assert!(difference.abs() < 1e-5);
        }
    }
}
