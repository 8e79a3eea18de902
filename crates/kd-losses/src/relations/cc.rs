//! Correlation congruence.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::adapters::{Embed, EmbedConfig, normalize};
use crate::gate::sample_sums;
use crate::info::Register;
use crate::range::{at_least_one, positive, within};
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, Pair, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// What is called correlation congruence: the public implementations are different losses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CcConvention {
    /// RepDistiller's and that of spot-adaptive distillation: products of the differences of
    /// neighboring samples of the batch, after linear embeddings.
    #[default]
    RepDistiller,
    /// Knowledge-Distillation-Zoo's, and the paper's: a Gaussian kernel between all samples, by
    /// its Taylor series.
    Zoo,
}

/// Configuration of [`CcLoss`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct CcLossConfig {
    /// Which loss it is. Default [`CcConvention::RepDistiller`].
    pub convention: CcConvention,
    /// RepDistiller: length of the embeddings. Default 128.
    pub dim: usize,
    /// RepDistiller: whether the teacher's embedding is trained. Default true, as RepDistiller
    /// does; spot-adaptive distillation detaches it, so that it keeps its initial values.
    pub train_teacher_embedding: bool,
    /// Zoo: `γ` of the Gaussian kernel. Default 0.4.
    pub gamma: f64,
    /// Zoo: highest power of the Taylor series, 1 to 64. Default 2.
    pub order: u32,
}

impl Config for CcLossConfig {}

impl Default for CcLossConfig {
    fn default() -> Self {
        Self {
            convention: CcConvention::default(),
            dim: 128,
            train_teacher_embedding: true,
            gamma: 0.4,
            order: 2,
        }
    }
}

impl CcLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets which loss it is.
    pub fn with_convention(mut self, convention: CcConvention) -> Self {
        self.convention = convention;
        self
    }

    /// Sets the length of the embeddings.
    pub fn with_dim(mut self, dim: usize) -> Self {
        self.dim = dim;
        self
    }

    /// Sets whether the teacher's embedding is trained.
    pub fn with_train_teacher_embedding(mut self, train: bool) -> Self {
        self.train_teacher_embedding = train;
        self
    }

    /// Sets `γ` of the Gaussian kernel.
    pub fn with_gamma(mut self, gamma: f64) -> Self {
        self.gamma = gamma;
        self
    }

    /// Sets the highest power of the Taylor series.
    pub fn with_order(mut self, order: u32) -> Self {
        self.order = order;
        self
    }

    /// Initializes the loss for vectors of these lengths.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if `dim` is 0 or `gamma` is not a positive finite number.
    pub fn init(&self, lengths: Pair<usize>, device: &Device) -> Result<CcLoss, LossError> {
        at_least_one("cc", "dim", self.dim)?;
        let order = f64::from(self.order);
        within(
            "cc",
            "order",
            order,
            (1.0..=64.0).contains(&order),
            "1 to 64",
        )?;
        positive("cc", "gamma", self.gamma)?;
        let embed = |length| {
            EmbedConfig::new(length, self.dim)
                .with_normalize(false)
                .init(device)
        };
        let embeds = match self.convention {
            CcConvention::RepDistiller => Some(CcEmbeds {
                student: embed(lengths.student),
                teacher: embed(lengths.teacher),
            }),
            CcConvention::Zoo => None,
        };
        Ok(CcLoss {
            embeds,
            train_teacher_embedding: self.train_teacher_embedding,
            gamma: self.gamma,
            order: self.order,
        })
    }
}

/// Correlation congruence (Peng et al. 2019, <https://arxiv.org/abs/1904.01802>): relations
/// between the samples of a batch.
///
/// Two losses go by this name; [`CcConvention`] chooses.
///
/// ```text
/// RepDistiller:  δ_i = | E_s(s_i) − E_t(t_i) |,   L = 1/(N−1) · Σ_i δ_i · δ_{i+1}
/// Zoo, paper:    C(f)_ij = e^{−2γ} · Σ_{p=0..P} (2γ)^p / p! · (f̂_i · f̂_j)^p,
///                L = mean over i, j of ( C(s)_ij − C(t)_ij )²
/// ```
///
/// for vectors `s` and `t` (pooled features) with linear embeddings `E` that are trained with the
/// student, or `f̂` of norm 1. `C` is the Taylor series of the Gaussian kernel
/// `exp(−γ ‖f̂_i − f̂_j‖²)`.
///
/// RepDistiller's form depends on the order of the samples in the batch, which is random; with a
/// gate, the neighbors are those among the chosen samples. A single sample has no neighbor and
/// gives 0 (NaN in the reference).
#[derive(Module, Debug)]
pub struct CcLoss {
    /// The embeddings of RepDistiller's convention.
    pub embeds: Option<CcEmbeds>,
    /// Whether the teacher's embedding is trained.
    pub train_teacher_embedding: bool,
    /// `γ` of the Gaussian kernel.
    pub gamma: f64,
    /// Highest power of the Taylor series.
    pub order: u32,
}

