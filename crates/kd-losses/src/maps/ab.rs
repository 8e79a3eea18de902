//! Activation boundaries.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::adapters::{Regressor, RegressorConfig};
use crate::gate::{gate_at, sample_means, sample_sums};
use crate::info::Register;
use crate::range::weight;
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, Pair, ParameterInfo,
    Pretrain, Requirements, Setup, Site, Step,
};

/// RepDistiller's scale of the sum.
const SCALE: f64 = 3.0 / 1000.0;

/// How the terms of a map and of the stages are put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum AbConvention {
    /// RepDistiller's, after the authors' code: the sum over a sample's elements times 0.003, the
    /// last stage at 1 and every earlier one at half of the next.
    #[default]
    RepDistiller,
    /// Knowledge-Distillation-Zoo's: the mean over a map's elements, all stages alike.
    Zoo,
}

/// Configuration of [`AbLoss`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AbLossConfig {
    /// How far from 0 the student's response is to be, 0 or more. Default 1.
    /// Knowledge-Distillation-Zoo has 2.
    pub margin: f64,
    /// How the terms are put together. Default [`AbConvention::RepDistiller`].
    pub convention: AbConvention,
}

impl Config for AbLossConfig {}

impl Default for AbLossConfig {
    fn default() -> Self {
        Self {
            margin: 1.0,
            convention: AbConvention::default(),
        }
    }
}

impl AbLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets margin of the student's response around 0.
    pub fn with_margin(mut self, margin: f64) -> Self {
        self.margin = margin;
        self
    }

    /// Sets how the terms are put together.
    pub fn with_convention(mut self, convention: AbConvention) -> Self {
        self.convention = convention;
        self
    }

    /// Initializes the loss for pairs of maps of these shapes, `[channels, height, width]`, with a
    /// connector where they differ: a [`Regressor`] without ReLU, which is 1×1 for maps of the same
    /// height and width.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if the margin is negative or not finite, and
    /// [`LossError::NoRegressor`] if no convolution leads from one shape to the other.
    pub fn init(&self, maps: &[Pair<[usize; 3]>], device: &Device) -> Result<AbLoss, LossError> {
        weight("ab", "margin", self.margin)?;
        let connector = |Pair { student, teacher }: &Pair<[usize; 3]>| {
            let config = RegressorConfig::new(*student, *teacher).with_use_relu(false);
            (student != teacher)
                .then(|| config.init(device))
                .transpose()
        };
        Ok(AbLoss {
            connectors: maps.iter().map(connector).collect::<Result<_, _>>()?,
            margin: self.margin,
            convention: self.convention,
        })
    }
}

/// Activation boundaries (Heo et al. 2019, <https://arxiv.org/abs/1811.03233>): the student's
/// neurons are to be active where the teacher's are, by a margin; how active does not matter.
///
/// For responses `s` of the student (through a connector where shapes differ) and `t` of the
/// teacher, *before* the activation, and a margin `m`:
///
/// ```text
/// ρ(s, t) = max(0, s + m)²  if t ≤ 0,
///           max(0, m − s)²  if t > 0
/// L = 3/1000 · Σ_k 2^(k − K) · 1/N Σ ρ( s_k, t_k )      stages k = 1 … K
/// ```
///
/// The paper trains the student by this loss alone in a phase of its own, and by labels and `kd`
/// afterwards. So here: the default weight in the main phase is 0, and pretraining minimizes it.
/// RepDistiller's version has the weights and the factor 3/1000, for a loss of the same order as
/// the authors'; see [`AbConvention`].
#[derive(Module, Debug)]
pub struct AbLoss {
    /// A connector for each stage, where the shapes differ.
    pub connectors: Vec<Option<Regressor>>,
    /// How far from 0 the student's response is to be.
    pub margin: f64,
    /// How the terms are put together.
    #[module(skip)]
    pub convention: AbConvention,
}

