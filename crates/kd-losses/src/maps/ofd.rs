//! Overhaul of feature distillation.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::adapters::{Connector, ConnectorConfig};
use crate::gate::{gate_at, sample_means, sample_sums};
use crate::info::Register;
use crate::pool::{pool_to, smaller};
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, NormAffine, Pair,
    ParameterInfo, Requirements, Setup, Site, Step,
};

/// Added to the number of negative values of a channel.
const EPSILON: f64 = 1e-6;

/// Share of negative values below which their mean is not computed but bounded.
const FEW_NEGATIVE: f64 = 1e-3;

/// Where the margins come from, and how the loss is averaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum OfdConvention {
    /// Knowledge-Distillation-Zoo's: one map, margins from the teacher's batch, the mean over all
    /// values. (The Zoo averages it over the three stages of its networks: three terms.)
    #[default]
    Zoo,
    /// mdistiller's, after the code of the paper's authors: all stages, margins from the
    /// parameters of the teacher's batch norms, the sum over the values of a sample, a stage
    /// counting half of the next.
    Mdistiller,
}

/// Configuration of [`OfdLoss`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct OfdLossConfig {
    /// Where the margins come from, and how the loss is averaged. Default [`OfdConvention::Zoo`].
    pub convention: OfdConvention,
    /// The stage whose maps are compared in the convention `zoo`; the stem is 0. Default: the last
    /// of each network.
    pub stage: Option<usize>,
}

impl Config for OfdLossConfig {}

impl OfdLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets where the margins come from, and how the loss is averaged.
    pub fn with_convention(mut self, convention: OfdConvention) -> Self {
        self.convention = convention;
        self
    }

    /// Sets the stage whose maps are compared.
    pub fn with_stage(mut self, stage: Option<usize>) -> Self {
        self.stage = stage;
        self
    }

    /// Initializes the loss for pairs of maps with these channels. With `norms`, scale and shift of
    /// the batch norms in front of the teacher's maps, the margins come from them; without, from each
    /// batch.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if the norms are not one for each pair of maps, with its channels.
    pub fn init(
        &self,
        channels: &[Pair<usize>],
        norms: Option<&[NormAffine]>,
        device: &Device,
    ) -> Result<OfdLoss, LossError> {
        let connector = |Pair { student, teacher }: &Pair<usize>| {
            ConnectorConfig::new(*student, *teacher)
                .with_bias(false)
                .init(device)
        };
        if let Some(norms) = norms {
            let wrong = |value, expected| LossError::Parameter {
                method: "ofd",
                parameter: "norms",
                value,
                expected,
            };
            let (found, pairs) = (norms.len(), channels.len());
            if found != pairs {
                let value = format!("a list of {found} for {pairs} pairs of maps");
                return Err(wrong(value, "one for each pair of maps"));
            }
            for (norm, Pair { teacher, .. }) in norms.iter().zip(channels) {
                let (weight, bias) = (norm.weight.dims(), norm.bias.dims());
                if [weight, bias] != [[*teacher]; 2] {
                    return Err(wrong(
                        format!("a weight of {weight:?} and a bias of {bias:?}"),
                        "vectors with the channels of the teacher's maps",
                    ));
                }
            }
        }
        Ok(OfdLoss {
            connectors: channels.iter().map(connector).collect(),
            margins: norms.map(|norms| norms.iter().map(margin_of_norm).collect()),
            convention: self.convention,
            stage: self.stage,
        })
    }
}

/// Overhaul of feature distillation (Heo et al. 2019, <https://arxiv.org/abs/1904.01866>): maps
/// *before* the activation, where the negative values of the teacher matter only as far as the
/// student exceeds them.
///
/// With a margin `m_c < 0` for each channel, the mean of the teacher's negative values, and a
/// connector `r` (1×1 convolution and batch norm, trained with the student):
///
/// ```text
/// t' = max( t, m_c )
/// L  = mean or sum of ( r(s) − t' )², without the values where r(s) ≤ t' ≤ 0
/// ```
///
/// [`OfdConvention`] says where the margins come from and how the values are averaged; the default
/// weight of 1 is that of Zoo's mean, mdistiller's sum goes with 0.001. With batch norms, the mean
/// of the negative part of a Gaussian with the norm's shift `μ` and scale `σ` is
///
/// ```text
/// m = μ − σ · exp( −μ²/2σ² ) / ( √2π · Φ(−μ/σ) ),   or −3σ if Φ(−μ/σ) ≤ 0.001
/// ```
///
/// The larger map is average-pooled to the smaller size first.
#[derive(Module, Debug)]
pub struct OfdLoss {
    /// One connector for each pair of maps.
    pub connectors: Vec<Connector>,
    /// Margins `[channels]` of the teacher's maps, if they come from its batch norms.
    margins: Option<Vec<Tensor<1>>>,
    /// Where the margins come from, and how the loss is averaged.
    #[module(skip)]
    pub convention: OfdConvention,
    /// The stage that the registry takes the maps from; the last if absent.
    #[module(skip)]
    pub stage: Option<usize>,
}