/// The embeddings of [`CcLoss`].
#[derive(Module, Debug)]
pub struct CcEmbeds {
    /// Of the student's vectors.
    pub student: Embed,
    /// Of the teacher's vectors.
    pub teacher: Embed,
}

impl CcLoss {
    /// The loss; the teacher's vectors are constants.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, length]` as given to [`CcLossConfig::init`]
    /// - teacher: `[batch, other length]` as given to [`CcLossConfig::init`]
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the batches differ in size, or the vectors have other lengths than the embeddings.
    pub fn forward(&self, student: Tensor<2>, teacher: Tensor<2>) -> Tensor<1> {
        self.forward_gated(student, teacher, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(&self, student: Tensor<2>, teacher: Tensor<2>, gate: &Gate) -> Tensor<1> {
        let (student_shape, teacher_shape) = (student.dims(), teacher.dims());
        assert_eq!(
            student_shape[0], teacher_shape[0],
            "cc: the student's vectors are {student_shape:?}, the teacher's are {teacher_shape:?}"
        );
        match &self.embeds {
            Some(embeds) => {
                let teacher = embeds.teacher.forward(gate.teacher(teacher));
                let teacher = if self.train_teacher_embedding {
                    teacher
                } else {
                    teacher.inner()
                };
                neighbors(embeds.student.forward(student), teacher, gate)
            }
            None => {
                let kernel = |rows| taylor(rows, self.gamma, self.order);
                gate.pair_mean((kernel(student) - kernel(gate.teacher(teacher))).square())
            }
        }
    }
}

/// RepDistiller's loss of embedded vectors of the same length.
pub(crate) fn neighbors(student: Tensor<2>, teacher: Tensor<2>, gate: &Gate) -> Tensor<1> {
    let batch = student.dims()[0];
    if batch < 2 {
        // Nothing to multiply; the product keeps the graph.
        return (student - teacher).sum() * 0.0;
    }
    // Rows that are not chosen are 0 and at the end: products with them are 0.
    let delta = gate.compact((student - teacher).abs());
    let products = delta.clone().narrow(0, 0, batch - 1) * delta.narrow(0, 1, batch - 1);
    let sum = sample_sums(products).sum();
    match gate.count() {
        None => sum / (batch - 1) as f64,
        Some(count) => sum / (count - 1.0).clamp_min(1.0),
    }
}

/// The Gaussian kernel between the rows by its Taylor series, `[batch, batch]`.
fn taylor(rows: Tensor<2>, gamma: f64, order: u32) -> Tensor<2> {
    let rows = normalize(rows);
    let cosines = rows.clone().matmul(rows.transpose());
    // Horner's scheme: 1 + x/1 · (1 + x/2 · (1 + …)) with x = 2γ · cosine.
    let series = (1..=order).rev().fold(cosines.ones_like(), |series, p| {
        series * cosines.clone() * (2.0 * gamma / f64::from(p)) + 1.0
    });
    series * (-2.0 * gamma).exp()
}

impl Register for CcLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "cc",
        aliases: &["correlation"],
        title: "Correlation congruence between the samples of a batch",
        paper: "Peng et al. 2019, Correlation Congruence for Knowledge Distillation, \
                https://arxiv.org/abs/1904.01802",
        weights: LossWeights::method(0.02),
        parameters: &[
            ParameterInfo {
                name: "convention",
                description: "`repdistiller` (neighbors in the batch) or `zoo` (Gaussian kernel)",
            },
            ParameterInfo {
                name: "dim",
                description: "length of the embeddings (repdistiller)",
            },
            ParameterInfo {
                name: "train_teacher_embedding",
                description: "whether the teacher's embedding is trained (repdistiller)",
            },
            ParameterInfo {
                name: "gamma",
                description: "γ of the Gaussian kernel (zoo)",
            },
            ParameterInfo {
                name: "order",
                description: "highest power of its Taylor series (zoo)",
            },
        ],
    };

    /// Those of the two public implementations.
    fn weights(&self) -> LossWeights {
        match self.convention {
            CcConvention::RepDistiller => Self::INFO.weights,
            CcConvention::Zoo => LossWeights::method(100.0),
        }
    }
}

impl LossConfig for CcLossConfig {
    type Loss = CcLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Pooled).with_teacher_gradient()
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<CcLoss, LossError> {
        self.init(setup.pooled(), device)
    }
}

