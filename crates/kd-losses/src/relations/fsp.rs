//! Flow of solution procedure.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::gate::{gate_at, sample_means};
use crate::info::Register;
use crate::pool::{pool_to, smaller};
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, Pair, Pretrain,
    Requirements, Setup, Site, Step,
};

/// Configuration of [`FspLoss`]: it has no parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FspLossConfig {}

impl Config for FspLossConfig {}

impl FspLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Initializes the loss.
    ///
    /// # Errors
    ///
    /// None so far: it is the form of every loss.
    pub fn init(&self) -> Result<FspLoss, LossError> {
        Ok(FspLoss {})
    }
}

/// Flow of solution procedure (Yim et al. 2017,
/// <https://openaccess.thecvf.com/content_cvpr_2017/html/Yim_A_Gift_From_CVPR_2017_paper.html>): how
/// one stage leads to the next.
///
/// ```text
/// G_ij = 1/(H·W) · Σ_positions a_i · b_j       for channels i, j of adjacent maps a and b
/// L    = Σ over adjacent maps of the mean of ( G(s) − G(t) )² over samples and channel pairs
/// ```
///
/// The larger of two adjacent maps is average-pooled to the smaller size; Knowledge-Distillation-Zoo
/// pools the first map only, which is the same where maps shrink. The channels of student and
/// teacher must agree map by map: there is no adapter.
///
/// The paper, and RepDistiller, pretrain the student by this loss and drop it afterwards: the
/// default weight in the main phase is 0.
#[derive(Module, Debug)]
pub struct FspLoss {}

impl FspLoss {
    /// The loss of two adjacent maps of each network; the teacher's are constants.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, channels, height, width]` twice, in order; sizes may differ
    /// - teacher: the same number of channels
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the batches or channels differ.
    pub fn forward(&self, student: [Tensor<4>; 2], teacher: [Tensor<4>; 2]) -> Tensor<1> {
        self.forward_gated(student, teacher, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(
        &self,
        student: [Tensor<4>; 2],
        teacher: [Tensor<4>; 2],
        gate: &Gate,
    ) -> Tensor<1> {
        let shapes = |maps: &[Tensor<4>; 2]| [maps[0].dims(), maps[1].dims()];
        let (student_shapes, teacher_shapes) = (shapes(&student), shapes(&teacher));
        let fit = |at: usize| student_shapes[at][..2] == teacher_shapes[at][..2];
        assert!(
            fit(0) && fit(1),
            "fsp: the student's maps are {student_shapes:?}, the teacher's are {teacher_shapes:?}"
        );
        let teacher = flow(teacher.map(Tensor::inner));
        gate.mean(sample_means((flow(student) - teacher).square()))
    }

    /// The sum of the losses of all adjacent maps.
    ///
    /// # Panics
    ///
    /// If there are fewer than two maps, or their numbers, batches or channels differ.
    pub fn forward_stages(&self, student: &[Tensor<4>], teacher: &[Tensor<4>]) -> Tensor<1> {
        self.forward_stages_gated(student, teacher, &[])
    }

    /// The sum of the losses of the chosen samples, each pair of adjacent maps a spot: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`forward_stages`](Self::forward_stages), or if a gate is for another batch.
    pub fn forward_stages_gated(
        &self,
        student: &[Tensor<4>],
        teacher: &[Tensor<4>],
        gates: &[Gate],
    ) -> Tensor<1> {
        let (student_maps, teacher_maps) = (student.len(), teacher.len());
        assert!(
            student_maps == teacher_maps && student_maps > 1,
            "fsp: the student has {student_maps} maps, the teacher {teacher_maps}, but at least two are needed"
        );
        let pair = |maps: &[Tensor<4>]| [maps[0].clone(), maps[1].clone()];
        let pairs = student.windows(2).zip(teacher.windows(2)).enumerate();
        let losses = pairs.map(|(at, (student, teacher))| {
            let gate = gate_at(gates, at);
            gate.scaled(self.forward_gated(pair(student), pair(teacher), &gate))
        });
        Tensor::cat(losses.collect(), 0).sum()
    }
}

/// The matrix `[batch, channels of the first, channels of the second]`.
fn flow([first, second]: [Tensor<4>; 2]) -> Tensor<3> {
    let size = smaller(&first, &second);
    let rows = |map| -> Tensor<3> { pool_to(map, size).flatten(2, 3) };
    let positions = (size[0] * size[1]) as f64;
    rows(first).matmul(rows(second).swap_dims(1, 2)) / positions
}

impl Register for FspLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "fsp",
        aliases: &["flow"],
        title: "Flow of solution procedure: how one stage leads to the next",
        paper: "Yim et al. 2017, A Gift from Knowledge Distillation, \
                https://openaccess.thecvf.com/content_cvpr_2017/html/\
                Yim_A_Gift_From_CVPR_2017_paper.html",
        weights: LossWeights::method(0.0),
        ..MethodInfo::BASE
    };
}