impl OfdLoss {
    /// The loss of pairs of maps before the activation; the teacher's are constants.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, channels, height, width]` each, as given to [`OfdLossConfig::init`]
    /// - teacher: `[batch, channels, height, width]` each, as given to [`OfdLossConfig::init`]
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If there are other numbers of maps, batches or channels.
    pub fn forward(&self, student: &[Tensor<4>], teacher: &[Tensor<4>]) -> Tensor<1> {
        self.forward_gated(student, teacher, &[])
    }

    /// The loss of the chosen samples, each pair a spot: see [`Gate`]. Margins of the batch and the
    /// connectors' batch norms take their statistics from them alone.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if a gate is for another batch.
    pub fn forward_gated(
        &self,
        student: &[Tensor<4>],
        teacher: &[Tensor<4>],
        gates: &[Gate],
    ) -> Tensor<1> {
        let (student_maps, teacher_maps) = (student.len(), teacher.len());
        let count = self.connectors.len();
        assert!(
            student_maps == count && teacher_maps == count && count > 0,
            "ofd: the student has {student_maps} maps, the teacher {teacher_maps}, expected {count}"
        );
        let losses = (0..count).map(|pair| {
            let gate = gate_at(gates, pair);
            let loss = gate.scaled(self.pair(pair, &student[pair], &teacher[pair], &gate));
            // The last pair counts in full, each earlier one half as much.
            loss / f64::from(1u32 << (count - 1 - pair).min(31))
        });
        Tensor::cat(losses.collect(), 0).sum()
    }

    /// The margin of each channel of a teacher's map, `[1, channels, 1, 1]`.
    pub fn margin(&self, pair: usize, teacher: &Tensor<4>, gate: &Gate) -> Tensor<4> {
        match &self.margins {
            Some(margins) => {
                let margin = margins[pair].clone().inner();
                let channels = margin.dims()[0];
                margin.reshape([1, channels, 1, 1])
            }
            None => margin_of_batch(teacher.clone().inner(), gate),
        }
    }

    fn pair(
        &self,
        pair: usize,
        student: &Tensor<4>,
        teacher: &Tensor<4>,
        gate: &Gate,
    ) -> Tensor<1> {
        let size = smaller(student, teacher);
        let student = self.connectors[pair].forward_gated(pool_to(student.clone(), size), gate);
        let teacher = pool_to(teacher.clone().inner(), size);
        let (student_shape, teacher_shape) = (student.dims(), teacher.dims());
        assert_eq!(
            student_shape, teacher_shape,
            "ofd: the student's map arrives as {student_shape:?}, the teacher's is {teacher_shape:?}"
        );
        let margin = self.margin(pair, &teacher, gate).expand(teacher_shape);
        let target = teacher.max_pair(margin);

        let difference = student - target.clone();
        // What stays below a negative target is as good as the target: a ReLU follows.
        let below = difference.clone().inner().lower_equal_elem(0.0).float();
        let negative = target.lower_equal_elem(0.0).float();
        let counted = (below * negative).neg() + 1.0;
        let squares = difference.square() * counted;
        gate.mean(match self.convention {
            OfdConvention::Zoo => sample_means(squares),
            OfdConvention::Mdistiller => sample_sums(squares),
        })
    }
}

/// Mean of the negative values of each channel over the chosen samples, `[1, channels, 1, 1]`.
fn margin_of_batch(teacher: Tensor<4>, gate: &Gate) -> Tensor<4> {
    let negative = gate.keep(teacher.clone().lower_elem(0.0).float());
    let over = |values: Tensor<4>| values.sum_dim(0).sum_dim(2).sum_dim(3);
    over(teacher * negative.clone()) / (over(negative) + EPSILON)
}

/// Expectation of the negative values of a Gaussian, `[channels]`.
fn margin_of_norm(norm: &NormAffine) -> Tensor<1> {
    let mean = norm.bias.clone().inner();
    let deviation = norm.weight.clone().inner().abs().clamp_min(1e-12);
    let ratio = mean.clone() / deviation.clone();
    let share = (ratio.clone() * -std::f64::consts::FRAC_1_SQRT_2).erf() * 0.5 + 0.5;
    let few = share.clone().lower_equal_elem(FEW_NEGATIVE);
    let density = (ratio.square() * -0.5).exp() / (2.0 * std::f64::consts::PI).sqrt();
    let expected = mean - deviation.clone() * density / share.clamp_min(FEW_NEGATIVE);
    expected.mask_where(few, deviation * -3.0)
}

