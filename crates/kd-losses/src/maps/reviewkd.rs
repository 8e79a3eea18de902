//! Knowledge review.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::adapters::{Fusion, FusionConfig};
use crate::gate::sample_means;
use crate::info::Register;
use crate::pool::pool_to;
use crate::range::at_least_one;
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, Pair, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// Sizes of the pyramid below a map.
const LEVELS: [usize; 3] = [4, 2, 1];

/// Configuration of [`ReviewKdLoss`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ReviewKdLossConfig {
    /// Most channels of the maps that are fused: they have as many as the student's deepest
    /// feature, but no more than this. Default 512; 1 or more.
    pub max_mid: usize,
    /// Epochs in which the registered method grows from almost nothing to its full weight:
    /// epoch `e`, from 1, counts `min(e / warm_up, 1)`. Default 20; 0 for none.
    pub warm_up: usize,
}

impl Config for ReviewKdLossConfig {}

impl Default for ReviewKdLossConfig {
    fn default() -> Self {
        Self {
            max_mid: 512,
            warm_up: 20,
        }
    }
}

impl ReviewKdLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the most channels of the maps that are fused.
    pub fn with_max_mid(mut self, max_mid: usize) -> Self {
        self.max_mid = max_mid;
        self
    }

    /// Sets the epochs of the warm-up.
    pub fn with_warm_up(mut self, warm_up: usize) -> Self {
        self.warm_up = warm_up;
        self
    }

    /// Initializes the loss between maps of these channels, the shallowest first.
    ///
    /// # Errors
    ///
    /// If the lists differ in length or are empty, or [`LossError::Parameter`] if `max_mid` is 0.
    pub fn init(
        &self,
        channels: Pair<&[usize]>,
        device: &Device,
    ) -> Result<ReviewKdLoss, LossError> {
        let Pair { student, teacher } = channels;
        at_least_one("reviewkd", "max_mid", self.max_mid)?;
        if student.len() != teacher.len() {
            return Err(LossError::StageCounts {
                method: "reviewkd",
                student: student.len(),
                teacher: teacher.len(),
            });
        }
        let Some(deepest) = student.last() else {
            return Err(LossError::Incomplete {
                method: "reviewkd",
                what: "at least one map of each network",
            });
        };
        let mid = self.max_mid.min(*deepest);
        let pairs = student.iter().zip(teacher).rev().enumerate();
        Ok(ReviewKdLoss {
            fusions: pairs
                .map(|(depth, (student, teacher))| {
                    FusionConfig::new(*student, mid, *teacher)
                        .with_fuse(depth > 0)
                        .init(device)
                })
                .collect(),
            warm_up: self.warm_up,
        })
    }
}

/// Knowledge review (Chen et al. 2021, <https://arxiv.org/abs/2104.09044>): each map of the
/// teacher is matched from the student's map of that stage *and all deeper ones*.
///
/// ```text
/// (r_n, y_n) = fusion_n(s_n),   (r_i, y_i) = fusion_i(s_i, y_{i+1})   for i = n−1, …, 1
/// L = Σ_i HCL(r_i, t_i)
/// HCL(r, t) = Σ_l w_l · mean of (pool_l(r) − pool_l(t))² / Σ_l w_l
/// ```
///
/// for maps `s` of the student and `t` of the teacher, [`Fusion`] for the attention-based fusion,
/// and `pool_l` the average pooling to `l × l` positions. The hierarchical context loss HCL takes
/// the map as it is with weight 1, then `l` = 4, 2, 1 with weights that halve (1/2, 1/4, 1/8);
/// levels that are not smaller than the map are left out.
///
/// As registered, the maps are those of all stages after the stem, and the pooled feature as the
/// deepest map, of one position. One gate serves for all, because a map is matched from several.
/// The term grows over the first epochs ([`ReviewKdLossConfig::warm_up`]); `forward` knows no epochs
/// and has the full size.
///
/// This follows mdistiller and the paper's authors in all but one thing: they take the *teacher's*
/// maps before the activation. The registered method takes them after it, like the student's;
/// [`forward`](Self::forward) takes what it is given. Where a student's map is not as large as the
/// teacher's, the fused map is brought to the teacher's size before the last convolution, as in
/// mdistiller, which knows square maps only.
#[derive(Module, Debug)]
pub struct ReviewKdLoss {
    /// The fusions, the deepest first.
    pub fusions: Vec<Fusion>,
    /// Epochs of the warm-up.
    pub warm_up: usize,
}

