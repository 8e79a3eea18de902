//! Contrastive representation distillation.

use burn::config::Config;
use burn::module::{Module, RunningState};
use burn::tensor::activation::log_sigmoid;
use burn::tensor::{Device, Distribution, IndexingUpdateOp, Int, Tensor};
use kd_core::host;
use kd_nn::Draws;
use serde::{Deserialize, Serialize};

use crate::adapters::{Embed, EmbedConfig, normalize};
use crate::gate::sample_sums;
use crate::info::Register;
use crate::range::{at_least_one, positive, within};
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, Pair, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// Added to denominators by the reference.
const EPSILON: f64 = 1e-7;

/// Stands for the logarithm of a scale that no batch has set; any that is set is far above.
const UNSET: f64 = -1e30;

/// Scores `[rows, samples]` that are held at once: 256 MiB of f32.
const LARGEST_SCORES: usize = 1 << 26;

/// Places of draws in a step.
const NEGATIVES: u32 = 0;
const POSITIVE: u32 = 1;

/// Where the contrasted samples come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum CrdSampling {
    /// The sample itself against any others: needs no labels.
    Uniform,
    /// The sample itself against samples of other classes (RepDistiller's `exact`).
    #[default]
    Exact,
    /// Any sample of its class against samples of other classes (RepDistiller's `relax`).
    Relax,
}

/// Configuration of [`CrdLoss`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct CrdLossConfig {
    /// Length of the embeddings. Default 128.
    pub dim: usize,
    /// Number `K` of negatives per sample. Default 16384.
    pub negatives: usize,
    /// Temperature of the scores. Default 0.07.
    pub temperature: f64,
    /// Momentum of the memory banks, in `[0, 1)`. Default 0.5.
    pub momentum: f64,
    /// Where the contrasted samples come from. Default [`CrdSampling::Exact`].
    pub sampling: CrdSampling,
}

impl Config for CrdLossConfig {}

impl Default for CrdLossConfig {
    fn default() -> Self {
        Self {
            dim: 128,
            negatives: 16384,
            temperature: 0.07,
            momentum: 0.5,
            sampling: CrdSampling::default(),
        }
    }
}

impl CrdLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the length of the embeddings.
    pub fn with_dim(mut self, dim: usize) -> Self {
        self.dim = dim;
        self
    }

    /// Sets the number of negatives per sample.
    pub fn with_negatives(mut self, negatives: usize) -> Self {
        self.negatives = negatives;
        self
    }

    /// Sets the temperature of the scores.
    pub fn with_temperature(mut self, temperature: f64) -> Self {
        self.temperature = temperature;
        self
    }

    /// Sets the momentum of the memory banks.
    pub fn with_momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// Sets where the contrasted samples come from.
    pub fn with_sampling(mut self, sampling: CrdSampling) -> Self {
        self.sampling = sampling;
        self
    }

    /// Initializes the loss for vectors of these lengths and `samples` training samples, whose
    /// labels are needed to sample by class.
    ///
    /// # Errors
    ///
    /// If a parameter is out of range, if labels are needed and not there, or if they are all the
    /// same, so that there are no negatives.
    pub fn init(
        &self,
        lengths: Pair<usize>,
        samples: usize,
        labels: Option<&[usize]>,
        device: &Device,
    ) -> Result<CrdLoss, LossError> {
        self.check(samples)?;
        let classes = match (self.sampling, labels) {
            (CrdSampling::Uniform, _) => None,
            (_, Some(labels)) if labels.len() == samples => Some(Classes::new(labels, device)?),
            (_, Some(labels)) => {
                return Err(LossError::Parameter {
                    method: "crd",
                    parameter: "labels",
                    value: format!("a list of {}", labels.len()),
                    expected: "one for each training sample",
                });
            }
            (_, None) => {
                return Err(LossError::Incomplete {
                    method: "crd",
                    what: "the labels of all training samples (Setup::with_labels), \
                           or `sampling: uniform`",
                });
            }
        };
        let plain = device.clone().inner();
        // As the reference draws them: not of norm 1 before the first update.
        let bound = 1.0 / (self.dim as f64 / 3.0).sqrt();
        let bank = || {
            let fill = Distribution::Uniform(-bound, bound);
            let rows = Tensor::<2>::random([samples, self.dim], fill, &host()).to_device(&plain);
            RunningState::new(Tensor::from_inner(rows))
        };
        let unset = || RunningState::new(Tensor::from_inner(Tensor::full([1], UNSET, &plain)));
        Ok(CrdLoss {
            embed_student: EmbedConfig::new(lengths.student, self.dim).init(device),
            embed_teacher: EmbedConfig::new(lengths.teacher, self.dim).init(device),
            largest: LARGEST_SCORES,
            memory_student: bank(),
            memory_teacher: bank(),
            log_scale_student: unset(),
            log_scale_teacher: unset(),
            classes,
            samples,
            negatives: self.negatives,
            temperature: self.temperature,
            momentum: self.momentum,
            relax: self.sampling == CrdSampling::Relax,
        })
    }

    fn check(&self, samples: usize) -> Result<(), LossError> {
        at_least_one("crd", "dim", self.dim)?;
        at_least_one("crd", "negatives", self.negatives)?;
        positive("crd", "temperature", self.temperature)?;
        let inside = (0.0..1.0).contains(&self.momentum);
        let expected = "at least 0 and below 1";
        within("crd", "momentum", self.momentum, inside, expected)?;
        if samples < 2 {
            return Err(LossError::Incomplete {
                method: "crd",
                what: "the number of training samples (Setup::with_samples), 2 or more",
            });
        }
        Ok(())
    }
}

