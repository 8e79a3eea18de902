//! Semantic calibration of stages.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::adapters::{CrossLayerRegressor, CrossLayerRegressorConfig, MlpEmbed, MlpEmbedConfig};
use crate::gate::sample_means;
use crate::info::Register;
use crate::pool::{pool_to, smaller};
use crate::range::at_least_one;
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, Pair, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// Configuration of [`SemCkdLoss`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SemCkdLossConfig {
    /// The samples of a batch divided by this, and at least 2, is the length of queries and keys.
    /// Default 4.
    pub factor: usize,
}

impl Config for SemCkdLossConfig {}

impl Default for SemCkdLossConfig {
    fn default() -> Self {
        Self { factor: 4 }
    }
}

impl SemCkdLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the divisor of the samples of a batch.
    pub fn with_factor(mut self, factor: usize) -> Self {
        self.factor = factor;
        self
    }

    /// Initializes the loss for stages with these channels, and batches of up to `batch` samples.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if the factor is 0; [`LossError::Incomplete`] if a network has no
    /// stage or the batch no sample.
    pub fn init(
        &self,
        channels: Pair<&[usize]>,
        batch: usize,
        device: &Device,
    ) -> Result<SemCkdLoss, LossError> {
        let Pair { student, teacher } = channels;
        at_least_one("semckd", "factor", self.factor)?;
        if student.is_empty() || teacher.is_empty() || batch == 0 {
            return Err(LossError::Incomplete {
                method: "semckd",
                what: "a stage after the stem in both networks, and a batch of 1 or more samples",
            });
        }
        // Of norm 1, a vector of length 1 is only a sign, and learns nothing.
        let length = (batch / self.factor).max(2);
        let embed = |_: &usize| MlpEmbedConfig::new(batch, 2 * length, length).init(device);
        let row = |student: &usize| {
            let regressor =
                |teacher: &usize| CrossLayerRegressorConfig::new(*student, *teacher).init(device);
            teacher.iter().map(regressor).collect()
        };
        Ok(SemCkdLoss {
            queries: student.iter().map(embed).collect(),
            keys: teacher.iter().map(embed).collect(),
            regressors: student.iter().map(row).collect(),
            batch,
        })
    }
}

/// Semantic calibration (SemCKD; Chen et al. 2020, <https://arxiv.org/abs/2012.03236>): every stage
/// of the student follows all stages of the teacher, the more the more alike they are.
///
/// For stage `i` of the student and `j` of the teacher, with the similarities `F Fᵀ` of the samples
/// in the batch (`F`: flattened maps) as input of two-layer embeddings `q_i` and `k_j`, and
/// regressors `r_ij` to the teacher's channels:
///
/// ```text
/// α_nij = softmax over j of ( q_i(S_i)_n · k_j(T_j)_n )
/// L     = 1/(N · I) · Σ_nij α_nij · mean over values of ( r_ij(s_i)_n − t_jn )²
/// ```
///
/// The larger map is average-pooled to the smaller size first. Embeddings and regressors are trained
/// with the student.
///
/// The embeddings read a row of similarities to *all* samples of the batch, so their input has the
/// length of a batch, and the loss depends on the order of the samples. The reference fails on a
/// shorter last batch; here the missing similarities are 0. With a gate, the chosen samples form
/// such a shorter batch. The reference's embeddings hold a second branch that is never used; it is
/// not here.
///
/// Queries and keys are at least 2 wide: of norm 1, a vector of length 1 is only a sign, and learns
/// nothing. The reference makes them 1 wide where `batch / factor` is 1, as for batches of 4 with the
/// default factor; there the values differ.
#[derive(Module, Debug)]
pub struct SemCkdLoss {
    /// Embeddings of the student's similarities, one a stage.
    pub queries: Vec<MlpEmbed>,
    /// Embeddings of the teacher's similarities, one a stage.
    pub keys: Vec<MlpEmbed>,
    /// Regressors, `[student's stage][teacher's stage]`.
    pub regressors: Vec<Vec<CrossLayerRegressor>>,
    /// Samples in the largest batch.
    pub batch: usize,
}