impl Register for OfdLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "ofd",
        aliases: &["overhaul"],
        title: "Overhaul of feature distillation: maps before the activation, with margins",
        paper: "Heo et al. 2019, A Comprehensive Overhaul of Feature Distillation, \
                https://arxiv.org/abs/1904.01866",
        weights: LossWeights::method(1.0),
        parameters: &[
            ParameterInfo {
                name: "convention",
                description: "`zoo` (one map, margins of the batch, mean) or `mdistiller` (all \
                              stages, margins of the teacher's batch norms, sum: weight 0.001)",
            },
            ParameterInfo {
                name: "stage",
                description: "stage whose maps are compared (zoo); the stem is 0, null is the last",
            },
        ],
    };

    /// A sum over the values of a sample needs a smaller weight than their mean.
    fn weights(&self) -> LossWeights {
        match self.convention {
            OfdConvention::Zoo => Self::INFO.weights,
            OfdConvention::Mdistiller => LossWeights::method(0.001),
        }
    }
}

impl LossConfig for OfdLossConfig {
    type Loss = OfdLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        let requirements = match self.convention {
            OfdConvention::Zoo => Requirements::at(Site::Stage(self.stage)),
            // The margins are those of the teacher's batch norms.
            OfdConvention::Mdistiller => Requirements::at(Site::EachStage).with_teacher_weights(),
        };
        requirements.with_preact()
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<OfdLoss, LossError> {
        match self.convention {
            OfdConvention::Zoo => {
                let shapes = setup.maps_at("ofd", self.stage)?;
                self.init(&[shapes.map(|[channels, ..]| channels)], None, device)
            }
            OfdConvention::Mdistiller => {
                if let Some(stage) = self.stage {
                    return Err(LossError::Parameter {
                        method: "ofd",
                        parameter: "stage",
                        value: stage.to_string(),
                        expected: "null in the convention `mdistiller`, which compares all",
                    });
                }
                let stages = setup.stages("ofd")?;
                let what = "the teacher's last batch norm of each stage (Setup::with_norms), \
                            or `convention: zoo`";
                let norms = setup.require("ofd", what, setup.norms.as_ref())?;
                let norms = setup.require("ofd", what, norms.get(1..=stages))?;
                self.init(&setup.stage_channels("ofd")?, Some(norms), device)
            }
        }
    }
}

