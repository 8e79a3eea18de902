//! Learning without memorizing.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use super::directional::{input_gradient, loss_of_gradient};
use crate::adapters::normalize;
use crate::gate::sample_means;
use crate::info::Register;
use crate::pool::{pool_to, smaller};
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// How large the means of a sample's gradient may be, relative to those of its absolute values, for the
/// rounding of sums that are 0.
const ROUNDING: f64 = 1e-5;

/// What the channels' weights are multiplied with: the public implementation differs from the
/// paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LwmConvention {
    /// The paper's, which is Grad-CAM's: the map.
    #[default]
    Paper,
    /// Knowledge-Distillation-Zoo's: the gradient itself. If the layers above the map are linear,
    /// as pooling and a classifier are, it depends on their weights alone, and nothing below the
    /// map learns.
    Zoo,
}

/// Configuration of [`LwmLoss`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct LwmLossConfig {
    /// Stage whose maps are looked at; the stem is 0. Default none: the last of each network.
    pub stage: Option<usize>,
    /// What the channels' weights are multiplied with. Default [`LwmConvention::Paper`].
    pub convention: LwmConvention,
}

impl Config for LwmLossConfig {}

impl LwmLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the stage whose maps are looked at.
    pub fn with_stage(mut self, stage: Option<usize>) -> Self {
        self.stage = stage;
        self
    }

    /// Sets what the channels' weights are multiplied with.
    pub fn with_convention(mut self, convention: LwmConvention) -> Self {
        self.convention = convention;
        self
    }

    /// Initializes the loss.
    ///
    /// # Errors
    ///
    /// None so far: it is the form of every loss.
    pub fn init(&self) -> Result<LwmLoss, LossError> {
        Ok(LwmLoss {
            stage: self.stage,
            convention: self.convention,
        })
    }
}

/// Learning without memorizing (Dhar et al. 2019, <https://arxiv.org/abs/1811.08051>): the student
/// is to see the label in the same places as the teacher.
///
/// ```text
/// α_c = mean over positions of ∂ logit[label] / ∂ a_c
/// Q   = relu( Σ_c α_c a_c ),  a vector of length H · W
/// L   = mean over samples and positions of | Q(s) / ‖Q(s)‖ − Q(t) / ‖Q(t)‖ |
/// ```
///
/// for maps `a` of each network and the part of the network above them: Grad-CAM's maps (Selvaraju
/// et al. 2017, <https://arxiv.org/abs/1610.02391>). A map of zeros stays one, and has no gradient; so
/// has the map of a sample whose `α` are but rounding, as those below a batch norm that sees a single
/// sample: its gradient has the mean 0 over positions. The paper sums
/// over positions and takes the teacher's best class of a growing classifier; the mean and the
/// label are Knowledge-Distillation-Zoo's, for which see [`LwmConvention`] too. Maps `Q` of
/// different sizes meet at the smaller one, by average pooling before the ReLU.
///
/// The value is exact. The gradient through `α` is that of a finite difference (Burn
/// differentiates once, and this would take two): exact up to rounding for linear layers above
/// the map, else as in [`SobolevLoss`](crate::gradients::SobolevLoss). The part above the map runs forward
/// four times and backward once more; in training mode each forward pass also moves the running
/// statistics of its batch norms.
#[derive(Module, Debug)]
pub struct LwmLoss {
    /// Stage whose maps the registry looks at; `None`: the last.
    #[module(skip)]
    pub stage: Option<usize>,
    /// What the channels' weights are multiplied with.
    #[module(skip)]
    pub convention: LwmConvention,
}

