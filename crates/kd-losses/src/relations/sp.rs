//! Similarity-preserving distillation.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::adapters::normalize;
use crate::info::Register;
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// Configuration of [`SpLoss`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SpLossConfig {
    /// The stage whose maps are compared; the stem is 0. Default: each network's last.
    pub stage: Option<usize>,
}

impl Config for SpLossConfig {}

impl SpLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the stage whose maps are compared.
    pub fn with_stage(mut self, stage: Option<usize>) -> Self {
        self.stage = stage;
        self
    }

    /// Initializes the loss.
    ///
    /// # Errors
    ///
    /// None so far: it is the form of every loss.
    pub fn init(&self) -> Result<SpLoss, LossError> {
        Ok(SpLoss { stage: self.stage })
    }
}

/// Similarity-preserving distillation (Tung & Mori 2019, <https://arxiv.org/abs/1907.09682>): which
/// samples of a batch are similar to which.
///
/// ```text
/// G(f) = F Fᵀ, each row divided by its norm,     F = the maps, one flattened map a row
/// L    = 1/N² · ‖ G(s) − G(t) ‖²_F
/// ```
///
/// Maps may differ in channels and size; they are not pooled. The loss needs a batch of some size:
/// for one sample it is 0. All public implementations agree. A row of zeros stays one, and its
/// gradient is not amplified.
#[derive(Module, Debug)]
pub struct SpLoss {
    /// The stage that the registry takes the maps from; the last if absent.
    pub stage: Option<usize>,
}

impl SpLoss {
    /// The loss; the teacher's maps are constants. Vectors `[batch, length]` may be given as maps
    /// of one position.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, channels, height, width]`
    /// - teacher: `[batch, other channels, other height, other width]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the batches differ in size.
    pub fn forward(&self, student: Tensor<4>, teacher: Tensor<4>) -> Tensor<1> {
        self.forward_gated(student, teacher, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(&self, student: Tensor<4>, teacher: Tensor<4>, gate: &Gate) -> Tensor<1> {
        let (student_shape, teacher_shape) = (student.dims(), teacher.dims());
        assert_eq!(
            student_shape[0], teacher_shape[0],
            "sp: the student's map is {student_shape:?}, the teacher's is {teacher_shape:?}"
        );
        let similarity = |maps: Tensor<4>| {
            // Rows that are not chosen become zeros, and with them their similarities.
            let rows: Tensor<2> = gate.keep(maps).flatten(1, 3);
            normalize(rows.clone().matmul(rows.transpose()))
        };
        gate.pair_mean((similarity(student) - similarity(gate.teacher(teacher))).square())
    }
}

impl Register for SpLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "sp",
        aliases: &["similarity"],
        title: "Similarity-preserving: which samples are similar",
        paper: "Tung & Mori 2019, Similarity-Preserving Knowledge Distillation, \
                https://arxiv.org/abs/1907.09682",
        weights: LossWeights::method(3000.0),
        parameters: &[ParameterInfo {
            name: "stage",
            description: "stage whose maps are compared; the stem is 0, null is the last",
        }],
    };
}

impl LossConfig for SpLossConfig {
    type Loss = SpLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Stage(self.stage)).with_teacher_gradient()
    }

    fn build(&self, setup: &Setup, _device: &Device) -> Result<SpLoss, LossError> {
        setup.maps_at("sp", self.stage)?;
        self.init()
    }
}

impl DistillationLoss for SpLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let (student, teacher) = step.maps_at(self.stage);
        step.scaled(0, self.forward_gated(student, teacher, &step.gate(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    fn maps(shape: [usize; 4]) -> Tensor<4> {
        crate::testing::random(shape, Distribution::Normal(0.0, 1.0), &Device::default())
    }

    fn value(student: Tensor<4>, teacher: Tensor<4>) -> f32 {
        SpLossConfig::new()
            .init()
            .expect("a loss")
            .forward(student, teacher)
            .into_scalar()
    }

    #[test]
    fn a_worked_example() {
        let device = Device::default();
        let rows =
            |rows: [[f32; 2]; 2]| Tensor::<2>::from_floats(rows, &device).reshape([2, 2, 1, 1]);
        // Orthogonal samples against equal ones: rows (1, 0), (0, 1) and (1, 1) / √2 twice.
        let found = value(
            rows([[1.0, 0.0], [0.0, 2.0]]),
            rows([[1.0, 1.0], [1.0, 1.0]]),
        );
        let half = 0.5f32.sqrt();
        let expected = 2.0 * ((1.0 - half).powi(2) + half.powi(2)) / 4.0;
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }

    #[test]
    fn scale_and_rotation_do_not_matter() {
        let (student, teacher) = (maps([4, 2, 3, 3]), maps([4, 5, 2, 2]));
        let before = value(student.clone(), teacher.clone());
        let scaled = value(student.clone() * 7.0, teacher.clone());
        let mirrored = value(student.clone().flip([1, 3]), teacher);
        assert!((scaled - before).abs() < 1e-6 && (mirrored - before).abs() < 1e-6);
        assert_eq!(value(student.clone(), student), 0.0);
    }

    #[test]
    fn one_sample_gives_zero() {
        assert!(value(maps([1, 2, 2, 2]), maps([1, 3, 2, 2])).abs() < 1e-12);
    }

    #[test]
    #[should_panic(
        expected = "sp: the student's map is [2, 2, 2, 2], the teacher's is [3, 2, 2, 2]"
    )]
    fn batches_are_not_broadcast() {
        value(maps([2, 2, 2, 2]), maps([3, 2, 2, 2]));
    }

    #[test]
    fn a_stage_that_is_not_there_is_a_typed_error() {
        let shapes = || crate::FeatureShapes {
            maps: vec![[1, 1, 1]; 3],
            pooled: 1,
            classes: 2,
        };
        let error = SpLossConfig::new()
            .with_stage(Some(3))
            .build(&Setup::new(shapes(), shapes()), &Device::default())
            .expect_err("a mistake")
            .to_string();
        assert_eq!(
            error,
            "sp acts at stage 3, but the student has maps of stages 0 to 2 only"
        );
    }
}
