//! Attention transfer.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::gate::{gate_at, sample_means};
use crate::info::Register;
use crate::pool::{before_power, pool_to, smaller};
use crate::range::at_least_one;
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// Where the square of a norm is clamped before its root: 1e-12 for the norm itself. Clamping
/// under the root keeps the gradient of an all-zero map finite, and 0.
const SMALLEST_SQUARE: f64 = 1e-24;

/// What Knowledge-Distillation-Zoo adds to the norm.
const ZOO_EPSILON: f64 = 1e-6;

/// How a map becomes an attention map: the public implementations differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AtConvention {
    /// RepDistiller's, after the code of the paper's authors: the *mean over channels of `f^p`*
    /// (with its sign for odd `p`), divided by its norm, which is clamped at 1e-12.
    #[default]
    RepDistiller,
    /// Knowledge-Distillation-Zoo's: the *sum over channels of `|f|^p`*, divided by its norm plus
    /// 1e-6.
    Zoo,
}

/// Configuration of [`AtLoss`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AtLossConfig {
    /// The power of the activations. Default 2; higher powers give more weight to the strongest
    /// ones.
    pub p: u32,
    /// How a map becomes an attention map. Default [`AtConvention::RepDistiller`].
    pub convention: AtConvention,
}

impl Config for AtLossConfig {}

impl Default for AtLossConfig {
    fn default() -> Self {
        Self {
            p: 2,
            convention: AtConvention::default(),
        }
    }
}

impl AtLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the power of the activations.
    pub fn with_p(mut self, p: u32) -> Self {
        self.p = p;
        self
    }

    /// Sets how a map becomes an attention map.
    pub fn with_convention(mut self, convention: AtConvention) -> Self {
        self.convention = convention;
        self
    }

    /// Initializes the loss.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if `p` is 0, for which every map would be the same.
    pub fn init(&self) -> Result<AtLoss, LossError> {
        at_least_one("at", "p", self.p as usize)?;
        Ok(AtLoss {
            p: self.p,
            convention: self.convention,
        })
    }
}

/// Attention transfer (Zagoruyko & Komodakis 2017, <https://arxiv.org/abs/1612.03928>,
/// activation-based): the student is to look where the teacher looks.
///
/// ```text
/// A(f) = mean over channels of f^p, as a vector of length H · W
/// L    = mean over samples and positions of ( A(s) / ‖A(s)‖ − A(t) / ‖A(t)‖ )²
/// ```
///
/// for maps `s` of the student and `t` of the teacher, which may have different channels. Several
/// stages add up.
///
/// Maps of different sizes: the larger one is average-pooled to the smaller height and width
/// *before* the power is taken. The references decide by the height alone and know square maps
/// only, for which this is the same.
///
/// The paper takes the norm of the difference instead of the mean of its squares, and halves it;
/// the mean of squares is that of its authors' code and of later comparisons, and the default
/// weight of 1000 belongs to it. See [`AtConvention`] for where these differ.
#[derive(Module, Debug)]
pub struct AtLoss {
    /// The power of the activations.
    pub p: u32,
    /// How a map becomes an attention map.
    #[module(skip)]
    pub convention: AtConvention,
}

impl AtLoss {
    /// The loss of one pair of maps; the teacher's is a constant.
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
            "at: the student's map is {student_shape:?}, the teacher's is {teacher_shape:?}"
        );
        let size = smaller(&student, &teacher);
        let student = self.attention(pool_to(student, size));
        let teacher = self.attention(pool_to(gate.teacher(teacher), size));
        gate.mean(sample_means((student - teacher).square()))
    }

    /// The sum of the losses of several pairs of maps.
    ///
    /// # Panics
    ///
    /// If the lists are empty or of different lengths, or if the batches differ in size.
    pub fn forward_stages(&self, student: &[Tensor<4>], teacher: &[Tensor<4>]) -> Tensor<1> {
        self.forward_stages_gated(student, teacher, &[])
    }

    /// The sum of the losses of the chosen samples, each pair of maps a spot: see [`Gate`].
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
            student_maps == teacher_maps && student_maps > 0,
            "at: the student has {student_maps} maps, the teacher {teacher_maps}"
        );
        let pairs = student.iter().zip(teacher).enumerate();
        let losses = pairs.map(|(spot, (student, teacher))| {
            let gate = gate_at(gates, spot);
            gate.scaled(self.forward_gated(student.clone(), teacher.clone(), &gate))
        });
        Tensor::cat(losses.collect(), 0).sum()
    }

    /// The normalized attention map `[batch, height · width]` of `[batch, channels, height,
    /// width]`, for example to look at it.
    pub fn attention(&self, features: Tensor<4>) -> Tensor<2> {
        let energy = match self.convention {
            AtConvention::RepDistiller => power(before_power(features, self.p), self.p).mean_dim(1),
            AtConvention::Zoo if self.p.is_multiple_of(2) => power(features, self.p).sum_dim(1),
            AtConvention::Zoo => power(features.abs(), self.p).sum_dim(1),
        };
        let energy: Tensor<2> = energy.flatten(1, 3);
        let norm = energy
            .clone()
            .square()
            .sum_dim(1)
            .clamp_min(SMALLEST_SQUARE)
            .sqrt();
        match self.convention {
            AtConvention::RepDistiller => energy / norm,
            AtConvention::Zoo => energy / (norm + ZOO_EPSILON),
        }
    }
}