impl ReviewKdLoss {
    /// The loss; the teacher's maps are constants.
    ///
    /// # Shapes
    ///
    /// Both lists start with the shallowest map, and have the length and the channels given to
    /// [`ReviewKdLossConfig::init`].
    ///
    /// - student: `[batch, channels, height, width]` each
    /// - teacher: `[batch, other channels, other height, other width]` each
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the lists have other lengths, or the maps other channels, or the batches differ in
    /// size.
    pub fn forward(&self, student: &[Tensor<4>], teacher: &[Tensor<4>]) -> Tensor<1> {
        self.forward_gated(student, teacher, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`]. The batch norms take their statistics from
    /// them alone.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(
        &self,
        student: &[Tensor<4>],
        teacher: &[Tensor<4>],
        gate: &Gate,
    ) -> Tensor<1> {
        let sizes: Vec<[usize; 2]> = teacher
            .iter()
            .map(|map| {
                let [_, _, height, width] = map.dims();
                [height, width]
            })
            .collect();
        let reviewed = self.review_gated(student, &sizes, gate);
        let losses = reviewed
            .into_iter()
            .zip(teacher)
            .map(|(student, teacher)| {
                Self::hierarchical_context_gated(student, teacher.clone(), gate)
            })
            .collect();
        Tensor::cat(losses, 0).sum()
    }

    /// The student's maps as they are compared with the teacher's, the shallowest first, in the
    /// teacher's channels and in these heights and widths.
    ///
    /// # Panics
    ///
    /// If the lists have other lengths than those given to [`ReviewKdLossConfig::init`], or the maps
    /// other channels.
    pub fn review(&self, student: &[Tensor<4>], sizes: &[[usize; 2]]) -> Vec<Tensor<4>> {
        self.review_gated(student, sizes, &Gate::all())
    }

    fn review_gated(
        &self,
        student: &[Tensor<4>],
        sizes: &[[usize; 2]],
        gate: &Gate,
    ) -> Vec<Tensor<4>> {
        let (student_maps, teacher_maps, known) = (student.len(), sizes.len(), self.fusions.len());
        assert!(
            student_maps == known && teacher_maps == known,
            "reviewkd: the student has {student_maps} maps, the teacher {teacher_maps}, initialized for {known}"
        );
        let mut deeper = None;
        let mut reviewed = Vec::with_capacity(known);
        let maps = student.iter().zip(sizes).rev();
        for (fusion, (map, size)) in self.fusions.iter().zip(maps) {
            let fused = fusion.forward_gated(map.clone(), deeper, *size, gate);
            deeper = Some(fused.fused);
            reviewed.push(fused.output);
        }
        reviewed.reverse();
        reviewed
    }

    /// The hierarchical context loss between two maps of one shape; the teacher's is a constant.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, channels, height, width]`
    /// - teacher: `[batch, channels, height, width]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the shapes differ.
    pub fn hierarchical_context(student: Tensor<4>, teacher: Tensor<4>) -> Tensor<1> {
        Self::hierarchical_context_gated(student, teacher, &Gate::all())
    }

    /// The same for the chosen samples: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`hierarchical_context`](Self::hierarchical_context), or if the gate is for another
    /// batch.
    pub fn hierarchical_context_gated(
        student: Tensor<4>,
        teacher: Tensor<4>,
        gate: &Gate,
    ) -> Tensor<1> {
        let (student_shape, teacher_shape) = (student.dims(), teacher.dims());
        assert_eq!(
            student_shape, teacher_shape,
            "reviewkd: the student's map arrives as {student_shape:?}, the teacher's is {teacher_shape:?}"
        );
        let [_, _, height, width] = student_shape;
        // Pooling is linear: the difference is pooled, and only once.
        let difference = student - teacher.inner();
        let (mut weight, mut total) = (1.0, 1.0);
        let mut means = sample_means(difference.clone().square());
        for level in LEVELS {
            let size = [level.min(height), level.min(width)];
            if size == [height, width] {
                continue;
            }
            weight /= 2.0;
            total += weight;
            let pooled = pool_to(difference.clone(), size);
            means = means + sample_means(pooled.square()) * weight;
        }
        gate.mean(means / total)
    }
}

impl Register for ReviewKdLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "reviewkd",
        aliases: &["review"],
        title: "Knowledge review: each map of the teacher matched from all deeper ones",
        paper: "Chen et al. 2021, Distilling Knowledge via Knowledge Review, \
                https://arxiv.org/abs/2104.09044",
        weights: LossWeights::method(1.0),
        parameters: &[
            ParameterInfo {
                name: "max_mid",
                description: "maximum number of channels of the fused maps, at most the size of the student's pooled feature",
            },
            ParameterInfo {
                name: "warm_up",
                description: "epochs in which the term grows to its full size; 0 for none",
            },
        ],
    };
}

