//! Attention transfer.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::module::adaptive_avg_pool2d;
use serde::{Deserialize, Serialize};

use crate::{
    DefaultWeights, FeatureShapes, Features, LossError, MethodInfo, ParameterInfo,
};

/// How the references write attention transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AttentionConvention {
    /// RepDistiller and spot-adaptive distillation: `mean_c f^p`, norm at least 1e-12.
    #[default]
    RepDistiller,
    /// Knowledge-Distillation-Zoo: `Σ_c |f|^p`, 1e-6 added to the norm.
    Zoo,
}

/// The method `at`: [`AttentionLoss`] at every stage but the stem.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttentionConfig {
    /// The power `p`, at least 1. Default: 2.
    pub p: u32,
    /// Which reference's form. Default: RepDistiller's.
    pub convention: AttentionConvention,
}

impl Default for AttentionConfig {
    fn default() -> Self {
        Self {
            p: 2,
            convention: AttentionConvention::default(),
        }
    }
}

/// Attention transfer (Zagoruyko & Komodakis 2016, <https://arxiv.org/abs/1612.03928>): the maps
/// of both networks are condensed to where they look, and those are compared.
///
/// With `Q(f) = vec(mean_c f^p)`, per sample:
///
/// `mean over N·H·W of (Q(s) / ‖Q(s)‖ − Q(t) / ‖Q(t)‖)²`
///
/// The sum over stages is the loss. Where maps differ in height, the larger is brought to the
/// smaller one's size by adaptive average pooling. Channels may differ.
///
/// The paper sums `|f|^p` over channels and takes the norm of the difference; the references take
/// the mean of squares, and differ in details that change the value: see
/// [`AttentionConvention`].
#[derive(Module, Debug)]
pub struct AttentionLoss {
    #[module(skip)]
    config: AttentionConfig,
}

impl AttentionConfig {
    pub(crate) const INFO: MethodInfo = MethodInfo {
        name: "at",
        aliases: &["attention"],
        title: "Paying more attention to attention: attention transfer",
        paper: "Zagoruyko & Komodakis 2016, https://arxiv.org/abs/1612.03928",
        acts_on: "all stages",
        weights: DefaultWeights {
            ce: 1.0,
            kd: 0.0,
            method: 1000.0,
        },
        parameters: &[
            ParameterInfo {
                name: "p",
                default: "2",
                description: "power of the activations",
            },
            ParameterInfo {
                name: "convention",
                default: "repdistiller",
                description: "which reference's form: repdistiller or zoo",
            },
        ],
    };

    /// The loss.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if `p` is 0.
    pub fn init(&self) -> Result<AttentionLoss, LossError> {
        if self.p == 0 {
            return Err(LossError::Parameter {
                method: "at",
                parameter: "p",
                value: self.p.to_string(),
                expected: "at least 1",
            });
        }
        Ok(AttentionLoss {
            config: self.clone(),
        })
    }

    pub(crate) fn check(
        &self,
        student: &FeatureShapes,
        teacher: &FeatureShapes,
    ) -> Result<(), LossError> {
        let stages = |shapes: &FeatureShapes| shapes.maps.len().saturating_sub(1);
        if stages(student) != stages(teacher) {
            return Err(LossError::StageCount {
                method: "at",
                student: stages(student),
                teacher: stages(teacher),
            });
        }
        Ok(())
    }
}

impl AttentionLoss {
    /// The loss of one pair of maps.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, channels, height, width]`
    /// - teacher: the same batch; channels, height and width may differ
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the batches differ.
    pub fn forward(&self, student: Tensor<4>, teacher: Tensor<4>) -> Tensor<1> {
        let ([n_s, _, h_s, w_s], [n_t, _, h_t, w_t]) = (student.dims(), teacher.dims());
        assert_eq!(
            n_s, n_t,
            "at: student map {:?} and teacher map {:?} differ in batch",
            student.dims(),
            teacher.dims()
        );
        let (student, teacher) = if h_s > h_t {
            (adaptive_avg_pool2d(student, [h_t, w_t]), teacher)
        } else if h_s < h_t {
            (student, adaptive_avg_pool2d(teacher, [h_s, w_s]))
        } else {
            (student, teacher)
        };
        let difference = self.attention(student) - self.attention(teacher);
        (difference.clone() * difference).mean()
    }

