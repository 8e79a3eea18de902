//! FitNet hints.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::adapters::{Regressor, RegressorConfig};
use crate::gate::sample_means;
use crate::info::Register;
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, Pair, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// Configuration of [`HintLoss`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct HintLossConfig {
    /// The stage whose maps are compared; the stem is 0. Default 2.
    pub stage: usize,
    /// Whether the student's map goes through a [`Regressor`]. Default true; without it, both
    /// maps must have the same shape.
    pub regressor: bool,
    /// Whether the regressor ends in a ReLU. Default true, because the teacher's map does.
    pub use_relu: bool,
    /// Whether the regressor's batch norm takes its statistics from all samples under any gate, which
    /// is what spot-adaptive-pytorch does. Default false: from the chosen ones.
    pub whole_batch: bool,
}

impl Config for HintLossConfig {}

impl Default for HintLossConfig {
    fn default() -> Self {
        Self {
            stage: 2,
            regressor: true,
            use_relu: true,
            whole_batch: false,
        }
    }
}

impl HintLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the stage whose maps are compared.
    pub fn with_stage(mut self, stage: usize) -> Self {
        self.stage = stage;
        self
    }

    /// Sets whether the student's map goes through a regressor.
    pub fn with_regressor(mut self, regressor: bool) -> Self {
        self.regressor = regressor;
        self
    }

    /// Sets whether the regressor ends in a ReLU.
    pub fn with_use_relu(mut self, use_relu: bool) -> Self {
        self.use_relu = use_relu;
        self
    }

    /// Sets whether the regressor's batch norm takes its statistics from all samples under any gate.
    pub fn with_whole_batch(mut self, whole_batch: bool) -> Self {
        self.whole_batch = whole_batch;
        self
    }

    /// Initializes the loss between a student's and a teacher's map of shape
    /// `[channels, height, width]`.
    ///
    /// # Errors
    ///
    /// If no regressor leads from one shape to the other, or if they differ and there is to be
    /// no regressor.
    pub fn init(&self, shapes: Pair<[usize; 3]>, device: &Device) -> Result<HintLoss, LossError> {
        let Pair { student, teacher } = shapes;
        let regressor = if self.regressor {
            let config = RegressorConfig::new(student, teacher).with_use_relu(self.use_relu);
            Some(config.init(device)?)
        } else if student == teacher {
            None
        } else {
            return Err(LossError::Shapes {
                stage: self.stage,
                student,
                teacher,
                advice: "add a regressor",
            });
        };
        Ok(HintLoss {
            regressor,
            stage: self.stage,
            whole_batch: self.whole_batch,
        })
    }
}

/// FitNet hints (Romero et al. 2014, <https://arxiv.org/abs/1412.6550>): a map of the student is
/// to predict a map of the teacher value by value.
///
/// ```text
/// L = mean over all elements of (r(s) − t)²
/// ```
///
/// for maps `s` of the student and `t` of the teacher and a regressor `r` that is trained with
/// the student.
///
/// The paper trains the lower half of the student by this loss alone, in a phase of its own, and
/// takes half the sum of squares. This is the form of RepDistiller and spot-adaptive
/// distillation: the mean of squares, trained together with the other parts of the loss.
/// Their [`Regressor`] has a batch norm, the paper's has none; Knowledge-Distillation-Zoo has no
/// regressor at all ([`HintLossConfig::regressor`]).
#[derive(Module, Debug)]
pub struct HintLoss {
    /// The regressor, if the student's map goes through one.
    pub regressor: Option<Regressor>,
    /// The stage that the registry takes the maps from.
    pub stage: usize,
    /// Whether the regressor's batch norm takes its statistics from all samples under any gate.
    pub whole_batch: bool,
}

