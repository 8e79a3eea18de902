//! Neuron selectivity transfer.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::gate::sample_sums;
use crate::info::Register;
use crate::norms::unit_channels;
use crate::pool::{pool_to, smaller};
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// Configuration of [`NstLoss`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct NstLossConfig {
    /// The only stage whose maps are compared; the stem is 0. Default: all stages but the stem.
    pub stage: Option<usize>,
}

impl Config for NstLossConfig {}

impl NstLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the only stage whose maps are compared.
    pub fn with_stage(mut self, stage: Option<usize>) -> Self {
        self.stage = stage;
        self
    }

    /// Initializes the loss.
    ///
    /// # Errors
    ///
    /// None so far: it is the form of every loss.
    pub fn init(&self) -> Result<NstLoss, LossError> {
        Ok(NstLoss { stage: self.stage })
    }
}

/// Neuron selectivity transfer (Huang & Wang 2017, <https://arxiv.org/abs/1707.01219>, with the
/// polynomial kernel of degree 2): the channels of both networks, as samples of where neurons
/// respond, are to have the same distribution.
///
/// The squared maximum mean discrepancy between the channels `a_i` of the student and `b_j` of the
/// teacher, each flattened to `H · W` values and divided by its norm:
///
/// ```text
/// L = mean_n [ mean_ij (a_i · a_j)² + mean_ij (b_i · b_j)² − 2 mean_ij (a_i · b_j)² ]
/// ```
///
/// The larger map is average-pooled to the smaller size first. Several stages add up, as in
/// RepDistiller; Knowledge-Distillation-Zoo compares the last one only
/// ([`stage`](NstLossConfig::stage)). The teacher's own part is a constant, but belongs to the value.
///
/// The references build the products of all pairs of channels at all positions, `[N, C, C, H·W]`.
/// Here the sums of squares are those of Gram matrices: with the channels as rows of `A` and `B`,
/// `Σ (a_i · b_j)² = ‖A Bᵀ‖² = ⟨AᵀA, BᵀB⟩`. Where there are fewer positions than channels, the
/// loss is `‖AᵀA / C_s − BᵀB / C_t‖²` in matrices `[H·W, H·W]`, else three matrices of channels.
#[derive(Module, Debug)]
pub struct NstLoss {
    /// The only stage that the registry takes the maps from; all but the stem if absent.
    #[module(skip)]
    pub stage: Option<usize>,
}

impl NstLoss {
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
            "nst: the student's map is {student_shape:?}, the teacher's is {teacher_shape:?}"
        );
        let size = smaller(&student, &teacher);
        let student = channels(pool_to(student, size));
        let teacher = channels(pool_to(gate.teacher(teacher), size));
        gate.mean(discrepancy(student, teacher))
    }
}

/// The channels `[batch, channels, positions]`, each of norm 1.
fn channels(map: Tensor<4>) -> Tensor<3> {
    unit_channels(map.flatten(2, 3), 0.0)
}

/// The discrepancy of each sample, `[batch]`.
fn discrepancy(student: Tensor<3>, teacher: Tensor<3>) -> Tensor<1> {
    let ([_, student_channels, positions], [_, teacher_channels, _]) =
        (student.dims(), teacher.dims());
    let gram = |a: &Tensor<3>, b: &Tensor<3>| a.clone().matmul(b.clone().swap_dims(1, 2));
    if positions * positions <= student_channels * (student_channels + teacher_channels) {
        let gram = |rows: Tensor<3>| {
            let count = rows.dims()[1] as f64;
            rows.clone().swap_dims(1, 2).matmul(rows) / count
        };
        let (student, teacher) = (gram(student), gram(teacher));
        let squares = sample_sums((student - teacher.clone()).square());
        if !teacher.is_autodiff() {
            return squares;
        }
        // The teacher's own part keeps its value and loses its gradient.
        let own = sample_sums(teacher.square());
        return squares + (own.clone().detach() - own);
    }
    let mean = |gram: Tensor<3>| {
        let [_, rows, columns] = gram.dims();
        sample_sums(gram.square()) / (rows * columns) as f64
    };
    mean(gram(&teacher, &teacher).inner()) + mean(gram(&student, &student))
        - mean(gram(&student, &teacher)) * 2.0
}