/// Contrastive representation distillation (Tian, Krishnan & Isola 2020,
/// <https://arxiv.org/abs/1910.10699>): a student's vector is to be told from those of other
/// samples by the teacher's vector of the same sample, and the other way round.
///
/// With embeddings `v` of the student's and `w` of the teacher's vector, of norm 1, banks of the
/// embeddings `V` and `W` of all `M` training samples, and for each sample the index `j = 0` of a
/// positive and `K` of negatives:
///
/// ```text
/// h_j = exp( v · W_j / T ) / Z,      P = K / M
/// L_s = − 1/N Σ_n [ log h_0 / (h_0 + P + ε)  +  Σ_{j≥1} log P / (h_j + P + ε) ]
/// L   = L_s + L_t,                    L_t the same with w and V
/// ```
///
/// `Z` is the mean of `exp(v · W_j / T)` over the first batch, times `M`, and constant from then
/// on. After the scores are computed, the banks' rows of the batch move towards the embeddings
/// (`momentum`) and get the norm 1.
///
/// The scores of *all* samples are one product of matrices, of which the contrasted ones are
/// taken; large banks are done in slices of the batch. The reference gathers `K + 1` rows of both
/// banks for each sample: for a batch of 64, `K` = 16384 and a length of 128 that is 512 MiB a
/// bank, here 12 MiB for CIFAR. Logarithms are those of sigmoids, so that nothing overflows.
///
/// Negatives are drawn on the device, with replacement, as the estimator assumes; RepDistiller's
/// loader draws them without replacement where a class leaves enough of them.
///
/// The same samples must not occur twice in a batch.
#[derive(Module, Debug)]
pub struct CrdLoss {
    /// The embedding of the student's vectors.
    pub embed_student: Embed,
    /// The embedding of the teacher's vectors.
    pub embed_teacher: Embed,
    /// Embeddings of all training samples by the student, `[samples, dim]`.
    pub memory_student: RunningState<Tensor<2>>,
    /// Embeddings of all training samples by the teacher, `[samples, dim]`.
    pub memory_teacher: RunningState<Tensor<2>>,
    /// `log Z` of the student's scores, `[1]`; -1e30 before the first batch.
    pub log_scale_student: RunningState<Tensor<1>>,
    /// `log Z` of the teacher's scores, `[1]`; -1e30 before the first batch.
    pub log_scale_teacher: RunningState<Tensor<1>>,
    classes: Option<Classes>,
    largest: usize,
    /// Number of training samples.
    pub samples: usize,
    /// Number of negatives a sample.
    pub negatives: usize,
    /// Temperature of the scores.
    pub temperature: f64,
    /// Momentum of the memory banks.
    pub momentum: f64,
    /// Whether the positive is any sample of the class.
    pub relax: bool,
}