impl SemCkdLoss {
    /// The loss; the teacher's maps are constants.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, channels, height, width]` each, as given to [`SemCkdLossConfig::init`]
    /// - teacher: `[batch, channels, height, width]` each, as given to [`SemCkdLossConfig::init`]
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the batch is larger than configured, or if numbers of maps, batches or channels are
    /// others.
    pub fn forward(&self, student: &[Tensor<4>], teacher: &[Tensor<4>]) -> Tensor<1> {
        self.forward_gated(student, teacher, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`].
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
        let teacher: Vec<_> = teacher.iter().map(|map| map.clone().inner()).collect();
        let batches = student.iter().chain(&teacher).map(|map| map.dims()[0]);
        let batches: Vec<usize> = batches.collect();
        assert!(
            batches.iter().all(|batch| *batch == batches[0]),
            "semckd: the maps have batches of {batches:?}"
        );
        let attention = self.attention(student, &teacher, gate);
        let [batch, stages, _] = attention.dims();

        let mut losses = Vec::new();
        for (map, regressors) in student.iter().zip(&self.regressors) {
            for (target, regressor) in teacher.iter().zip(regressors) {
                let size = smaller(map, target);
                let found = regressor.forward_gated(pool_to(map.clone(), size), gate);
                let target = pool_to(target.clone(), size);
                let loss = sample_means((found - target).square());
                losses.push(loss.unsqueeze_dim::<2>(1));
            }
        }
        // In the order of the attention: the chosen samples first.
        let losses = gate.compact(Tensor::cat(losses, 1));
        let sum = (losses * attention.reshape([batch as i32, -1])).sum() / stages as f64;
        match gate.count() {
            None => sum / batch as f64,
            Some(count) => sum / count,
        }
    }

    /// The weights `[batch, student's stages, teacher's stages]`. With a gate, the chosen samples
    /// come first.
    ///
    /// # Panics
    ///
    /// As [`forward_gated`](Self::forward_gated).
    pub fn attention(
        &self,
        student: &[Tensor<4>],
        teacher: &[Tensor<4>],
        gate: &Gate,
    ) -> Tensor<3> {
        let (student_maps, teacher_maps) = (student.len(), teacher.len());
        assert!(
            student_maps == self.queries.len() && teacher_maps == self.keys.len(),
            "semckd: the student has {student_maps} maps and the teacher {teacher_maps}, expected {} and {}",
            self.queries.len(),
            self.keys.len()
        );
        let embed = |maps: &[Tensor<4>], embeds: &[MlpEmbed]| -> Tensor<3> {
            let rows = maps.iter().zip(embeds);
            let rows = rows.map(|(map, embed)| {
                let similarities = self.similarities(map.clone(), gate);
                embed.forward(similarities).unsqueeze_dim::<3>(1)
            });
            Tensor::cat(rows.collect(), 1)
        };
        let queries = embed(student, &self.queries);
        let keys = embed(teacher, &self.keys);
        softmax(queries.matmul(keys.swap_dims(1, 2)), 2)
    }

    /// Similarities of the chosen samples, `[batch, configured batch]`, filled up with zeros.
    fn similarities(&self, map: Tensor<4>, gate: &Gate) -> Tensor<2> {
        let batch = map.dims()[0];
        assert!(
            batch <= self.batch,
            "semckd: a batch of {batch} samples is larger than the {} it was initialized for",
            self.batch
        );
        let rows = gate.compact(map.flatten(1, 3));
        let similarities = rows.clone().matmul(rows.transpose());
        if batch == self.batch {
            return similarities;
        }
        let missing = Tensor::zeros([batch, self.batch - batch], &similarities.device());
        Tensor::cat(vec![similarities, missing], 1)
    }
}

impl Register for SemCkdLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "semckd",
        aliases: &["semantic"],
        title: "Semantic calibration: all stages of the teacher, by similarity",
        paper: "Chen et al. 2020, Cross-Layer Distillation with Semantic Calibration, \
                https://arxiv.org/abs/2012.03236",
        weights: LossWeights::method(400.0),
        parameters: &[ParameterInfo {
            name: "factor",
            description: "samples of a batch for each value of queries and keys",
        }],
    };
}

impl LossConfig for SemCkdLossConfig {
    type Loss = SemCkdLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::AllStages)
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<SemCkdLoss, LossError> {
        let what = "the number of samples in a batch: Setup::with_batch";
        let batch = setup.require("semckd", what, setup.batch)?;
        let channels =
            |maps: &[[usize; 3]]| -> Vec<usize> { maps.iter().skip(1).map(|map| map[0]).collect() };
        let (student, teacher) = (channels(&setup.student.maps), channels(&setup.teacher.maps));
        let channels = Pair {
            student: &student[..],
            teacher: &teacher[..],
        };
        self.init(channels, batch, device)
    }
}

impl DistillationLoss for SemCkdLoss {
    /// All stages but the stem.
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let (student, teacher) = (&step.student.maps[1..], &step.teacher.maps[1..]);
        step.scaled(0, self.forward_gated(student, teacher, &step.gate(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    fn map(shape: [usize; 4]) -> Tensor<4> {
        crate::testing::random(shape, Distribution::Normal(0.0, 1.0), &Device::default())
    }

    fn loss(batch: usize) -> SemCkdLoss {
        let config = SemCkdLossConfig::new().with_factor(2);
        config
            .init(
                Pair {
                    student: &[2, 3],
                    teacher: &[3, 4],
                },
                batch,
                &Device::default(),
            )
            .expect("a loss")
    }

    fn maps(batch: usize) -> [Vec<Tensor<4>>; 2] {
        [
            vec![map([batch, 2, 4, 4]), map([batch, 3, 2, 2])],
            vec![map([batch, 3, 2, 2]), map([batch, 4, 4, 4])],
        ]
    }

    #[test]
    fn weights_of_each_stage_add_up_to_one() {
        let [student, teacher] = maps(6);
        let attention = loss(6).attention(&student, &teacher, &Gate::all());
        assert_eq!(attention.dims(), [6, 2, 2]);
        let sums: Vec<f32> = attention.sum_dim(2).into_data().try_to_vec().expect("f32");
        assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5));
    }

    #[test]
    fn a_shorter_batch_works() {
        let [student, teacher] = maps(3);
        let value = loss(6).forward(&student, &teacher).into_scalar::<f32>();
        assert!(value.is_finite() && value > 0.0);
    }

    #[test]
    #[should_panic(expected = "a batch of 6 samples is larger than the 4 it was initialized for")]
    fn a_longer_batch_is_refused() {
        let [student, teacher] = maps(6);
        loss(4).forward(&student, &teacher);
    }

    #[test]
    #[should_panic(expected = "the student has 1 maps and the teacher 2, expected 2 and 2")]
    fn other_numbers_of_maps_are_refused() {
        let [student, teacher] = maps(4);
        loss(4).forward(&student[..1], &teacher);
    }

    #[test]
    fn mistakes_are_typed_errors() {
        let device = Device::default();
        let message = |config: SemCkdLossConfig, stages: &[usize]| {
            let error = config
                .init(
                    Pair {
                        student: stages,
                        teacher: &[1],
                    },
                    4,
                    &device,
                )
                .expect_err("a mistake");
            error.to_string()
        };
        assert_eq!(
            message(SemCkdLossConfig::new().with_factor(0), &[1]),
            "semckd: `factor` is 0, expected 1 or more"
        );
        assert!(message(SemCkdLossConfig::new(), &[]).contains("a stage after the stem"));
    }
}
