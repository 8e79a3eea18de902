//! Factor transfer.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::at::power;
use crate::adapters::{Paraphraser, ParaphraserConfig, Translator, TranslatorConfig};
use crate::gate::sample_means;
use crate::info::Register;
use crate::norms::unit;
use crate::pool::{before_power, pool_to, smaller};
use crate::range::{at_least_one, positive, within};
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, Pair, ParameterInfo,
    Pretrain, Requirements, Setup, Site, Step,
};

/// How factors are made and compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum FtConvention {
    /// RepDistiller's: powers averaged over the channels; convolutions with biases, batch norms
    /// in the translator only.
    #[default]
    RepDistiller,
    /// Knowledge-Distillation-Zoo's, which is the paper's distance with `p = 1`: the factor as a
    /// whole; convolutions without biases, batch norms in both, also at work in the paraphraser
    /// while the student is trained.
    Zoo,
}

/// The largest factor, in channels of the teacher's map.
const MOST_RATE: f64 = 64.0;

/// Configuration of [`FtLoss`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct FtLossConfig {
    /// Channels of the factor as a fraction of the teacher's, above 0 and up to 64. Default 0.5.
    pub rate: f64,
    /// The power of the factor's values, 1 or more. Default 2. The convention `zoo` has none.
    pub p1: u32,
    /// The power of the differences, 1 or more. Default 1. The convention `zoo` has none.
    pub p2: u32,
    /// The stage whose maps are compared; the stem is 0. Default: the last of each network.
    pub stage: Option<usize>,
    /// How factors are made and compared. Default [`FtConvention::RepDistiller`].
    pub convention: FtConvention,
    /// Whether batch norms take their statistics from all samples under any gate, which is what
    /// spot-adaptive-pytorch does. Default false: from the chosen ones.
    pub whole_batch: bool,
    /// Whether batch norms follow the convolutions, in the convention `zoo`: there they do for
    /// CIFAR-10 only. Default true.
    pub batch_norm: bool,
}

impl Config for FtLossConfig {}

impl Default for FtLossConfig {
    fn default() -> Self {
        Self {
            rate: 0.5,
            p1: 2,
            p2: 1,
            stage: None,
            convention: FtConvention::default(),
            whole_batch: false,
            batch_norm: true,
        }
    }
}

impl FtLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the channels of the factor as a fraction of the teacher's.
    pub fn with_rate(mut self, rate: f64) -> Self {
        self.rate = rate;
        self
    }

    /// Sets the power of the factor's values.
    pub fn with_p1(mut self, p1: u32) -> Self {
        self.p1 = p1;
        self
    }

    /// Sets the power of the differences.
    pub fn with_p2(mut self, p2: u32) -> Self {
        self.p2 = p2;
        self
    }

    /// Sets the stage whose maps are compared.
    pub fn with_stage(mut self, stage: Option<usize>) -> Self {
        self.stage = stage;
        self
    }

    /// Sets how factors are made and compared.
    pub fn with_convention(mut self, convention: FtConvention) -> Self {
        self.convention = convention;
        self
    }

    /// Sets whether batch norms take their statistics from all samples under any gate.
    pub fn with_whole_batch(mut self, whole_batch: bool) -> Self {
        self.whole_batch = whole_batch;
        self
    }

    /// Sets whether batch norms follow the convolutions in the convention `zoo`.
    pub fn with_batch_norm(mut self, batch_norm: bool) -> Self {
        self.batch_norm = batch_norm;
        self
    }

    /// Initializes the loss for maps with these channels.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if a parameter is out of range.
    pub fn init(&self, channels: Pair<usize>, device: &Device) -> Result<FtLoss, LossError> {
        let Pair { student, teacher } = channels;
        positive("ft", "rate", self.rate)?;
        within(
            "ft",
            "rate",
            self.rate,
            self.rate <= MOST_RATE,
            "64 or less",
        )?;
        at_least_one("ft", "p1", self.p1 as usize)?;
        at_least_one("ft", "p2", self.p2 as usize)?;
        let zoo = self.convention == FtConvention::Zoo;
        Ok(FtLoss {
            paraphraser: ParaphraserConfig::new(teacher)
                .with_rate(self.rate)
                .with_bias(!zoo)
                .with_norm(zoo && self.batch_norm)
                .init(device),
            translator: TranslatorConfig::new(student, teacher)
                .with_rate(self.rate)
                .with_bias(!zoo)
                .with_norm(!zoo || self.batch_norm)
                .init(device),
            p1: self.p1,
            p2: self.p2,
            stage: self.stage,
            convention: self.convention,
            whole_batch: self.whole_batch,
        })
    }
}