/// The training samples, class by class.
#[derive(Module, Debug)]
struct Classes {
    /// Indices of the samples, sorted by class.
    order: Tensor<1, Int>,
    /// Where each class starts in `order`.
    starts: Tensor<1, Int>,
    /// Number of samples of each class.
    counts: Tensor<1, Int>,
}

impl Classes {
    fn new(labels: &[usize], device: &Device) -> Result<Self, LossError> {
        let classes = labels.iter().max().map_or(0, |label| label + 1);
        let mut counts = vec![0i32; classes];
        for label in labels {
            counts[*label] += 1;
        }
        if counts.iter().any(|count| *count as usize == labels.len()) {
            return Err(LossError::Incomplete {
                method: "crd",
                what: "samples of more than one class: there are no negatives",
            });
        }
        let starts: Vec<i32> = counts
            .iter()
            .scan(0, |sum, count| {
                let start = *sum;
                *sum += count;
                Some(start)
            })
            .collect();
        let mut order: Vec<i32> = (0..labels.len() as i32).collect();
        order.sort_by_key(|index| labels[*index as usize]);
        let plain = device.clone().inner();
        let tensor = |values: Vec<i32>| Tensor::<1, Int>::from_ints(&*values, &plain);
        Ok(Self {
            order: tensor(order),
            starts: tensor(starts),
            counts: tensor(counts),
        })
    }
}

/// Whole numbers from 0 to below `limit`, one limit for each row of `[rows, 1]`, of numbers
/// `[rows, columns]` in `[0, 1)`.
fn draw(limit: Tensor<2, Int>, uniform: Tensor<2>) -> Tensor<2, Int> {
    let limit = limit.expand(uniform.dims());
    let drawn = (uniform * limit.clone().float()).floor().int();
    // Rounding in f32 may reach the limit itself.
    drawn.min_pair(limit - 1)
}

impl CrdLoss {
    /// Draws the samples to contrast with: the positive in the first column, then the negatives;
    /// without `draws`, by the device's own generator.
    ///
    /// # Shapes
    ///
    /// - indices: `[batch]`, of the samples in the training set
    /// - labels: `[batch]`; they are not read if the sampling is uniform
    /// - output: `[batch, 1 + negatives]`
    ///
    /// # Panics
    ///
    /// If the sampling is by class and there are no labels.
    pub fn draw(
        &self,
        indices: &Tensor<1, Int>,
        labels: Option<&Tensor<1, Int>>,
        draws: Option<&Draws>,
    ) -> Tensor<2, Int> {
        let uniform = |place, columns| {
            let shape = [indices.dims()[0], columns];
            kd_nn::uniform(draws, place, shape, &indices.device())
        };
        let indices = indices.clone().inner();
        let batch = indices.dims()[0];
        let own: Tensor<2, Int> = indices.unsqueeze_dim(1);
        let Some(classes) = &self.classes else {
            // The others: an index from the own one on is the next one.
            let limit = own.full_like(self.samples as i64 - 1);
            let drawn = draw(limit, uniform(NEGATIVES, self.negatives));
            let shift = drawn
                .clone()
                .greater_equal(own.clone().expand(drawn.dims()));
            return Tensor::cat(vec![own, drawn + shift.int()], 1);
        };
        let Some(labels) = labels else {
            panic!("crd needs the labels of the batch: call `Step::with_labels`");
        };
        let labels = labels.clone().inner();
        let of_class = |values: &Tensor<1, Int>| -> Tensor<2, Int> {
            values
                .clone()
                .inner()
                .select(0, labels.clone())
                .unsqueeze_dim(1)
        };
        let (starts, counts) = (of_class(&classes.starts), of_class(&classes.counts));
        let at = |places: Tensor<2, Int>| -> Tensor<2, Int> {
            let shape = places.dims();
            let order = classes.order.clone().inner();
            order.select(0, places.flatten(0, 1)).reshape(shape)
        };
        // Places in the sorted order, the class itself left out.
        let others = counts.clone().neg() + self.samples as i64;
        let others = draw(others, uniform(NEGATIVES, self.negatives));
        let shape = [batch, self.negatives];
        let behind = others.clone().greater_equal(starts.clone().expand(shape));
        let negatives = at(others + behind.int() * counts.clone().expand(shape));
        let positive = if self.relax {
            at(starts + draw(counts, uniform(POSITIVE, 1)))
        } else {
            own
        };
        Tensor::cat(vec![positive, negatives], 1)
    }