impl LwmLoss {
    /// The loss of two networks, each given as a map and the function from the map to logits; the
    /// teacher's are constants. The student's map may belong to a graph, which then learns.
    ///
    /// # Shapes
    ///
    /// - maps: `[batch, channels, height, width]`, both sizes of each network's own
    /// - networks: to `[batch, classes]`
    /// - labels: `[batch]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the batches differ in size.
    pub fn forward(
        &self,
        student: (Tensor<4>, impl Fn(Tensor<4>) -> Tensor<2>),
        teacher: (Tensor<4>, impl Fn(Tensor<4>) -> Tensor<2>),
        labels: Tensor<1, Int>,
    ) -> Tensor<1> {
        self.forward_gated(student, teacher, labels, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`]. The networks see all of them, so a batch
    /// norm *within a network* in training mode takes its statistics from all.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(
        &self,
        (map, upper): (Tensor<4>, impl Fn(Tensor<4>) -> Tensor<2>),
        (teacher_map, teacher_upper): (Tensor<4>, impl Fn(Tensor<4>) -> Tensor<2>),
        labels: Tensor<1, Int>,
        gate: &Gate,
    ) -> Tensor<1> {
        let (student_shape, teacher_shape, known) = (map.dims(), teacher_map.dims(), labels.dims());
        assert!(
            student_shape[0] == teacher_shape[0] && student_shape[0] == known[0],
            "lwm: the student's map is {student_shape:?}, the teacher's {teacher_shape:?}, the labels are {known:?}"
        );
        let teacher_map = teacher_map.inner();
        let gradient = input_gradient(teacher_upper, teacher_map.clone(), labels.clone(), gate);
        let expected = self.activation(gradient, teacher_map);
        loss_of_gradient(upper, map, labels, gate, |gradient, map| {
            let found = self.activation(gradient, map);
            let size = smaller(&found, &expected);
            let found = unit(pool_to(found, size));
            let expected = unit(pool_to(expected.clone(), size));
            gate.mean(sample_means((found - expected).abs()))
        })
    }

    /// The class activation map `[batch, 1, height, width]` before its ReLU.
    fn activation(&self, gradient: Tensor<4>, map: Tensor<4>) -> Tensor<4> {
        let weights = channel_weights(&gradient);
        let weighted = match self.convention {
            LwmConvention::Paper => map,
            LwmConvention::Zoo => gradient,
        };
        (weights * weighted).sum_dim(1)
    }
}

/// The means over positions `[batch, channels, 1, 1]`; 0 for a sample all of whose means are rounding
/// beside the gradient itself.
fn channel_weights(gradient: &Tensor<4>) -> Tensor<4> {
    let mean = |gradient: Tensor<4>| gradient.mean_dim(2).mean_dim(3);
    let weights = mean(gradient.clone());
    let square = |means: Tensor<4>| means.square().sum_dim(1);
    let constant = match gradient.is_autodiff() {
        true => gradient.clone().inner(),
        false => gradient.clone(),
    };
    let floor = square(mean(constant.clone().abs())) * ROUNDING.powi(2);
    let rounding = square(mean(constant)).lower_equal(floor);
    let shape = weights.dims();
    weights.mask_fill(rounding.expand(shape), 0.0)
}

/// The rectified map of each sample as a vector of norm 1; a map of zeros stays one.
fn unit(activation: Tensor<4>) -> Tensor<2> {
    normalize(relu(activation).flatten(1, 3))
}

impl Register for LwmLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "lwm",
        title: "Learning without memorizing: where the label is seen, by Grad-CAM",
        paper: "Dhar et al. 2019, Learning without Memorizing, https://arxiv.org/abs/1811.08051",
        weights: LossWeights::method(0.5),
        parameters: &[
            ParameterInfo {
                name: "stage",
                description: "stage whose maps are used; null: the last",
            },
            ParameterInfo {
                name: "convention",
                description: "`paper` (weights times the map) or `zoo` (times the gradient)",
            },
        ],
        ..MethodInfo::BASE
    };
}

impl LossConfig for LwmLossConfig {
    type Loss = LwmLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Stage(self.stage))
            .with_labels()
            .with_networks()
    }

    fn build(&self, setup: &Setup, _device: &Device) -> Result<LwmLoss, LossError> {
        setup.classes("lwm", 1)?;
        setup.maps("lwm", self.stage.unwrap_or(0))?;
        self.init()
    }
}

impl DistillationLoss for LwmLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let [student, teacher] = step.expect_networks("lwm");
        let (student_maps, teacher_maps) = (&step.student.maps, &step.teacher.maps);
        let at = |maps: &[Tensor<4>]| self.stage.unwrap_or(maps.len() - 1);
        let (stage, teacher_stage) = (at(student_maps), at(teacher_maps));
        step.scaled(
            0,
            self.forward_gated(
                (student_maps[stage].clone(), |map| {
                    student.from_map(stage, map)
                }),
                (teacher_maps[teacher_stage].clone(), |map| {
                    teacher.from_map(teacher_stage, map)
                }),
                step.expect_labels("lwm"),
                &step.gate(0),
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradients::tests::{Small, gate_gathers};
    use burn::tensor::Distribution;
    use proptest::prelude::*;

    const BOTH: [LwmConvention; 2] = [LwmConvention::Paper, LwmConvention::Zoo];

    fn loss(convention: LwmConvention) -> LwmLoss {
        LwmLossConfig::new()
            .with_convention(convention)
            .init()
            .expect("a loss")
    }

    /// Sums of the channels as logits.
    fn sums(map: Tensor<4>) -> Tensor<2> {
        map.flatten::<3>(2, 3).sum_dim(2).squeeze_dim(2)
    }

    #[test]
    fn a_worked_example() {
        let device = Device::default();
        // The label's channel has the weight 1, the other 0.
        let student = Tensor::from_floats([[[[3.0, -4.0]], [[0.0, 9.0]]]], &device);
        let teacher = Tensor::from_floats([[[[3.0, 4.0]], [[7.0, 9.0]]]], &device);
        let labels = Tensor::from_ints([0], &device);
        let value = loss(LwmConvention::Paper).forward((student, sums), (teacher, sums), labels);
        // (3, 0) / 3 against (3, 4) / 5.
        let value: f32 = value.into_scalar();
        assert!((value - (0.4 + 0.8) / 2.0).abs() < 1e-6, "{value}");
    }

    #[test]
    fn the_map_learns_by_the_papers_convention_only() {
        for convention in BOTH {
            let device = Device::default().autodiff();
            let fill = Distribution::Default;
            let map = crate::testing::random::<4>([2, 2, 2, 2], fill, &device).require_grad();
            let teacher = crate::testing::random::<4>([2, 2, 2, 2], fill, &device.clone().inner());
            let labels = Tensor::from_ints([0, 1], &device.clone().inner());
            let value = loss(convention).forward((map.clone(), sums), (teacher, sums), labels);
            let gradient = map.grad(&value.backward()).expect("a gradient");
            let largest: f32 = gradient.abs().max().into_scalar();
            assert_eq!(largest > 1e-5, convention == LwmConvention::Paper);
        }
    }

    #[test]
    fn the_same_network_gives_zero_and_maps_of_zeros_are_finite() {
        for convention in BOTH {
            let device = Device::default();
            let fill = Distribution::Default;
            let map = crate::testing::random::<4>([2, 3, 4, 4], fill, &device);
            let labels = Tensor::<1, Int>::from_ints([0, 1], &device);
            let loss = loss(convention);
            let same = loss.forward((map.clone(), sums), (map.clone(), sums), labels.clone());
            assert_eq!(same.into_scalar::<f32>(), 0.0);

            let zeros = map.clone().zeros_like().autodiff().require_grad();
            let flat = |map: Tensor<4>| sums(map) * 0.0;
            let value = loss.forward((zeros.clone(), flat), (map, sums), labels);
            let gradient = zeros.grad(&value.backward()).expect("a gradient");
            assert!(gradient.abs().max().into_scalar::<f32>() == 0.0);
            assert!(value.into_scalar::<f32>().is_finite());
        }
    }

    /// Below a batch norm that sees one sample, the gradient has the mean 0 over positions.
    #[test]
    fn report_f14_a_map_that_is_0_but_for_rounding_is_0() {
        let device = Device::default();
        let fill = Distribution::Normal(0.0, 1.0);
        let map = crate::testing::random::<4>([1, 5, 2, 2], fill, &device);
        let labels = Tensor::<1, Int>::from_ints([1], &device);
        // A batch norm of a single sample, and logits that are no sums over positions.
        let bend = crate::testing::random::<4>([1, 5, 2, 2], fill, &device);
        for convention in BOTH {
            let student = map.clone().autodiff().require_grad();
            let loss = loss(convention);
            let upper = |map: Tensor<4>| {
                let bend = match map.is_autodiff() {
                    true => bend.clone().autodiff(),
                    false => bend.clone(),
                };
                let centered = map.clone() - map.mean_dim(2).mean_dim(3);
                let variance = centered.clone().square().mean_dim(2).mean_dim(3);
                sums(relu(centered / (variance + 1e-5).sqrt() + bend))
            };
            let value = loss.forward(
                (student.clone(), upper),
                (map.clone(), sums),
                labels.clone(),
            );
            let gradient = student.grad(&value.backward()).expect("a gradient");
            assert_eq!(gradient.abs().max().into_scalar::<f32>(), 0.0);
            let value: f32 = value.into_scalar();
            assert!(value > 0.0 && value < 1.0, "{value}");
        }
    }

    #[test]
    fn activations_of_two_sizes_meet_at_the_smaller_one() {
        let device = Device::default();
        let student = Tensor::<4>::from_floats([[[[1.0, 3.0, 4.0, 2.0]]]], &device);
        let teacher = Tensor::<4>::from_floats([[[[2.0, 3.0]]]], &device);
        let labels = Tensor::from_ints([0], &device);
        let value = loss(LwmConvention::Paper).forward((student, sums), (teacher, sums), labels);
        assert!(value.into_scalar::<f32>() < 1e-6);
    }

    #[test]
    #[should_panic(expected = "lwm: the student's map is [1, 1, 2, 2], the teacher's [2, 1, 2, 2]")]
    fn another_batch_is_refused() {
        let device = Device::default();
        let map = |batch| Tensor::zeros([batch, 1, 2, 2], &device);
        let labels = Tensor::from_ints([0], &device);
        loss(LwmConvention::Paper).forward((map(1), sums), (map(2), sums), labels);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn a_gate_gathers(chosen in prop::array::uniform6(any::<bool>()), paper: bool) {
            let loss = loss(if paper { LwmConvention::Paper } else { LwmConvention::Zoo });
            gate_gathers(chosen, |student: &Small, teacher: &Small, images, labels, gate| {
                loss.forward_gated(
                    (student.map(images.clone()), |map| student.upper(map)),
                    (teacher.map(images), |map| teacher.upper(map)),
                    labels,
                    gate,
                )
            })?;
        }
    }
}