/// Factor transfer (Kim, Park & Kwak 2018, <https://arxiv.org/abs/1802.04977>): the student is to
/// have the *factor* of the teacher's map, the inner map of an autoencoder.
///
/// Preliminary phase, which trains the paraphraser on the teacher's maps `t`:
///
/// ```text
/// L = mean over all elements of (paraphraser(t) − t)²
/// ```
///
/// Main phase, in which the paraphraser is constant and the translator is trained with the
/// student, as in RepDistiller:
///
/// ```text
/// Q(f) = vec( mean over channels of f^p1 ) / ‖ vec( ... ) ‖₂
/// L    = mean over samples and positions of |Q(translator(s)) − Q(encoder(t))|^p2
/// ```
///
/// Factors of different sizes: the larger one is average-pooled to the smaller first.
///
/// The paper normalizes the factor as a whole, `Q(f) = vec(f) / ‖vec(f)‖₂`, as does
/// Knowledge-Distillation-Zoo, which takes the mean of absolute differences: see
/// [`FtConvention`]. The weights are of another order then, since the mean is over more
/// elements.
#[derive(Module, Debug)]
pub struct FtLoss {
    /// The autoencoder of the teacher's maps.
    pub paraphraser: Paraphraser,
    /// From the student's map to its factor.
    pub translator: Translator,
    /// The power of the factor's values.
    pub p1: u32,
    /// The power of the differences.
    pub p2: u32,
    /// The stage that the registry takes the maps from.
    #[module(skip)]
    pub stage: Option<usize>,
    /// How factors are compared.
    #[module(skip)]
    pub convention: FtConvention,
    /// Whether batch norms take their statistics from all samples under any gate.
    pub whole_batch: bool,
}