impl AbLoss {
    /// The loss of all pairs of maps; the teacher's are constants.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, channels, height, width]` for each stage
    /// - teacher: `[batch, channels, height, width]` for each stage
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the number of maps is not that of [`AbLossConfig::init`], or if they have other
    /// shapes.
    pub fn forward(&self, student: &[Tensor<4>], teacher: &[Tensor<4>]) -> Tensor<1> {
        self.forward_gated(student, teacher, &[])
    }

    /// The loss of the chosen samples, each stage a spot: see [`Gate`]. The connectors' batch norms
    /// take their statistics from them alone.
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
        self.forward_stages(student, teacher, gates)
            .into_iter()
            .reduce(|sum, loss| sum + loss)
            .unwrap_or_else(|| panic!("ab: there are no maps"))
    }

    /// The part of each stage, weighted: the loss is their sum.
    ///
    /// # Panics
    ///
    /// As [`forward_gated`](Self::forward_gated).
    pub fn forward_stages(
        &self,
        student: &[Tensor<4>],
        teacher: &[Tensor<4>],
        gates: &[Gate],
    ) -> Vec<Tensor<1>> {
        let (student_maps, teacher_maps, known) =
            (student.len(), teacher.len(), self.connectors.len());
        assert!(
            student_maps == known && teacher_maps == known,
            "ab: the student has {student_maps} maps, the teacher {teacher_maps}, and the loss was initialized \
             for {known}"
        );
        (0..known)
            .map(|stage| {
                let (student, teacher) = (student[stage].clone(), teacher[stage].clone());
                let weight = match self.convention {
                    AbConvention::RepDistiller => SCALE / 2f64.powi((known - 1 - stage) as i32),
                    AbConvention::Zoo => 1.0,
                };
                let gate = gate_at(gates, stage);
                gate.scaled(self.stage(stage, student, teacher, &gate)) * weight
            })
            .collect()
    }

    fn stage(
        &self,
        stage: usize,
        student: Tensor<4>,
        teacher: Tensor<4>,
        gate: &Gate,
    ) -> Tensor<1> {
        let student = match &self.connectors[stage] {
            Some(connector) => connector.forward_gated(student, gate),
            None => student,
        };
        let (student_shape, teacher_shape) = (student.dims(), teacher.dims());
        assert_eq!(
            student_shape, teacher_shape,
            "ab: the student's map arrives as {student_shape:?}, the teacher's is {teacher_shape:?}"
        );
        // 1 where the teacher's neuron is silent, −1 where it is active: the student is too far
        // on the other side by `m + sign · s`.
        let sign = teacher.inner().lower_equal_elem(0.0).float() * 2.0 - 1.0;
        let excess = (student * sign + self.margin).clamp_min(0.0).square();
        gate.mean(match self.convention {
            AbConvention::RepDistiller => sample_sums(excess),
            AbConvention::Zoo => sample_means(excess),
        })
    }
}

impl Register for AbLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "ab",
        aliases: &["boundary"],
        title: "Activation boundaries: which neurons are active",
        paper: "Heo et al. 2019, Knowledge Transfer via Distillation of Activation Boundaries \
                Formed by Hidden Neurons, https://arxiv.org/abs/1811.03233",
        weights: LossWeights::method(0.0),
        parameters: &[
            ParameterInfo {
                name: "margin",
                description: "margin of the student's response around 0",
            },
            ParameterInfo {
                name: "convention",
                description: "how terms are combined: `repdistiller` or `zoo`",
            },
        ],
    };
}

impl LossConfig for AbLossConfig {
    type Loss = AbLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::EachStage).with_preact()
    }

    fn pretrain(&self) -> Pretrain {
        Pretrain::Student
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<AbLoss, LossError> {
        let stages = 1..=setup.stages("ab")?;
        let maps: Result<Vec<_>, _> = stages.map(|stage| setup.maps("ab", stage)).collect();
        self.init(&maps?, device)
    }
}