/// `x^p` by multiplications: a power function need not be defined for negative `x` on every
/// backend. `p` is at least 1.
pub(crate) fn power<const D: usize>(x: Tensor<D>, p: u32) -> Tensor<D> {
    match p {
        0 | 1 => x,
        p if p.is_multiple_of(2) => power(x.square(), p / 2),
        p => x.clone() * power(x, p - 1),
    }
}

impl Register for AtLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "at",
        aliases: &["attention"],
        title: "Attention transfer: the student looks where the teacher looks",
        paper: "Zagoruyko & Komodakis 2017, Paying More Attention to Attention, \
                https://arxiv.org/abs/1612.03928",
        weights: LossWeights {
            ce: 1.0,
            kd: 0.0,
            method: 1000.0,
        },
        parameters: &[
            ParameterInfo {
                name: "p",
                description: "power of the activations, a positive integer",
            },
            ParameterInfo {
                name: "convention",
                description: "`repdistiller` (mean of f^p) or `zoo` (sum of |f|^p)",
            },
        ],
    };
}

impl LossConfig for AtLossConfig {
    type Loss = AtLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::EachStage).with_teacher_gradient()
    }

    fn build(&self, setup: &Setup, _device: &Device) -> Result<AtLoss, LossError> {
        setup.stages("at")?;
        self.init()
    }
}