impl FtLoss {
    /// The loss; the teacher's map and factor are constants.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, channels, height, width]`
    /// - teacher: `[batch, other channels, other height, other width]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the batches differ in size, or if the channels are not those of [`FtLossConfig::init`].
    pub fn forward(&self, student: Tensor<4>, teacher: Tensor<4>) -> Tensor<1> {
        self.forward_gated(student, teacher, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`]. Batch norms take their statistics from them
    /// alone, unless they are to take them from the whole batch.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(&self, student: Tensor<4>, teacher: Tensor<4>, gate: &Gate) -> Tensor<1> {
        let all = Gate::all();
        let counted = if self.whole_batch { &all } else { gate };
        let student = self.translator.forward_gated(student, counted);
        let teacher = self
            .constant_paraphraser()
            .factor_gated(gate.teacher(teacher), counted);
        self.compare_gated(student, teacher, gate)
    }

    /// The paraphraser as the main phase has it: a teacher that is trained learns through it, but it
    /// stays as it is.
    fn constant_paraphraser(&self) -> Paraphraser {
        self.paraphraser.clone().no_grad()
    }

    /// The distance of two factors; the teacher's is a constant.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, channels, height, width]`
    /// - teacher: `[batch, channels, other height, other width]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If batch or channels differ.
    pub fn compare(&self, student: Tensor<4>, teacher: Tensor<4>) -> Tensor<1> {
        self.compare_gated(student, teacher, &Gate::all())
    }

    fn compare_gated(&self, student: Tensor<4>, teacher: Tensor<4>, gate: &Gate) -> Tensor<1> {
        let (student_shape, teacher_shape) = (student.dims(), teacher.dims());
        assert_eq!(
            student_shape[..2],
            teacher_shape[..2],
            "ft: the student's factor is {student_shape:?}, the teacher's is {teacher_shape:?}"
        );
        let size = smaller(&student, &teacher);
        let student = self.normalized(pool_to(student, size));
        let teacher = self.normalized(pool_to(gate.teacher(teacher), size));
        let distance = (student - teacher).abs();
        gate.mean(sample_means(match self.convention {
            FtConvention::RepDistiller => power(distance, self.p2),
            FtConvention::Zoo => distance,
        }))
    }

    /// `Q(f)`, `[batch, length]`.
    fn normalized(&self, factor: Tensor<4>) -> Tensor<2> {
        let rows: Tensor<2> = match self.convention {
            FtConvention::RepDistiller => power(before_power(factor, self.p1), self.p1)
                .mean_dim(1)
                .flatten(1, 3),
            FtConvention::Zoo => factor.flatten(1, 3),
        };
        unit(rows, 0.0)
    }

    /// How well the paraphraser gives the teacher's map back: the loss of its pretraining.
    ///
    /// # Shapes
    ///
    /// - teacher: `[batch, channels, height, width]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the channels are not those of [`FtLossConfig::init`].
    pub fn reconstruction(&self, teacher: Tensor<4>) -> Tensor<1> {
        self.reconstruction_gated(teacher, &Gate::all())
    }

    fn reconstruction_gated(&self, teacher: Tensor<4>, gate: &Gate) -> Tensor<1> {
        let teacher = teacher.inner();
        let factor = self.paraphraser.factor_gated(teacher.clone(), gate);
        let again = self.paraphraser.reconstruct_gated(factor, gate);
        gate.mean(sample_means((again - teacher).square()))
    }
}

impl Register for FtLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "ft",
        aliases: &["factor"],
        title: "Factor transfer: a compressed form of one map",
        paper: "Kim, Park & Kwak 2018, Paraphrasing Complex Network: Network Compression via \
                Factor Transfer, https://arxiv.org/abs/1802.04977",
        weights: LossWeights::method(200.0),
        parameters: &[
            ParameterInfo {
                name: "rate",
                description: "channels of the factor as a fraction of the teacher's",
            },
            ParameterInfo {
                name: "p1",
                description: "power of the factor's values (convention `repdistiller`)",
            },
            ParameterInfo {
                name: "p2",
                description: "power of the differences (convention `repdistiller`)",
            },
            ParameterInfo {
                name: "stage",
                description: "stage whose maps are compared; the stem is 0, null is the last",
            },
            ParameterInfo {
                name: "convention",
                description: "how factors are made and compared: `repdistiller` or `zoo`",
            },
            ParameterInfo {
                name: "whole_batch",
                description: "whether batch norms take their statistics from all samples under any \
                              gate, as in spot-adaptive-pytorch",
            },
            ParameterInfo {
                name: "batch_norm",
                description: "whether batch norms follow the convolutions (convention `zoo`, \
                              which has them for CIFAR-10 only)",
            },
        ],
    };
}

impl LossConfig for FtLossConfig {
    type Loss = FtLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Stage(self.stage)).with_teacher_gradient()
    }

    fn pretrain(&self) -> Pretrain {
        Pretrain::Adapters
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<FtLoss, LossError> {
        let shapes = setup.maps_at("ft", self.stage)?;
        self.init(shapes.map(|[channels, ..]| channels), device)
    }
}