impl LossConfig for ReviewKdLossConfig {
    type Loss = ReviewKdLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::AllStages).with_pairs()
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<ReviewKdLoss, LossError> {
        setup.stages("reviewkd")?;
        let channels = |shapes: &crate::FeatureShapes| -> Vec<usize> {
            let maps = shapes.maps.iter().skip(1).map(|[channels, ..]| *channels);
            maps.chain([shapes.pooled]).collect()
        };
        let (student, teacher) = (channels(&setup.student), channels(&setup.teacher));
        let channels = Pair {
            student: &student[..],
            teacher: &teacher[..],
        };
        self.init(channels, device)
    }
}

impl DistillationLoss for ReviewKdLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let maps = |features: &crate::Features| -> Vec<Tensor<4>> {
            let [batch, channels] = features.pooled.dims();
            let pooled = features.pooled.clone().reshape([batch, channels, 1, 1]);
            let maps = features.maps.iter().skip(1).cloned();
            maps.chain([pooled]).collect()
        };
        let loss = self.forward_gated(&maps(step.student), &maps(step.teacher), &step.gate(0));
        step.scaled(0, step.warmed_up(loss, self.warm_up))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FeatureShapes, Features};
    use burn::tensor::Distribution;
    use proptest::prelude::*;

    fn map(shape: [usize; 4]) -> Tensor<4> {
        crate::testing::random(shape, Distribution::Normal(0.0, 1.0), &Device::default())
    }

    fn context(student: &Tensor<4>, teacher: &Tensor<4>) -> f32 {
        ReviewKdLoss::hierarchical_context(student.clone(), teacher.clone()).into_scalar()
    }

    #[test]
    fn a_worked_example() {
        let device = Device::default();
        // Differences 1, 3, 5, 7: the mean of their squares is 21, their mean is 4.
        let student = Tensor::from_floats([[[[1.0, 3.0], [5.0, 7.0]]]], &device);
        let teacher = Tensor::zeros([1, 1, 2, 2], &device);
        // Of the levels only 1 is smaller than the map: it has the weight 1/2.
        let expected = (21.0 + 16.0 / 2.0) / 1.5;
        assert!((context(&student, &teacher) - expected).abs() < 1e-5);
        assert_eq!(context(&student, &student), 0.0);
    }

    #[test]
    fn a_map_of_one_position_has_no_levels_below() {
        let device = Device::default();
        let student = Tensor::from_floats([[[[3.0]], [[1.0]]]], &device);
        let value = context(&student, &student.zeros_like());
        assert!((value - 5.0).abs() < 1e-6);
    }

    #[test]
    fn the_deepest_map_reaches_all_others() {
        let device = Device::default().autodiff();
        let loss = ReviewKdLossConfig::new()
            .init(
                Pair {
                    student: &[2, 3, 4],
                    teacher: &[5, 6, 7],
                },
                &device,
            )
            .expect("a loss");
        let sizes = [[4, 4], [2, 3], [1, 1]];
        let student = [[2, 2, 4, 4], [2, 3, 2, 3], [2, 4, 1, 1]];
        let student = student.map(|shape| Tensor::<4>::from_inner(map(shape)).require_grad());
        let reviewed = loss.review(&student, &sizes);
        assert_eq!(reviewed[0].dims(), [2, 5, 4, 4]);
        assert_eq!(reviewed[1].dims(), [2, 6, 2, 3]);
        assert_eq!(reviewed[2].dims(), [2, 7, 1, 1]);
        let grads = (reviewed[0].clone() * map([2, 5, 4, 4])).sum().backward();
        for map in student {
            let gradient = map.grad(&grads).expect("a gradient");
            assert!(gradient.abs().max().into_scalar::<f32>() > 0.0);
        }
    }

    #[test]
    fn the_fused_maps_have_no_more_channels_than_allowed() {
        let device = Device::default();
        let mid = |config: ReviewKdLossConfig| {
            let loss = config.init(Pair::both(&[8, 16]), &device).expect("a loss");
            loss.fusions[1].conv1.weight.dims()[0]
        };
        assert_eq!(mid(ReviewKdLossConfig::new()), 16);
        assert_eq!(mid(ReviewKdLossConfig::new().with_max_mid(3)), 3);
    }

    #[test]
    fn the_term_grows_over_the_first_epochs() {
        let device = Device::default().autodiff();
        let features = Features {
            maps: vec![map([2, 2, 4, 4]), map([2, 3, 4, 4])],
            preact: Vec::new(),
            pooled: crate::testing::random([2, 3], Distribution::Default, &device),
            logits: Tensor::zeros([2, 2], &device),
        };
        let setup = Setup::new(features.shapes(), features.shapes());
        let terms = |warm_up| {
            let loss = ReviewKdLossConfig::new().with_warm_up(warm_up);
            let loss = loss.build(&setup, &device).expect("a loss");
            [1, 5, 10, 11].map(|epoch| {
                let epoch = Tensor::from_floats([epoch as f32], &device);
                let step = Step::new(&features, &features).with_epoch(&epoch);
                loss.term(&step).into_scalar::<f32>()
            })
        };
        let close = |found: f32, expected: f32| (found / expected - 1.0).abs() < 1e-5;
        let [first, half, full, after] = terms(10);
        assert!(close(first, after / 10.0) && close(half, after / 2.0) && close(full, after));
        let [first, .., last] = terms(0);
        assert!(close(first, last));
    }

    #[test]
    fn mistakes_are_typed_errors() {
        let device = Device::default();
        let message = |config: ReviewKdLossConfig, student: &[usize], teacher: &[usize]| {
            let loss = config.init(Pair { student, teacher }, &device);
            loss.expect_err("a mistake").to_string()
        };
        let new = ReviewKdLossConfig::new;
        assert_eq!(
            message(new().with_max_mid(0), &[1], &[1]),
            "reviewkd: `max_mid` is 0, expected 1 or more"
        );
        assert_eq!(
            message(new(), &[1, 2], &[1]),
            "reviewkd compares stages in pairs, but the student has 2 after the stem and the \
             teacher 1"
        );
        assert_eq!(
            message(new(), &[], &[]),
            "reviewkd needs at least one map of each network"
        );
        let shapes = |maps| FeatureShapes {
            maps: vec![[2, 4, 4]; maps],
            pooled: 2,
            classes: 2,
        };
        let setup = Setup::new(shapes(3), shapes(4));
        let error = new().build(&setup, &device).expect_err("other stages");
        assert!(error.to_string().contains("has 2 after the stem"));
    }

    #[test]
    #[should_panic(expected = "reviewkd: the student has 1 maps, the teacher 2, initialized for 1")]
    fn other_numbers_of_maps_are_refused() {
        ReviewKdLossConfig::new()
            .init(Pair::both(&[2]), &Device::default())
            .expect("a loss")
            .forward(
                &[map([2, 2, 4, 4])],
                &[map([2, 2, 4, 4]), map([2, 2, 1, 1])],
            );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_weights_of_the_levels_add_up_to_one(
            height in 1usize..9, width in 1usize..9, shift in -3.0f32..3.0,
        ) {
            // A constant difference is the same at every level.
            let teacher = map([2, 3, height, width]);
            let value = context(&(teacher.clone() + shift), &teacher);
            prop_assert!((value - shift * shift).abs() < 1e-3);
        }
    }
}