impl DistillationLoss for OfdLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let count = self.connectors.len();
        let gates = step.gates_of(count);
        let (student, teacher) = (&step.student.preact, &step.teacher.preact);
        assert!(
            student.len() >= count && teacher.len() >= count,
            "ofd needs {count} maps before the activation: the student has {}, the teacher {}",
            student.len(),
            teacher.len()
        );
        let last = |maps: &[Tensor<4>]| match self.stage {
            Some(stage) => vec![maps[stage].clone()],
            None => maps[maps.len() - count..].to_vec(),
        };
        let (student, teacher) = (last(student), last(teacher));
        self.forward_gated(&student, &teacher, &gates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;
    use std::slice;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("f32")
    }

    fn row<const N: usize>(values: [f32; N]) -> Tensor<4> {
        Tensor::<1>::from_floats(values, &Device::default()).reshape([1, 1, 1, N])
    }

    /// A loss whose connector changes nothing (in evaluation, its batch norm is the identity).
    fn identity(convention: OfdConvention) -> OfdLoss {
        let device = Device::default();
        let config = OfdLossConfig::new().with_convention(convention);
        let mut loss = config
            .init(&[Pair::both(1)], None, &device)
            .expect("a loss");
        let connector = &mut loss.connectors[0];
        connector.conv.weight = connector
            .conv
            .weight
            .clone()
            .map(|weight| weight.ones_like());
        if let Some(bn) = &mut connector.bn {
            bn.epsilon = 0.0;
        }
        loss
    }

    #[test]
    fn only_what_the_activation_shows_is_compared() {
        // The margin is −3: targets 2, −1, −1, −3. The second value stays below its target.
        let (student, teacher) = (row([1.0, -4.0, 0.0, -1.0]), row([2.0, -1.0, -1.0, -7.0]));
        let sum: f32 = identity(OfdConvention::Mdistiller)
            .forward(slice::from_ref(&student), slice::from_ref(&teacher))
            .into_scalar();
        assert!((sum - (1.0 + 0.0 + 1.0 + 4.0)).abs() < 1e-4, "{sum}");
        let mean: f32 = identity(OfdConvention::Zoo)
            .forward(&[student], &[teacher])
            .into_scalar();
        assert!((mean - 6.0 / 4.0).abs() < 1e-4, "{mean}");
    }

    #[test]
    fn a_margin_is_the_mean_of_the_negative_values() {
        let device = Device::default();
        let sample =
            crate::testing::random::<4>([1, 1, 200, 200], Distribution::Normal(0.3, 0.8), &device);
        let norm = NormAffine {
            weight: Tensor::from_floats([-0.8, 0.1], &device),
            bias: Tensor::from_floats([0.3, 5.0], &device),
        };
        let found = values(margin_of_norm(&norm));
        let expected = values(margin_of_batch(sample, &Gate::all()))[0];
        assert!((found[0] - expected).abs() < 0.02, "{found:?} {expected}");
        // Almost never negative: three deviations.
        assert!((found[1] + 0.3).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn a_teacher_without_negative_values_is_followed_in_all() {
        let (student, teacher) = (row([1.0, -1.0]), row([2.0, 0.5]));
        let mean: f32 = identity(OfdConvention::Zoo)
            .forward(&[student], &[teacher])
            .into_scalar();
        assert!((mean - (1.0 + 1.5 * 1.5) / 2.0).abs() < 1e-4, "{mean}");
    }

    #[test]
    fn margins_of_norms_are_constants_that_survive_moves_and_records() {
        let device = Device::default().autodiff();
        let init = |shift: f32| {
            let norm = NormAffine {
                weight: Tensor::from_floats([0.8], &device),
                bias: Tensor::from_floats([shift], &device),
            };
            let config = OfdLossConfig::new().with_convention(OfdConvention::Mdistiller);
            config
                .init(&[Pair::both(1)], Some(&[norm]), &device)
                .expect("a loss")
        };
        let margin = |loss: &OfdLoss| values(loss.margin(0, &row([0.0]), &Gate::all()));
        let loss = init(0.3);
        // 1x1 convolution and the four vectors of the batch norm: not the margins.
        assert_eq!(loss.num_params(), 1 + 4);
        let (other, expected) = (margin(&init(-0.5)), margin(&loss));
        assert_ne!(other, expected);
        let record = init(-0.5).into_record();
        let moved = loss.valid().train();
        assert_eq!(margin(&moved), expected);
        // The margins come from the setup, not from the record.
        let loaded = moved.try_load_record(record).expect("the same module");
        assert_eq!(margin(&loaded), expected);
    }

    #[test]
    fn missing_norms_are_a_typed_error() {
        let shapes = || crate::FeatureShapes {
            maps: vec![[1, 4, 4]; 3],
            pooled: 1,
            classes: 2,
        };
        let error = OfdLossConfig::new()
            .with_convention(OfdConvention::Mdistiller)
            .build(&Setup::new(shapes(), shapes()), &Device::default())
            .expect_err("a mistake");
        assert_eq!(
            error.to_string(),
            "ofd needs the teacher's last batch norm of each stage (Setup::with_norms), \
             or `convention: zoo`"
        );
    }

    #[test]
    fn other_numbers_of_norms_are_a_typed_error() {
        let error = OfdLossConfig::new()
            .init(&[Pair::both(1)], Some(&[]), &Device::default())
            .expect_err("a mistake")
            .to_string();
        assert_eq!(
            error,
            "ofd: `norms` is a list of 0 for 1 pairs of maps, expected one for each pair of maps"
        );
    }

    #[test]
    fn norms_of_other_channels_are_a_typed_error() {
        let device = Device::default();
        let shapes = || crate::FeatureShapes {
            maps: vec![[1, 4, 4]; 2],
            pooled: 1,
            classes: 2,
        };
        let norm = |channels| NormAffine {
            weight: Tensor::ones([channels], &device),
            bias: Tensor::zeros([1], &device),
        };
        let config = OfdLossConfig::new().with_convention(OfdConvention::Mdistiller);
        let build = |channels| {
            let setup = Setup::new(shapes(), shapes());
            config.build(&setup.with_norms(vec![norm(1), norm(channels)]), &device)
        };
        assert!(build(1).is_ok());
        let error = build(3).expect_err("a mistake");
        assert_eq!(
            error.to_string(),
            "ofd: `norms` is a weight of [3] and a bias of [1], expected vectors with the \
             channels of the teacher's maps"
        );
    }

    #[test]
    #[should_panic(expected = "ofd needs 1 maps before the activation: the student has 0")]
    fn missing_maps_are_named() {
        let device = Device::default();
        let features = crate::Features {
            maps: vec![row([1.0])],
            preact: Vec::new(),
            pooled: Tensor::zeros([1, 1], &device),
            logits: Tensor::zeros([1, 2], &device),
        };
        identity(OfdConvention::Zoo).term(&Step::new(&features, &features));
    }

    #[test]
    #[should_panic(expected = "ofd: the student has 2 maps, the teacher 1, expected 1")]
    fn other_numbers_of_maps_are_refused() {
        let map = row([1.0]);
        identity(OfdConvention::Zoo).forward(&[map.clone(), map.clone()], &[map]);
    }
}