impl LossConfig for FspLossConfig {
    type Loss = FspLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::EachStage)
    }

    fn pretrain(&self) -> Pretrain {
        Pretrain::Student
    }

    fn build(&self, setup: &Setup, _device: &Device) -> Result<FspLoss, LossError> {
        for stage in 0..=setup.stages("fsp")? {
            let Pair { student, teacher } = setup.maps("fsp", stage)?;
            if student[0] != teacher[0] {
                return Err(LossError::Shapes {
                    stage,
                    student,
                    teacher,
                    advice: "fsp compares channel with channel: use networks with equal channels",
                });
            }
        }
        self.init()
    }
}

impl DistillationLoss for FspLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let spots = step.student.maps.len().saturating_sub(1);
        self.forward_stages_gated(
            &step.student.maps,
            &step.teacher.maps,
            &step.gates_of(spots),
        )
    }

    fn pretrain(&self, step: &Step<'_>) -> Option<Tensor<1>> {
        Some(self.term(step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constant(channels: [f32; 2]) -> Tensor<4> {
        let device = Device::default();
        Tensor::<2>::from_floats([channels], &device)
            .reshape([1, 2, 1, 1])
            .expand([1, 2, 2, 2])
    }

    #[test]
    fn a_worked_example() {
        let loss = FspLossConfig::new().init().expect("a loss");
        // Flows (1, 0; 0, 0) and (1, 1; 1, 1): three of four entries differ by 1.
        let student = [constant([1.0, 0.0]), constant([1.0, 0.0])];
        let teacher = [constant([1.0, 1.0]), constant([1.0, 1.0])];
        let value = loss.forward(student.clone(), teacher);
        assert_eq!(value.into_scalar::<f32>(), 0.75);
        let value = loss.forward(student.clone(), student);
        assert_eq!(value.into_scalar::<f32>(), 0.0);
    }

    #[test]
    fn networks_of_other_channels_are_a_typed_error() {
        let shapes = |channels| crate::FeatureShapes {
            maps: vec![[4, 8, 8], [channels, 4, 4]],
            pooled: channels,
            classes: 3,
        };
        let error = FspLossConfig::new()
            .build(&Setup::new(shapes(4), shapes(6)), &Device::default())
            .expect_err("a mistake");
        assert_eq!(
            error.to_string(),
            "student stage 1 is [N, 4, 4, 4], teacher's is [N, 6, 4, 4]: \
             fsp compares channel with channel: use networks with equal channels"
        );
    }

    #[test]
    #[should_panic(expected = "fsp: the student has 1 maps, the teacher 2")]
    fn lists_of_different_lengths_are_refused() {
        let map = constant([1.0, 2.0]);
        FspLossConfig::new()
            .init()
            .expect("a loss")
            .forward_stages(std::slice::from_ref(&map), &[map.clone(), map.clone()]);
    }

    #[test]
    #[should_panic(expected = "fsp: the student's maps are [[1, 2, 2, 2], [1, 2, 2, 2]]")]
    fn other_channels_are_refused() {
        let map = constant([1.0, 2.0]);
        let wide = Tensor::cat(vec![map.clone(), map.clone()], 1);
        FspLossConfig::new()
            .init()
            .expect("a loss")
            .forward([map.clone(), map.clone()], [map, wide]);
    }
}