impl DistillationLoss for AtLoss {
    /// All stages but the stem, as in RepDistiller; one spot for each.
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        step.over_stages(|_, student, teacher, gate| self.forward_gated(student, teacher, gate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureShapes;
    use burn::tensor::Distribution;
    use burn::tensor::module::adaptive_avg_pool2d;
    use proptest::prelude::*;

    const BOTH: [AtConvention; 2] = [AtConvention::RepDistiller, AtConvention::Zoo];

    fn loss(convention: AtConvention, p: u32) -> AtLoss {
        AtLossConfig::new()
            .with_convention(convention)
            .with_p(p)
            .init()
            .expect("a loss")
    }

    fn map(shape: [usize; 4]) -> Tensor<4> {
        crate::testing::random(shape, Distribution::Normal(0.0, 1.0), &Device::default())
    }

    #[test]
    fn identical_maps_give_exactly_zero() {
        for convention in BOTH {
            let map = map([2, 3, 4, 4]);
            let value = loss(convention, 2).forward(map.clone(), map);
            assert_eq!(value.into_scalar::<f32>(), 0.0, "{convention:?}");
        }
    }

    #[test]
    fn a_worked_example() {
        let device = Device::default();
        // Energies (3, 4) and (1, 0) before normalization, in two channels and in one.
        let student = Tensor::from_floats([[[[3.0, 0.0]], [[0.0, 4.0]]]], &device);
        let teacher = Tensor::from_floats([[[[5.0, 0.0]]]], &device);
        let value: f32 = loss(AtConvention::RepDistiller, 1)
            .forward(student, teacher)
            .into_scalar();
        assert!((value - (0.4f32.powi(2) + 0.8f32.powi(2)) / 2.0).abs() < 1e-6);
    }

    #[test]
    fn an_odd_power_keeps_the_sign_or_drops_it_as_the_convention_says() {
        let device = Device::default();
        let features = Tensor::<4>::from_floats([[[[-2.0, 1.0]]]], &device);
        let of = |convention| {
            let attention = loss(convention, 3).attention(features.clone());
            attention.into_data().try_to_vec::<f32>().expect("f32")
        };
        let norm = 65f32.sqrt();
        let close = |found: Vec<f32>, expected: [f32; 2]| {
            found
                .iter()
                .zip(expected)
                .all(|(a, b)| (a - b).abs() < 1e-6)
        };
        assert!(close(of(BOTH[0]), [-8.0 / norm, 1.0 / norm]));
        assert!(close(of(BOTH[1]), [8.0 / norm, 1.0 / norm]));
    }

    #[test]
    fn powers_are_those_of_the_numbers() {
        let device = Device::default();
        let x = Tensor::<4>::from_floats([[[[-1.5, 2.0]]]], &device);
        for p in 1..9 {
            let found: Vec<f32> = power(x.clone(), p).into_data().try_to_vec().expect("f32");
            assert_eq!(
                found,
                [(-1.5f32).powi(p as i32), 2f32.powi(p as i32)],
                "{p}"
            );
        }
    }

    #[test]
    fn an_all_zero_student_has_a_finite_value_and_no_gradient() {
        for convention in BOTH {
            let device = Device::default().autodiff();
            let student = Tensor::<4>::zeros([1, 2, 2, 2], &device).require_grad();
            let value = loss(convention, 2).forward(student.clone(), map([1, 3, 2, 2]));
            let grads = value.backward();
            let gradient = student.grad(&grads).expect("a gradient").into_data();
            let gradient: Vec<f32> = gradient.try_to_vec().expect("f32");
            assert_eq!(gradient, [0.0; 8]);
            // The teacher's map has norm 1, so the mean of its 4 squares is 1/4.
            assert!(
                (value.into_scalar::<f32>() - 0.25).abs() < 1e-5,
                "{convention:?}"
            );
        }
    }

    #[test]
    fn maps_of_different_sizes_meet_at_the_smaller_size_of_each_axis() {
        let loss = loss(AtConvention::RepDistiller, 2);
        let (tall, wide) = (map([2, 3, 6, 2]), map([2, 5, 3, 4]));
        let pooled = |map: &Tensor<4>| adaptive_avg_pool2d(map.clone(), [3, 2]);
        let value: f32 = loss.forward(tall.clone(), wide.clone()).into_scalar();
        let expected: f32 = loss.forward(pooled(&tall), pooled(&wide)).into_scalar();
        assert_eq!(value, expected);
    }

    #[test]
    fn stages_add_up() {
        let loss = loss(AtConvention::RepDistiller, 2);
        let student = [map([2, 3, 4, 4]), map([2, 3, 2, 2])];
        let teacher = [map([2, 4, 4, 4]), map([2, 4, 2, 2])];
        let one = |stage: usize| {
            loss.forward(student[stage].clone(), teacher[stage].clone())
                .into_scalar::<f32>()
        };
        let all: f32 = loss.forward_stages(&student, &teacher).into_scalar();
        assert!((all - one(0) - one(1)).abs() < 1e-6);
    }

    #[test]
    #[should_panic(expected = "the student's map is [1, 2, 2, 2], the teacher's is [2, 2, 2, 2]")]
    fn batches_are_not_broadcast() {
        let loss = loss(AtConvention::RepDistiller, 2);
        loss.forward(map([1, 2, 2, 2]), map([2, 2, 2, 2]));
    }

    #[test]
    #[should_panic(expected = "the student has 1 maps, the teacher 0")]
    fn lists_of_different_lengths_are_refused() {
        let loss = loss(AtConvention::RepDistiller, 2);
        loss.forward_stages(&[map([1, 2, 2, 2])], &[]);
    }

    #[test]
    fn mistakes_are_typed_errors() {
        let shapes = |maps: usize| FeatureShapes {
            maps: vec![[1, 1, 1]; maps],
            pooled: 1,
            classes: 2,
        };
        let message = |config: AtLossConfig, maps| {
            config
                .build(&Setup::new(shapes(maps), shapes(maps)), &Device::default())
                .expect_err("a mistake")
                .to_string()
        };
        assert_eq!(
            message(AtLossConfig::new().with_p(0), 4),
            "at: `p` is 0, expected 1 or more"
        );
        assert_eq!(
            message(AtLossConfig::new(), 1),
            "at acts at stage 1, but the student has maps of stage 0 only"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn neither_scale_nor_order_of_channels_matters(
            values in prop::collection::vec(0.1f32..1.0, 8),
            scale in 0.1f32..10.0,
        ) {
            let device = Device::default();
            let student = Tensor::<1>::from_floats(&*values, &device).reshape([1, 2, 2, 2]);
            let teacher = map([1, 3, 2, 2]);
            let loss = loss(AtConvention::RepDistiller, 2);
            let value = |student: Tensor<4>| {
                loss.forward(student, teacher.clone()).into_scalar::<f32>()
            };
            let before = value(student.clone());
            prop_assert!((before - value(student.clone() * scale)).abs() < 1e-5);
            prop_assert!((before - value(student.flip([1]))).abs() < 1e-6);
        }
    }
}