impl Register for NstLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "nst",
        aliases: &["selectivity"],
        title: "Neuron selectivity transfer: where neurons respond",
        paper: "Huang & Wang 2017, Like What You Like: Knowledge Distill via Neuron Selectivity \
                Transfer, https://arxiv.org/abs/1707.01219",
        weights: LossWeights::method(50.0),
        parameters: &[ParameterInfo {
            name: "stage",
            description: "the only stage whose maps are compared; the stem is 0, null is all but \
                          the stem",
        }],
    };
}

impl LossConfig for NstLossConfig {
    type Loss = NstLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        let site = match self.stage {
            Some(stage) => Site::Stage(Some(stage)),
            None => Site::EachStage,
        };
        Requirements::at(site).with_teacher_gradient()
    }

    fn build(&self, setup: &Setup, _device: &Device) -> Result<NstLoss, LossError> {
        match self.stage {
            Some(stage) => setup.maps("nst", stage).map(drop)?,
            None => setup.stages("nst").map(drop)?,
        }
        self.init()
    }
}

impl DistillationLoss for NstLoss {
    /// One spot for each stage.
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        if self.stage.is_some() {
            let (student, teacher) = step.maps_at(self.stage);
            return step.scaled(0, self.forward_gated(student, teacher, &step.gate(0)));
        }
        step.over_stages(|_, student, teacher, gate| self.forward_gated(student, teacher, gate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    fn map(shape: [usize; 4]) -> Tensor<4> {
        crate::testing::random(shape, Distribution::Normal(0.0, 1.0), &Device::default())
    }

    fn value(student: &Tensor<4>, teacher: &Tensor<4>) -> f32 {
        let loss = NstLossConfig::new().init().expect("a loss");
        loss.forward(student.clone(), teacher.clone()).into_scalar()
    }

    /// As it is defined: the products of all pairs of channels at all positions.
    fn naive(student: &Tensor<4>, teacher: &Tensor<4>) -> f32 {
        let kernel = |a: &Tensor<3>, b: &Tensor<3>| {
            let products = a.clone().unsqueeze_dim::<4>(2) * b.clone().unsqueeze_dim::<4>(1);
            products.sum_dim(3).square().mean()
        };
        let (student, teacher) = (channels(student.clone()), channels(teacher.clone()));
        let value = kernel(&student, &student) + kernel(&teacher, &teacher)
            - kernel(&student, &teacher) * 2.0;
        value.into_scalar()
    }

    #[test]
    fn both_forms_are_the_definition() {
        // More positions than channels, and fewer.
        for [own, others, side] in [[3, 5, 4], [9, 12, 2], [12, 3, 3]] {
            let (student, teacher) = (map([2, own, side, side]), map([2, others, side, side]));
            let (found, expected) = (value(&student, &teacher), naive(&student, &teacher));
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }

    #[test]
    fn the_order_and_scale_of_channels_do_not_matter() {
        for side in [2, 4] {
            let (student, teacher) = (map([2, 6, side, side]), map([2, 9, side, side]));
            let before = value(&student, &teacher);
            let changed = student.clone().flip([1]) * 5.0;
            assert!((value(&changed, &teacher) - before).abs() < 1e-6);
            assert_eq!(value(&student, &student), 0.0);
        }
    }

    #[test]
    fn wide_maps_of_large_networks_fit() {
        let (student, teacher) = (map([8, 512, 4, 4]), map([8, 2048, 4, 4]));
        assert!(value(&student, &teacher).is_finite());
    }

    #[test]
    #[should_panic(
        expected = "nst: the student's map is [2, 2, 2, 2], the teacher's is [3, 2, 2, 2]"
    )]
    fn batches_are_not_broadcast() {
        value(&map([2, 2, 2, 2]), &map([3, 2, 2, 2]));
    }
}