    /// The loss; the banks' rows of the batch are updated. The teacher's vectors are constants,
    /// their embedding is trained.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, length]` as given to [`CrdLossConfig::init`]
    /// - teacher: `[batch, other length]` as given to [`CrdLossConfig::init`]
    /// - indices: `[batch]`, of the samples in the training set, none twice
    /// - contrast: `[batch, 1 + K]`, the positive's index first ([`CrdLoss::draw`])
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the batches differ in size, or the vectors have other lengths than the embeddings.
    pub fn forward(
        &self,
        student: Tensor<2>,
        teacher: Tensor<2>,
        indices: Tensor<1, Int>,
        contrast: Tensor<2, Int>,
    ) -> Tensor<1> {
        self.forward_gated(student, teacher, indices, contrast, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`]. Only their rows of the banks are updated, and
    /// the first batch with a chosen sample sets `Z`.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(
        &self,
        student: Tensor<2>,
        teacher: Tensor<2>,
        indices: Tensor<1, Int>,
        contrast: Tensor<2, Int>,
        gate: &Gate,
    ) -> Tensor<1> {
        let (student_shape, teacher_shape) = (student.dims(), teacher.dims());
        assert!(
            student_shape[0] == teacher_shape[0]
                && [student_shape[0]] == indices.dims()
                && student_shape[0] == contrast.dims()[0]
                && contrast.dims()[1] > 1,
            "crd: the student's vectors are {student_shape:?}, the teacher's are {teacher_shape:?}, \
             for indices {:?} and contrasts {:?}",
            indices.dims(),
            contrast.dims()
        );
        let (indices, contrast) = (indices.inner(), contrast.inner());
        let student = self.embed_student.forward(student);
        let teacher = self.embed_teacher.forward(gate.teacher(teacher));
        let memory_student = self.memory_student.value_sync().inner();
        let memory_teacher = self.memory_teacher.value_sync().inner();

        // Both against the banks as they were before this batch.
        let student_loss = self.contrast(
            &student,
            &memory_teacher,
            &contrast,
            &self.log_scale_student,
            gate,
        );
        let teacher_loss = self.contrast(
            &teacher,
            &memory_student,
            &contrast,
            &self.log_scale_teacher,
            gate,
        );
        self.remember(
            &self.memory_student,
            memory_student,
            student,
            &indices,
            gate,
        );
        self.remember(
            &self.memory_teacher,
            memory_teacher,
            teacher,
            &indices,
            gate,
        );
        student_loss + teacher_loss
    }

    fn contrast(
        &self,
        embedded: &Tensor<2>,
        memory: &Tensor<2>,
        contrast: &Tensor<2, Int>,
        scale: &RunningState<Tensor<1>>,
        gate: &Gate,
    ) -> Tensor<1> {
        let negatives = contrast.dims()[1] - 1;
        let scores = scores(embedded, memory, contrast, self.largest) / self.temperature;

        let old = scale.value_sync().inner();
        let first = log_mean_exp(scores.clone().inner(), gate) + (self.samples as f64).ln();
        // A gate without a chosen sample has no mean, and sets nothing.
        let unset = old.clone().lower_equal_elem(UNSET / 2.0).int()
            * first.clone().greater_elem(UNSET / 2.0).int();
        let new = old.mask_where(unset.equal_elem(1), first);
        scale.update(Tensor::from_inner(new.clone()));
        scale.value_sync();
        let unset = new.clone().lower_equal_elem(UNSET / 2.0);
        let log_scale: Tensor<2> = new.mask_fill(unset, 0.0).unsqueeze();

        // log h − log(P + ε), of which every term is a sigmoid.
        let prior = negatives as f64 / self.samples as f64;
        let odds = scores - log_scale - (prior + EPSILON).ln();
        let positive = log_sigmoid(odds.clone().narrow(1, 0, 1));
        let negative = log_sigmoid(odds.narrow(1, 1, negatives).neg());
        let shift = negatives as f64 * (prior / (prior + EPSILON)).ln();
        gate.mean((sample_sums(positive) + sample_sums(negative) + shift).neg())
    }

    fn remember(
        &self,
        state: &RunningState<Tensor<2>>,
        bank: Tensor<2>,
        embedded: Tensor<2>,
        indices: &Tensor<1, Int>,
        gate: &Gate,
    ) {
        let old = bank.clone().select(0, indices.clone());
        let moved = old.clone() * self.momentum + embedded.inner() * (1.0 - self.momentum);
        let change = gate.keep(normalize(moved) - old);
        let bank = bank.select_assign(0, indices.clone(), change, IndexingUpdateOp::Add);
        state.update(Tensor::from_inner(bank));
        state.value_sync();
    }
}

/// Logarithm of the mean of `exp(scores)` over the chosen rows, `[1]`; far below any other value if
/// there are none.
fn log_mean_exp(scores: Tensor<2>, gate: &Gate) -> Tensor<1> {
    let [batch, columns] = scores.dims();
    let rows = match gate.entries() {
        None => scores,
        Some(entries) => {
            let closed = entries.clone().equal_elem(0.0).unsqueeze_dim::<2>(1);
            scores.mask_fill(closed.expand([batch, columns]), UNSET)
        }
    };
    let largest = rows.clone().max();
    let sum = (rows - largest.clone().unsqueeze::<2>()).exp().sum();
    let count = match gate.count() {
        None => Tensor::full([1], batch as f64, &sum.device()),
        Some(count) => count,
    };
    sum.log() + largest - (count * columns as f64).log()
}

/// Inner products of each row with the bank's rows that `contrast` names for it, `[batch, 1 + K]`.
fn scores(
    rows: &Tensor<2>,
    bank: &Tensor<2>,
    contrast: &Tensor<2, Int>,
    largest: usize,
) -> Tensor<2> {
    let (batch, samples) = (rows.dims()[0], bank.dims()[0]);
    let slice = (largest / samples).clamp(1, batch.max(1));
    let bank = bank.clone().transpose();
    let parts = (0..batch)
        .step_by(slice)
        .map(|start| {
            let length = slice.min(batch - start);
            rows.clone()
                .narrow(0, start, length)
                .matmul(bank.clone())
                .gather(1, contrast.clone().narrow(0, start, length))
        })
        .collect();
    Tensor::cat(parts, 0)
}

impl Register for CrdLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "crd",
        aliases: &["contrastive"],
        title: "Contrastive representation distillation",
        paper: "Tian, Krishnan & Isola 2020, Contrastive Representation Distillation, \
                https://arxiv.org/abs/1910.10699",
        weights: LossWeights::method(0.8),
        parameters: &[
            ParameterInfo {
                name: "dim",
                description: "length of the embeddings",
            },
            ParameterInfo {
                name: "negatives",
                description: "number of negatives per sample",
            },
            ParameterInfo {
                name: "temperature",
                description: "temperature of the scores",
            },
            ParameterInfo {
                name: "momentum",
                description: "momentum of the memory banks",
            },
            ParameterInfo {
                name: "sampling",
                description: "negatives: `uniform`, or of other classes with the sample itself \
                              (`exact`) or one of its class (`relax`) as the positive",
            },
        ],
    };
}

impl LossConfig for CrdLossConfig {
    type Loss = CrdLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Pooled)
            .with_labels()
            .with_indices()
            .with_teacher_gradient()
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<CrdLoss, LossError> {
        let samples = setup.require(
            "crd",
            "the number of training samples: Setup::with_samples or Setup::with_labels",
            setup.samples,
        )?;
        self.init(setup.pooled(), samples, setup.labels.as_deref(), device)
    }
}

impl DistillationLoss for CrdLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let indices = step.expect_indices("crd");
        let contrast = self.draw(&indices, step.labels, step.draws);
        let (student, teacher) = (step.student.pooled.clone(), step.teacher.pooled.clone());
        step.scaled(
            0,
            self.forward_gated(student, teacher, indices, contrast, &step.gate(0)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LENGTHS: Pair<usize> = Pair {
        student: 3,
        teacher: 5,
    };

    const LABELS: [usize; 8] = [0, 1, 2, 0, 1, 2, 0, 1];

    fn loss(sampling: CrdSampling, device: &Device) -> CrdLoss {
        CrdLossConfig::new()
            .with_dim(4)
            .with_negatives(40)
            .with_sampling(sampling)
            .init(LENGTHS, LABELS.len(), Some(&LABELS), device)
            .expect("a loss")
    }

    fn rows(batch: usize, length: usize) -> Tensor<2> {
        let fill = Distribution::Normal(0.0, 1.0);
        crate::testing::random([batch, length], fill, &Device::default())
    }

    fn integers(values: &[i32]) -> Tensor<1, Int> {
        Tensor::from_ints(values, &Device::default())
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("f32")
    }

    #[test]
    fn samples_are_drawn_as_the_mode_says() {
        let device = Device::default();
        let own = [3, 7, 5, 0];
        let labels = integers(&[0, 1, 2, 0]);
        for sampling in [CrdSampling::Uniform, CrdSampling::Exact, CrdSampling::Relax] {
            let drawn = loss(sampling, &device).draw(&integers(&own), Some(&labels), None);
            assert_eq!(drawn.dims(), [4, 41]);
            let drawn: Vec<i64> = drawn.into_data().iter::<i64>().collect();
            for (row, own) in drawn.chunks(41).zip(own) {
                let label = |index: i64| LABELS[index as usize];
                let own = i64::from(own);
                assert_eq!(label(row[0]), label(own), "{sampling:?}");
                if sampling != CrdSampling::Relax {
                    assert_eq!(row[0], own, "{sampling:?}");
                }
                let mut found: Vec<i64> = row[1..].to_vec();
                found.sort_unstable();
                found.dedup();
                // 40 draws of at most 7: as good as all of them occur.
                let allowed = (0..8).filter(|index| match sampling {
                    CrdSampling::Uniform => *index != own,
                    _ => label(*index) != label(own),
                });
                let allowed: Vec<i64> = allowed.collect();
                assert!(
                    found.iter().all(|index| allowed.contains(index)),
                    "{found:?}"
                );
                assert!(found.len() + 2 > allowed.len(), "{found:?}");
            }
        }
    }

    #[test]
    fn the_first_batch_sets_the_scale_and_the_banks_move() {
        let device = Device::default().autodiff();
        let loss = loss(CrdSampling::Exact, &device);
        let indices = integers(&[6, 2]);
        let before = values(loss.memory_student.value());
        let contrast = loss.draw(&indices, Some(&integers(&[0, 2])), None);
        let step = || {
            let value = loss.forward(rows(2, 3), rows(2, 5), indices.clone(), contrast.clone());
            (
                value.into_scalar::<f32>(),
                values(loss.log_scale_student.value())[0],
            )
        };
        let (first, scale) = step();
        assert!(first.is_finite() && first > 0.0 && scale > -1e3);
        assert_eq!(step().1, scale);
        let after = values(loss.memory_student.value());
        for (row, (old, new)) in before.chunks(4).zip(after.chunks(4)).enumerate() {
            if [6, 2].contains(&row) {
                let norm: f32 = new.iter().map(|value| value * value).sum();
                assert!((norm - 1.0).abs() < 1e-5);
            } else {
                assert_eq!(old, new);
            }
        }
    }

    #[test]
    fn a_low_temperature_does_not_overflow() {
        let device = Device::default().autodiff();
        let loss = CrdLossConfig::new()
            .with_temperature(1e-3)
            .with_dim(4)
            .with_negatives(5)
            .with_sampling(CrdSampling::Uniform)
            .init(LENGTHS, 8, None, &device)
            .expect("a loss");
        let indices = integers(&[6, 2]);
        for _ in 0..2 {
            let contrast = loss.draw(&indices, None, None);
            let value = loss.forward(rows(2, 3), rows(2, 5), indices.clone(), contrast);
            assert!(value.into_scalar::<f32>().is_finite());
        }
    }

    #[test]
    fn slices_of_the_batch_change_nothing() {
        let (rows, bank) = (rows(5, 3), rows(7, 3));
        let contrast = Tensor::<1, Int>::from_ints([0, 6, 2, 2, 1, 5, 3, 4, 6, 0], &rows.device())
            .reshape([5, 2]);
        let all = scores(&rows, &bank, &contrast, 1000);
        // Slices of two rows, two and one.
        let sliced = scores(&rows, &bank, &contrast, 14);
        assert!((all.clone() - sliced).abs().max().into_scalar::<f32>() < 1e-6);
        let gathered = bank.select(0, contrast.flatten(0, 1)).reshape([5, 2, 3]);
        let naive = gathered
            .matmul(rows.unsqueeze_dim::<3>(2))
            .squeeze_dim::<2>(2);
        assert!((all - naive).abs().max().into_scalar::<f32>() < 1e-5);
    }

    #[test]
    fn mistakes_are_typed_errors() {
        let message = |config: CrdLossConfig, samples, labels: Option<&[usize]>| {
            config
                .init(Pair::both(2), samples, labels, &Device::default())
                .expect_err("a mistake")
                .to_string()
        };
        let new = CrdLossConfig::new;
        assert_eq!(
            message(new().with_momentum(1.0), 8, None),
            "crd: `momentum` is 1, expected at least 0 and below 1"
        );
        assert_eq!(
            message(new(), 8, None),
            "crd needs the labels of all training samples (Setup::with_labels), \
             or `sampling: uniform`"
        );
        assert_eq!(
            message(new(), 3, Some(&[1; 3])),
            "crd needs samples of more than one class: there are no negatives"
        );
        assert!(message(new(), 1, None).contains("2 or more"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn gated_equals_gathered(chosen in prop::collection::vec(any::<bool>(), 6)) {
            let device = Device::default().autodiff();
            let gathered_loss = loss(CrdSampling::Exact, &device);
            let gated_loss = gathered_loss.valid().train();
            let at: Vec<i32> = (0..6).filter(|i| chosen[*i as usize]).collect();
            let entries: Vec<f32> = chosen.iter().map(|chosen| f32::from(*chosen)).collect();
            let gate = Gate::new(Tensor::from_floats(&*entries, &device));
            let student = Tensor::from_inner(rows(6, 3)).require_grad();
            let teacher = rows(6, 5);
            let indices = integers(&[1, 3, 4, 0, 7, 6]);
            let contrast = gated_loss.draw(&indices, Some(&integers(&[1, 0, 1, 0, 1, 0])), None);

            let gated = gated_loss.forward_gated(
                student.clone(), teacher.clone(), indices.clone(), contrast.clone(), &gate,
            );
            let grads = gated.backward();
            let gradient = student.grad(&grads).expect("a gradient");
            if at.is_empty() {
                prop_assert_eq!(gated.into_scalar::<f32>(), 0.0);
                prop_assert_eq!(gradient.abs().max().into_scalar::<f32>(), 0.0);
                prop_assert_eq!(values(gated_loss.log_scale_student.value()), [UNSET as f32]);
            } else {
                let at = integers(&at);
                let expected = gathered_loss.forward(
                    student.clone().select(0, at.clone()),
                    teacher.select(0, at.clone()),
                    indices.select(0, at.clone()),
                    contrast.select(0, at),
                );
                let difference = (gated - expected.clone()).abs().into_scalar::<f32>();
                prop_assert!(difference < 1e-3, "{}", difference);
                let grads = expected.backward();
                let wanted = student.grad(&grads).expect("a gradient");
                let scale = wanted.clone().abs().max().into_scalar::<f32>();
                let difference = (gradient - wanted).abs().max().into_scalar::<f32>();
                prop_assert!(difference <= 1e-4 * scale, "{} of {}", difference, scale);
            }
            let bank = |loss: &CrdLoss| loss.memory_teacher.value();
            let difference = (bank(&gated_loss) - bank(&gathered_loss)).abs().max();
            prop_assert!(difference.into_scalar::<f32>() < 1e-6);
        }
    }
}