impl DistillationLoss for AbLoss {
    /// All stages but the stem, as in RepDistiller; one spot for each.
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let stages = self.connectors.len();
        let (student, teacher) = (&step.student.preact, &step.teacher.preact);
        assert!(
            student.len() == stages + 1 && teacher.len() == stages + 1,
            "ab needs the maps before the activation of the stem and {stages} stages: the student \
             has {}, the teacher {}",
            student.len(),
            teacher.len()
        );
        self.forward_gated(&student[1..], &teacher[1..], &step.gates_of(stages))
    }

    fn pretrain(&self, step: &Step<'_>) -> Option<Tensor<1>> {
        Some(self.term(step))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FeatureShapes;

    fn loss(convention: AbConvention, stages: usize) -> AbLoss {
        AbLossConfig::new()
            .with_convention(convention)
            .init(&vec![Pair::both([1, 2, 2]); stages], &Device::default())
            .expect("a loss")
    }

    fn row(values: [f32; 4]) -> Tensor<4> {
        Tensor::<1>::from_floats(values, &Device::default()).reshape([1, 1, 2, 2])
    }

    #[test]
    fn a_worked_example() {
        // Silent teachers: 0.5 and −3 of the student are 1.5 and −2 too far; active ones: 0.5 and
        // 3 of the student are 0.5 and −2 too far.
        let student = row([0.5, -3.0, 0.5, 3.0]);
        let teacher = row([-1.0, 0.0, 0.1, 9.0]);
        let sum = 1.5f32.powi(2) + 0.5f32.powi(2);
        let value = |convention, stages: usize| -> f32 {
            let maps = |map: &Tensor<4>| vec![map.clone(); stages];
            loss(convention, stages)
                .forward(&maps(&student), &maps(&teacher))
                .into_scalar()
        };
        let close = |found: f32, expected: f32| (found - expected).abs() < 1e-6;
        assert!(close(value(AbConvention::Zoo, 1), sum / 4.0));
        assert!(close(value(AbConvention::Zoo, 2), sum / 2.0));
        let one = value(AbConvention::RepDistiller, 1);
        assert!(close(one, sum * 0.003));
        let two = value(AbConvention::RepDistiller, 2);
        assert!(close(two, sum * 0.003 * 1.5));
    }

    #[test]
    fn the_strength_of_a_response_beyond_the_margin_does_not_matter() {
        let teacher = row([-1.0, -2.0, 3.0, 4.0]);
        let student = teacher.clone() * 5.0;
        let value = loss(AbConvention::RepDistiller, 1).forward(&[student], &[teacher]);
        assert_eq!(value.into_scalar::<f32>(), 0.0);
    }

    #[test]
    fn mistakes_are_typed_errors() {
        let device = Device::default();
        let error = AbLossConfig::new()
            .with_margin(-1.0)
            .init(&[], &device)
            .expect_err("a mistake");
        assert_eq!(
            error.to_string(),
            "ab: `margin` is -1, expected a finite number, at least 0"
        );
    }

    #[test]
    fn maps_of_other_sizes_are_connected() {
        let device = Device::default();
        let shapes = |channels, size| FeatureShapes {
            maps: vec![[1, 8, 8], [channels, size, size]],
            pooled: 1,
            classes: 2,
        };
        for size in [2, 4, 8] {
            let loss = AbLossConfig::new()
                .build(&Setup::new(shapes(3, 4), shapes(1, size)), &device)
                .expect("a loss");
            let teacher = Tensor::ones([2, 1, size, size], &device);
            let value = loss.forward(&[Tensor::ones([2, 3, 4, 4], &device)], &[teacher]);
            assert!(value.into_scalar::<f32>().is_finite(), "{size}");
        }
    }

    #[test]
    #[should_panic(expected = "the student has 1 maps, the teacher 2, and the loss was init")]
    fn other_numbers_of_maps_are_refused() {
        let map = row([0.0; 4]);
        let teacher = [map.clone(), map.clone()];
        loss(AbConvention::Zoo, 2).forward(&[map], &teacher);
    }
}