impl DistillationLoss for CcLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let (student, teacher) = (step.student.pooled.clone(), step.teacher.pooled.clone());
        step.scaled(0, self.forward_gated(student, teacher, &step.gate(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Distribution, Int};
    use proptest::prelude::*;

    const LENGTHS: Pair<usize> = Pair {
        student: 3,
        teacher: 5,
    };

    fn rows(batch: usize, length: usize) -> Tensor<2> {
        let fill = Distribution::Normal(0.0, 1.0);
        crate::testing::random([batch, length], fill, &Device::default())
    }

    fn zoo(gamma: f64, order: u32) -> CcLoss {
        CcLossConfig::new()
            .with_convention(CcConvention::Zoo)
            .with_gamma(gamma)
            .with_order(order)
            .init(Pair::both(1), &Device::default())
            .expect("a loss")
    }

    #[test]
    fn neighbors_are_multiplied() {
        let device = Device::default();
        let student = Tensor::from_floats([[1.0, -1.0], [2.0, 0.0], [0.0, 3.0]], &device);
        let value = neighbors(student.clone(), student.zeros_like(), &Gate::all());
        // (1·2 + 1·0 + 2·0 + 0·3) / 2
        assert_eq!(value.into_scalar::<f32>(), 1.0);
        let gate = Gate::new(Tensor::from_floats([0.0, 1.0, 1.0], &device));
        let value = neighbors(student.clone(), student.zeros_like() + 1.0, &gate);
        // |2−1|·|0−1| + |0−1|·|3−1| of the two that are chosen.
        assert_eq!(value.into_scalar::<f32>(), 3.0);
    }

    #[test]
    fn the_series_is_the_gaussian_kernel() {
        let rows = rows(4, 3);
        let norm = normalize(rows.clone());
        let distance = (norm.clone().unsqueeze_dim::<3>(0) - norm.unsqueeze_dim::<3>(1))
            .square()
            .sum_dim(2)
            .squeeze_dim::<2>(2);
        let kernel = (distance * -0.4).exp();
        let error = (taylor(rows, 0.4, 12) - kernel).abs().max();
        assert!(error.into_scalar::<f32>() < 1e-5);
    }

    #[test]
    fn one_sample_gives_zero() {
        let device = Device::default();
        let loss = CcLossConfig::new().init(LENGTHS, &device).expect("a loss");
        assert_eq!(
            loss.forward(rows(1, 3), rows(1, 5)).into_scalar::<f32>(),
            0.0
        );
    }

    #[test]
    fn the_kernel_ignores_order_scale_and_rotation() {
        let (student, teacher) = (rows(5, 2), rows(5, 3));
        let loss = zoo(0.4, 3);
        let value =
            |s: &Tensor<2>, t: &Tensor<2>| loss.forward(s.clone(), t.clone()).into_scalar::<f32>();
        let before = value(&student, &teacher);
        let (sin, cos) = 0.7f32.sin_cos();
        let turn = Tensor::from_floats([[cos, sin], [-sin, cos]], &Device::default());
        let turned = student.clone().matmul(turn) * 3.0;
        assert!((value(&turned, &teacher) - before).abs() < 1e-5);
        let flipped = value(&student.clone().flip([0]), &teacher.flip([0]));
        assert!((flipped - before).abs() < 1e-6);
        assert_eq!(value(&student, &student), 0.0);
    }

    #[test]
    fn mistakes_are_typed_errors() {
        let message = |config: CcLossConfig| {
            config
                .init(Pair::both(2), &Device::default())
                .expect_err("a mistake")
                .to_string()
        };
        assert_eq!(
            message(CcLossConfig::new().with_dim(0)),
            "cc: `dim` is 0, expected 1 or more"
        );
        assert_eq!(
            message(CcLossConfig::new().with_gamma(-1.0)),
            "cc: `gamma` is -1, expected a positive finite number"
        );
    }

    #[test]
    #[should_panic(expected = "cc: the student's vectors are [2, 3], the teacher's are [1, 3]")]
    fn batches_are_not_broadcast() {
        zoo(0.4, 2).forward(rows(2, 3), rows(1, 3));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn gated_equals_gathered(chosen in prop::collection::vec(any::<bool>(), 6), which in 0..2) {
            let device = Device::default().autodiff();
            let loss = match which {
                0 => CcLossConfig::new().with_dim(4).init(LENGTHS, &device).expect("a loss"),
                _ => zoo(0.4, 2),
            };
            let indices: Vec<i32> = (0..6).filter(|i| chosen[*i as usize]).collect();
            let entries: Vec<f32> = chosen.iter().map(|chosen| f32::from(*chosen)).collect();
            let gate = Gate::new(Tensor::from_floats(&*entries, &device));
            let student = Tensor::from_inner(rows(6, 3)).require_grad();
            let teacher = rows(6, 5);

            let gated = loss.forward_gated(student.clone(), teacher.clone(), &gate);
            let grads = gated.backward();
            let gradient = student.grad(&grads).expect("a gradient");
            if indices.is_empty() {
                prop_assert_eq!(gated.into_scalar::<f32>(), 0.0);
                prop_assert_eq!(gradient.abs().max().into_scalar::<f32>(), 0.0);
            } else {
                let at = Tensor::<1, Int>::from_ints(&*indices, &device);
                let expected = loss.forward(
                    student.clone().select(0, at.clone()),
                    teacher.select(0, at.inner()),
                );
                let difference = (gated - expected.clone()).abs().into_scalar::<f32>();
                prop_assert!(difference < 1e-5);
                let grads = expected.backward();
                let wanted = student.grad(&grads).expect("a gradient");
                prop_assert!((gradient - wanted).abs().max().into_scalar::<f32>() < 1e-5);
            }
        }
    }
}