impl DistillationLoss for FtLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let (student, teacher) = step.maps_at(self.stage);
        step.scaled(0, self.forward_gated(student, teacher, &step.gate(0)))
    }

    fn pretrain(&self, step: &Step<'_>) -> Option<Tensor<1>> {
        let (_, teacher) = step.maps_at(self.stage);
        Some(self.reconstruction_gated(teacher, &step.gate(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;
    use proptest::prelude::*;

    const CHANNELS: Pair<usize> = Pair {
        student: 2,
        teacher: 4,
    };

    const BOTH: [FtConvention; 2] = [FtConvention::RepDistiller, FtConvention::Zoo];

    fn loss(convention: FtConvention, p2: u32) -> FtLoss {
        FtLossConfig::new()
            .with_convention(convention)
            .with_p2(p2)
            .init(CHANNELS, &Device::default())
            .expect("a loss")
    }

    fn map(shape: [usize; 4], device: &Device) -> Tensor<4> {
        crate::testing::random(shape, Distribution::Normal(0.0, 1.0), device)
    }

    #[test]
    fn a_worked_example() {
        let device = Device::default();
        // Squares averaged over the two channels: (8, 6) and (1, 0), normalized (0.8, 0.6) and
        // (1, 0).
        let student = Tensor::<4>::from_floats([[[[4.0, 12f32.sqrt()]], [[0.0, 0.0]]]], &device);
        let teacher = Tensor::<4>::from_floats([[[[1.0, 0.0]], [[1.0, 0.0]]]], &device);
        let value = |p2| -> f32 {
            let loss = loss(FtConvention::RepDistiller, p2);
            loss.compare(student.clone(), teacher.clone()).into_scalar()
        };
        assert!((value(1) - (0.2 + 0.6) / 2.0).abs() < 1e-6);
        assert!((value(2) - (0.04 + 0.36) / 2.0).abs() < 1e-6);

        // As a whole: (3, 0, 4, 0) / 5 and (1, 0, 0, 0).
        let student = Tensor::<4>::from_floats([[[[3.0, 0.0]], [[4.0, 0.0]]]], &device);
        let teacher = Tensor::<4>::from_floats([[[[7.0, 0.0]], [[0.0, 0.0]]]], &device);
        let value: f32 = loss(FtConvention::Zoo, 1)
            .compare(student, teacher)
            .into_scalar();
        assert!((value - (0.4 + 0.8) / 4.0).abs() < 1e-6);
    }

    #[test]
    fn only_the_paraphraser_learns_in_pretraining_and_only_the_translator_after_it() {
        let device = Device::default().autodiff();
        for convention in BOTH {
            let loss = FtLossConfig::new()
                .with_convention(convention)
                .init(CHANNELS, &device)
                .expect("a loss");
            let (student, teacher) = (map([3, 2, 4, 4], &device), map([3, 4, 4, 4], &device));
            let learns = |term: Tensor<1>| {
                let grads = term.backward();
                let layers = [&loss.paraphraser.encoder[0], &loss.translator.encoder[0]];
                layers.map(|layer| match &layer.conv {
                    crate::adapters::FactorConv::Conv(conv) => {
                        conv.weight.val().grad(&grads).is_some()
                    }
                    crate::adapters::FactorConv::ConvTranspose(_) => false,
                })
            };
            assert_eq!(learns(loss.reconstruction(teacher.clone())), [true, false]);
            assert_eq!(learns(loss.forward(student, teacher)), [false, true]);
        }
    }

    #[test]
    fn parameters_out_of_range_are_typed_errors() {
        let message = |config: FtLossConfig| {
            let error = config
                .init(Pair::both(1), &Device::default())
                .expect_err("a mistake");
            error.to_string()
        };
        assert_eq!(
            message(FtLossConfig::new().with_rate(0.0)),
            "ft: `rate` is 0, expected a positive finite number"
        );
        assert_eq!(
            message(FtLossConfig::new().with_p2(0)),
            "ft: `p2` is 0, expected 1 or more"
        );
    }

    #[test]
    #[should_panic(
        expected = "the student's factor is [2, 3, 2, 2], the teacher's is [1, 3, 2, 2]"
    )]
    fn a_smaller_teacher_batch_is_not_broadcast() {
        let device = Device::default();
        loss(BOTH[0], 1).compare(map([2, 3, 2, 2], &device), map([1, 3, 2, 2], &device));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn the_scale_of_factors_does_not_matter(scale in 0.1f64..10.0, seed in 0u64..1000) {
            let device = Device::default();
            device.seed(seed);
            let (student, teacher) = (map([3, 4, 2, 2], &device), map([3, 4, 2, 2], &device));
            for convention in BOTH {
                let loss = loss(convention, 1);
                let value = |factor: Tensor<4>| -> f32 {
                    loss.compare(factor, teacher.clone()).into_scalar()
                };
                let (one, other) = (value(student.clone()), value(student.clone() * scale));
                prop_assert!((one - other).abs() < 1e-5, "{} and {}", one, other);
            }
        }
    }
}