impl HintLoss {
    /// The loss; the teacher's map is a constant.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, channels, height, width]` as given to [`HintLossConfig::init`]
    /// - teacher: `[batch, channels, height, width]` as given to [`HintLossConfig::init`]
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the maps have other shapes.
    pub fn forward(&self, student: Tensor<4>, teacher: Tensor<4>) -> Tensor<1> {
        self.forward_gated(student, teacher, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`]. The regressor's batch norm takes its
    /// statistics from them alone, unless it is to take them from the whole batch.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(&self, student: Tensor<4>, teacher: Tensor<4>, gate: &Gate) -> Tensor<1> {
        let student = match &self.regressor {
            Some(regressor) if self.whole_batch => regressor.forward(student),
            Some(regressor) => regressor.forward_gated(student, gate),
            None => student,
        };
        let (student_shape, teacher_shape) = (student.dims(), teacher.dims());
        assert_eq!(
            student_shape, teacher_shape,
            "hint: the student's map arrives as {student_shape:?}, the teacher's is {teacher_shape:?}"
        );
        gate.mean(sample_means((student - gate.teacher(teacher)).square()))
    }
}

impl Register for HintLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "hint",
        aliases: &["fitnet"],
        title: "FitNet hints: one map of the teacher predicted through a regressor",
        paper: "Romero et al. 2014, FitNets: Hints for Thin Deep Nets, \
                https://arxiv.org/abs/1412.6550",
        weights: LossWeights {
            ce: 1.0,
            kd: 0.0,
            method: 100.0,
        },
        parameters: &[
            ParameterInfo {
                name: "stage",
                description: "stage whose maps are compared; the stem is 0",
            },
            ParameterInfo {
                name: "regressor",
                description: "whether the student's map goes through a trained convolution",
            },
            ParameterInfo {
                name: "use_relu",
                description: "whether the regressor ends in a ReLU",
            },
            ParameterInfo {
                name: "whole_batch",
                description: "whether the regressor's batch norm takes its statistics from all \
                              samples under any gate, as in spot-adaptive-pytorch",
            },
        ],
    };
}

impl LossConfig for HintLossConfig {
    type Loss = HintLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Stage(Some(self.stage))).with_teacher_gradient()
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<HintLoss, LossError> {
        self.init(setup.maps("hint", self.stage)?, device)
    }
}

impl DistillationLoss for HintLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let student = step.student.maps[self.stage].clone();
        let teacher = step.teacher.maps[self.stage].clone();
        step.scaled(0, self.forward_gated(student, teacher, &step.gate(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    fn map(shape: [usize; 4], device: &Device) -> Tensor<4> {
        crate::testing::random(shape, Distribution::Default, device)
    }

    #[test]
    fn without_a_regressor_it_is_the_mean_squared_difference() {
        let device = Device::default();
        let hint = HintLossConfig::new()
            .with_regressor(false)
            .init(Pair::both([2, 1, 1]), &device)
            .expect("equal shapes");
        let student = Tensor::from_floats([[[[1.0]], [[2.0]]]], &device);
        let teacher = Tensor::from_floats([[[[2.0]], [[5.0]]]], &device);
        let value =
            |a: &Tensor<4>, b: &Tensor<4>| hint.forward(a.clone(), b.clone()).into_scalar::<f32>();
        assert_eq!(value(&student, &teacher), 5.0);
        assert_eq!(value(&student, &student), 0.0);
    }

    #[test]
    fn different_shapes_without_a_regressor_are_an_error() {
        let device = Device::default();
        let error = HintLossConfig::new()
            .with_stage(3)
            .with_regressor(false)
            .init(
                Pair {
                    student: [64, 8, 8],
                    teacher: [256, 8, 8],
                },
                &device,
            )
            .expect_err("different shapes");
        assert_eq!(
            error.to_string(),
            "student stage 3 is [N, 64, 8, 8], teacher's is [N, 256, 8, 8]: add a regressor"
        );
    }

    #[test]
    fn a_batch_of_one_gives_finite_values_and_gradients() {
        let device = Device::default();
        let training = device.clone().autodiff();
        let hint = HintLossConfig::new()
            .init(
                Pair {
                    student: [2, 2, 2],
                    teacher: [3, 2, 2],
                },
                &training,
            )
            .expect("a hint");
        let student = map([1, 2, 2, 2], &training).require_grad();
        let loss = hint.forward(student.clone(), map([1, 3, 2, 2], &device));
        let grads = loss.backward();
        let gradient = student.grad(&grads).expect("a gradient");
        assert!(loss.into_scalar::<f32>().is_finite());
        assert!(gradient.sum().into_scalar::<f32>().is_finite());
    }

    #[test]
    #[should_panic(expected = "arrives as [2, 3, 2, 2], the teacher's is [1, 3, 2, 2]")]
    fn a_smaller_teacher_batch_is_not_broadcast() {
        let device = Device::default();
        let hint = HintLossConfig::new()
            .init(
                Pair {
                    student: [2, 2, 2],
                    teacher: [3, 2, 2],
                },
                &device,
            )
            .expect("a hint");
        hint.forward(map([2, 2, 2, 2], &device), map([1, 3, 2, 2], &device));
    }
}
