//! FitNets' hint.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::{
    DefaultWeights, FeatureShapes, Features, LossError, MethodInfo, ParameterInfo, Regressor,
    RegressorConfig,
};

/// The distance between a regressed student map and the teacher's (Romero et al. 2014,
/// <https://arxiv.org/abs/1412.6550>): the mean of the squared differences.
///
/// The paper has half the sum of squares; all reference repositories use the mean over all
/// elements, and so does this.
#[derive(Clone, Copy, Debug, Default)]
pub struct HintLoss;

impl HintLoss {
    /// The loss of two maps of the same shape.
    ///
    /// # Shapes
    ///
    /// - both: `[batch, channels, height, width]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn forward(&self, student: Tensor<4>, teacher: Tensor<4>) -> Tensor<1> {
        assert_eq!(
            student.dims(),
            teacher.dims(),
            "hint: student map (left) and teacher map (right) differ: use a regressor"
        );
        let difference = student - teacher;
        (difference.clone() * difference).mean()
    }
}

/// The method `hint`: [`HintLoss`] at one stage, through a [`Regressor`] that is trained together
/// with the student.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HintConfig {
    /// The stage whose maps are matched; 0 is the stem. Default: 2.
    pub stage: usize,
    /// Whether the regressor ends in a ReLU. Default: true.
    pub use_relu: bool,
}

impl Default for HintConfig {
    fn default() -> Self {
        Self {
            stage: 2,
            use_relu: true,
        }
    }
}

impl HintConfig {
    pub(crate) const INFO: MethodInfo = MethodInfo {
        name: "hint",
        aliases: &["fitnet"],
        title: "FitNets: hints for thin deep nets",
        paper: "Romero et al. 2014, https://arxiv.org/abs/1412.6550",
        acts_on: "one feature map",
        weights: DefaultWeights {
            ce: 1.0,
            kd: 0.0,
            method: 100.0,
        },
        parameters: &[
            ParameterInfo {
                name: "stage",
                default: "2",
                description: "stage whose maps are matched; 0 is the stem",
            },
            ParameterInfo {
                name: "use_relu",
                default: "true",
                description: "whether the regressor ends in a ReLU",
            },
        ],
    };

    /// Builds the regressor for two networks.
    ///
    /// # Errors
    ///
    /// [`LossError::Stage`] if one of them has no such stage, [`LossError::EmptyMap`] if their
    /// maps cannot be joined.
    pub fn init(
        &self,
        student: &FeatureShapes,
        teacher: &FeatureShapes,
        device: &Device,
    ) -> Result<Hint, LossError> {
        let map = |network, shapes: &FeatureShapes| {
            shapes.maps.get(self.stage).copied().ok_or(LossError::Stage {
                method: "hint",
                network,
                stage: self.stage,
                last: shapes.maps.len().saturating_sub(1),
            })
        };
        let regressor = RegressorConfig::new(map("student", student)?, map("teacher", teacher)?)
            .with_use_relu(self.use_relu)
            .init(device)?;
        Ok(Hint {
            regressor,
            stage: self.stage,
        })
    }
}

/// The method `hint` for two networks.
#[derive(Module, Debug)]
pub struct Hint {
    /// The learnable regressor.
    pub regressor: Regressor,
    stage: usize,
}

impl Hint {
    /// The loss of two networks' features, `[1]`.
    pub fn forward(&self, student: &Features, teacher: &Features) -> Tensor<1> {
        let regressed = self.regressor.forward(student.maps[self.stage].clone());
        HintLoss.forward(regressed, teacher.maps[self.stage].clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identical_maps_give_zero() {
        let map = Tensor::<4>::ones([2, 3, 4, 4], &Device::default());
        let loss: f32 = HintLoss.forward(map.clone(), map).into_scalar();
        assert_eq!(loss, 0.0);
    }

    #[test]
    fn a_stage_that_does_not_exist_is_an_error() {
        let shapes = FeatureShapes {
            maps: vec![[8, 4, 4]; 3],
            pooled: 8,
            classes: 10,
        };
        let config = HintConfig {
            stage: 3,
            ..Default::default()
        };
        let error = config
            .init(&shapes, &shapes, &Device::default())
            .expect_err("no such stage");
        assert_eq!(
            error.to_string(),
            "hint: stage 3 does not exist: the student has stages 0 to 2"
        );
    }
}