    /// The sum over pairs of maps.
    ///
    /// # Panics
    ///
    /// If there are none, or if the lists differ in length.
    pub fn forward_stages(&self, student: &[Tensor<4>], teacher: &[Tensor<4>]) -> Tensor<1> {
        assert_eq!(
            student.len(),
            teacher.len(),
            "at: the student has {} maps, the teacher {}",
            student.len(),
            teacher.len()
        );
        student
            .iter()
            .zip(teacher)
            .map(|(student, teacher)| self.forward(student.clone(), teacher.clone()))
            .reduce(|sum, loss| sum + loss)
            .expect("at: there is at least one pair of maps")
    }

    /// The normalised attention, `[batch, height · width]`.
    fn attention(&self, map: Tensor<4>) -> Tensor<2> {
        let power = match self.config.p {
            // A product is exact on every backend, also for negative values.
            2 => map.clone() * map,
            p => match self.config.convention {
                AttentionConvention::RepDistiller => map.powi_scalar(p as i32),
                AttentionConvention::Zoo => map.abs().powi_scalar(p as i32),
            },
        };
        let attention: Tensor<2> = match self.config.convention {
            AttentionConvention::RepDistiller => power.mean_dim(1),
            AttentionConvention::Zoo => power.sum_dim(1),
        }
        .flatten(1, 3);
        let squares = (attention.clone() * attention.clone()).sum_dim(1);
        // Clamped before the root, whose slope at 0 is infinite.
        let norm = match self.config.convention {
            AttentionConvention::RepDistiller => squares.clamp_min(1e-24).sqrt(),
            AttentionConvention::Zoo => squares.clamp_min(1e-30).sqrt() + 1e-6,
        };
        attention / norm
    }

    pub(crate) fn forward_features(&self, student: &Features, teacher: &Features) -> Tensor<1> {
        self.forward_stages(&student.maps[1..], &teacher.maps[1..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};
    use proptest::prelude::*;

    fn map(values: &[f32]) -> Tensor<4> {
        Tensor::from_data(
            TensorData::new(values.to_vec(), [2, 3, 2, 2]),
            &Device::default(),
        )
    }

    fn loss(convention: AttentionConvention, student: &[f32], teacher: &[f32]) -> f32 {
        AttentionConfig { p: 2, convention }
            .init()
            .expect("a valid power")
            .forward(map(student), map(teacher))
            .into_scalar()
    }

    #[test]
    fn a_power_of_zero_is_an_error() {
        let config = AttentionConfig {
            p: 0,
            ..Default::default()
        };
        assert_eq!(
            config.init().map(|_| ()).expect_err("no power").to_string(),
            "at: p is 0, expected at least 1"
        );
    }

    #[test]
    fn networks_of_different_depth_are_an_error() {
        let shapes = |stages| FeatureShapes {
            maps: vec![[8, 4, 4]; stages + 1],
            pooled: 8,
            classes: 10,
        };
        let error = AttentionConfig::default()
            .check(&shapes(3), &shapes(4))
            .expect_err("different stages");
        assert_eq!(
            error.to_string(),
            "at: the student has 3 stages, the teacher 4: they must be equal"
        );
    }

    proptest! {
        #[test]
        fn it_does_not_depend_on_the_scale_of_either_map(
            student in prop::collection::vec(0.1f32..2.0, 24),
            teacher in prop::collection::vec(0.1f32..2.0, 24),
            scale in 0.1f32..10.0,
        ) {
            let convention = AttentionConvention::RepDistiller;
            let scaled: Vec<f32> = student.iter().map(|value| value * scale).collect();
            let difference = loss(convention, &student, &teacher) - loss(convention, &scaled, &teacher);
            prop_assert!(difference.abs() < 1e-5);
            prop_assert!(loss(convention, &student, &scaled).abs() < 1e-9);
        }

        #[test]
        fn it_is_finite_for_maps_with_zeros(
            student in prop::collection::vec(prop_oneof![Just(0f32), -2f32..2.0], 24),
        ) {
            for convention in [AttentionConvention::RepDistiller, AttentionConvention::Zoo] {
                prop_assert!(loss(convention, &student, &[0.0; 24]).is_finite());
            }
        }
    }
}
