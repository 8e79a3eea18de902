//! Singular vectors of feature maps.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::singular::Leading;
use crate::gate::{gate_at, sample_sums};
use crate::info::Register;
use crate::range::at_least_one;
use crate::surrogate::with_gradient;
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, Pair, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// Vectors of the student among which the counterpart of a teacher's vector is looked for, besides
/// as many as the teacher's.
const MORE: usize = 3;

/// Which matrix of a map is decomposed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum KdSvdConvention {
    /// RepDistiller's, and the paper's: positions × channels. Vectors have one entry a channel, so
    /// teacher and student need the same channels.
    #[default]
    RepDistiller,
    /// mdistiller's: (channels · rows) × columns of the map. Vectors have one entry a column of the
    /// map, so teacher and student need the same width.
    Mdistiller,
}

/// Configuration of [`KdSvdLoss`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct KdSvdLossConfig {
    /// Number of singular vectors of the teacher. Default 1.
    pub k: usize,
    /// Which matrix of a map is decomposed. Default [`KdSvdConvention::RepDistiller`].
    pub convention: KdSvdConvention,
}

impl Config for KdSvdLossConfig {}

impl Default for KdSvdLossConfig {
    fn default() -> Self {
        Self {
            k: 1,
            convention: KdSvdConvention::default(),
        }
    }
}

impl KdSvdLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the number of singular vectors of the teacher.
    pub fn with_k(mut self, k: usize) -> Self {
        self.k = k;
        self
    }

    /// Sets which matrix of a map is decomposed.
    pub fn with_convention(mut self, convention: KdSvdConvention) -> Self {
        self.convention = convention;
        self
    }

    /// Initializes the loss.
    ///
    /// # Errors
    ///
    /// [`LossError::Parameter`] if `k` is 0.
    pub fn init(&self) -> Result<KdSvdLoss, LossError> {
        at_least_one("kdsvd", "k", self.k)?;
        Ok(KdSvdLoss {
            k: self.k,
            convention: self.convention,
        })
    }
}

/// Knowledge distillation by singular value decomposition (Lee, Kim & Song 2018,
/// <https://arxiv.org/abs/1807.06819>): how the leading singular vectors of adjacent maps relate.
///
/// Of each map's matrix, the `k` leading right singular vectors `v` of the teacher are taken, and
/// for each the most similar (up to its sign, which is then made the same) of the student's `k + 3`
/// leading ones. All are multiplied by the teacher's singular values, normalized over the `k`.
///
/// ```text
/// R_ab = exp( − ( v_a − v'_b )² / 8 )     for vectors v, v' of adjacent maps, entry by entry
/// L    = Σ over adjacent maps of 1/N Σ_n Σ_ab ( R_ab(s) − R_ab(t) )²
/// ```
///
/// The sign of a teacher's vector is free and changes the value; here its entries do not add up to
/// less than 0, which for maps behind a ReLU is the sign of the leading vector without negative
/// entries. The references take what their decomposition returns.
///
/// The vectors are found on the device by subspace iteration, for matrices that are larger than
/// `k + 11` both ways; convergence is that of the gap to the eigenvalue after those, and smaller
/// matrices are exact to rounding. The gradient is that of the exact decomposition (perturbation of
/// eigenvectors). Where two singular values coincide, the vectors are not defined; their distance
/// is then taken to be 1e-6 of the largest, which keeps the gradient finite.
#[derive(Module, Debug)]
pub struct KdSvdLoss {
    /// Number of singular vectors of the teacher.
    pub k: usize,
    /// Which matrix of a map is decomposed.
    #[module(skip)]
    pub convention: KdSvdConvention,
}

/// The leading right singular vectors of a batch of maps: constants.
#[derive(Clone, Debug)]
pub struct SingularVectors {
    /// `[batch, length, k]`, of norm 1.
    pub vectors: Tensor<3>,
    /// Singular values, normalized over the `k`, `[batch, 1, k]`.
    pub values: Tensor<3>,
}

impl KdSvdLoss {
    /// The loss of at least two maps of both networks, in order; the teacher's are constants.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, channels, height, width]` each
    /// - teacher: the same number of maps, with the student's channels (RepDistiller) or width
    ///   (mdistiller)
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If there are fewer than two maps, or their numbers, batches, channels or widths differ.
    pub fn forward(&self, student: &[Tensor<4>], teacher: &[Tensor<4>]) -> Tensor<1> {
        self.forward_gated(student, teacher, &[])
    }

    /// The loss of the chosen samples, each pair of adjacent maps a spot: see [`Gate`].
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
        assert_eq!(
            student_maps, teacher_maps,
            "kdsvd: the student has {student_maps} maps, the teacher {teacher_maps}"
        );
        let teacher: Vec<_> = teacher
            .iter()
            .map(|map| self.decompose(map.clone()))
            .collect();
        self.forward_decomposed(student, &teacher, gates)
    }

    /// The teacher's part, for [`forward_decomposed`](Self::forward_decomposed).
    pub fn decompose(&self, map: Tensor<4>) -> SingularVectors {
        let leading = Leading::new(self.matrix(map), self.k);
        let values = leading.values();
        let norm = values.clone().square().sum_dim(2).clamp_min(1e-24).sqrt();
        SingularVectors {
            vectors: leading.vectors(),
            values: values / norm,
        }
    }

    /// The loss with respect to vectors of the teacher that are already known.
    ///
    /// # Panics
    ///
    /// As [`forward_gated`](Self::forward_gated).
    pub fn forward_decomposed(
        &self,
        student: &[Tensor<4>],
        teacher: &[SingularVectors],
        gates: &[Gate],
    ) -> Tensor<1> {
        assert!(
            student.len() == teacher.len() && student.len() > 1,
            "kdsvd: the student has {} maps, the teacher {}, but at least two are needed",
            student.len(),
            teacher.len()
        );
        let matrices: Vec<_> = student.iter().map(|map| self.matrix(map.clone())).collect();
        let leading: Vec<_> = matrices
            .iter()
            .map(|matrix| Leading::new(matrix.clone(), self.k + MORE))
            .collect();
        let vectors: Vec<_> = leading.iter().map(Leading::vectors).collect();
        for (student, teacher) in vectors.iter().zip(teacher) {
            let (student, teacher) = (student.dims(), teacher.vectors.dims());
            assert_eq!(
                student[..2],
                teacher[..2],
                "kdsvd: the student's singular vectors are {student:?}, the teacher's {teacher:?}"
            );
        }
        if !student.iter().any(Tensor::is_autodiff) {
            return compare(&vectors, teacher, gates);
        }
        // The decomposition has no graph: its gradient is computed here and handed on.
        let leaves: Vec<_> = vectors
            .into_iter()
            .map(|vectors| Tensor::from_inner(vectors).require_grad())
            .collect();
        let value = compare(&leaves, teacher, gates);
        let grads = value.backward();
        let gradients = matrices.into_iter().zip(leading.iter().zip(&leaves));
        gradients.fold(
            value.inner(),
            |loss, (matrix, (leading, leaf))| match leaf.grad(&grads) {
                Some(gradient) => loss + with_gradient(matrix, leading.gradient(gradient)),
                None => loss,
            },
        )
    }

    /// The matrix `[batch, rows, columns]` whose right singular vectors are compared.
    fn matrix(&self, map: Tensor<4>) -> Tensor<3> {
        let [batch, channels, height, width] = map.dims();
        match self.convention {
            KdSvdConvention::RepDistiller => map
                .reshape([batch, channels, height * width])
                .swap_dims(1, 2),
            KdSvdConvention::Mdistiller => map.reshape([batch, channels * height, width]),
        }
    }
}

/// The loss of the student's vectors `[batch, length, more]` of all maps.
fn compare(student: &[Tensor<3>], teacher: &[SingularVectors], gates: &[Gate]) -> Tensor<1> {
    let aligned: Vec<[Tensor<3>; 2]> = student
        .iter()
        .zip(teacher)
        .map(|(student, teacher)| {
            let own = align(student.clone(), &teacher.vectors);
            [own, teacher.vectors.clone()].map(|vectors| vectors * teacher.values.clone())
        })
        .collect();
    let losses = aligned.windows(2).enumerate().map(|(pair, maps)| {
        let [student, teacher] = [0, 1].map(|network| {
            let later: Tensor<4> = maps[1][network].clone().unsqueeze_dim(2);
            let earlier: Tensor<4> = maps[0][network].clone().unsqueeze_dim(1);
            ((later - earlier).square() * (-1.0 / 8.0)).exp()
        });
        let gate = gate_at(gates, pair);
        gate.scaled(gate.mean(sample_sums((student - teacher).square())))
    });
    Tensor::cat(losses.collect(), 0).sum()
}

/// For each vector of the teacher the most similar of the student, with the teacher's sign.
fn align(student: Tensor<3>, teacher: &Tensor<3>) -> Tensor<3> {
    let cosine = student
        .clone()
        .inner()
        .swap_dims(1, 2)
        .matmul(teacher.clone());
    let size = cosine.clone().abs();
    let most = size.clone().max_dim(1).expand(size.dims());
    let choice = cosine.sign() * size.equal(most).float();
    student.matmul(choice)
}

impl Register for KdSvdLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "kdsvd",
        aliases: &["svd"],
        title: "Singular vectors of adjacent maps",
        paper: "Lee, Kim & Song 2018, Self-supervised Knowledge Distillation Using Singular \
                Value Decomposition, https://arxiv.org/abs/1807.06819",
        weights: LossWeights::method(1.0),
        parameters: &[
            ParameterInfo {
                name: "k",
                description: "number of singular vectors of the teacher",
            },
            ParameterInfo {
                name: "convention",
                description: "matrix of a map: `repdistiller` (positions × channels) or \
                              `mdistiller` (channels and rows × columns)",
            },
        ],
    };
}

impl LossConfig for KdSvdLossConfig {
    type Loss = KdSvdLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::EachStage)
    }

    fn build(&self, setup: &Setup, _device: &Device) -> Result<KdSvdLoss, LossError> {
        let stages = setup.stages("kdsvd")?;
        for stage in 0..=stages {
            let Pair { student, teacher } = setup.maps("kdsvd", stage)?;
            let (axis, advice) = match self.convention {
                KdSvdConvention::RepDistiller => (
                    0,
                    "kdsvd compares channel with channel: use networks with equal channels",
                ),
                KdSvdConvention::Mdistiller => (
                    2,
                    "kdsvd compares column with column: use maps of equal width",
                ),
            };
            if student[axis] != teacher[axis] {
                return Err(LossError::Shapes {
                    stage,
                    student,
                    teacher,
                    advice,
                });
            }
        }
        self.init()
    }
}

impl DistillationLoss for KdSvdLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let spots = step.student.maps.len().saturating_sub(1);
        let gates: Vec<Gate> = (0..spots).map(|spot| step.gate(spot)).collect();
        self.forward_gated(&step.student.maps, &step.teacher.maps, &gates)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    fn maps(batch: usize) -> Vec<Tensor<4>> {
        let random = |shape: [usize; 4]| {
            crate::testing::random(shape, Distribution::Default, &Device::default())
        };
        vec![
            random([batch, 3, 4, 4]),
            random([batch, 5, 2, 2]),
            random([batch, 5, 2, 2]),
        ]
    }

    fn loss(convention: KdSvdConvention) -> KdSvdLoss {
        KdSvdLossConfig::new()
            .with_convention(convention)
            .init()
            .expect("a loss")
    }

    #[test]
    fn identical_maps_give_zero_and_scale_does_not_matter() {
        for convention in [KdSvdConvention::RepDistiller, KdSvdConvention::Mdistiller] {
            let loss = loss(convention);
            let (student, teacher) = (maps(2), maps(2));
            let value =
                |student: &[Tensor<4>]| loss.forward(student, &teacher).into_scalar::<f32>();
            assert!(value(&teacher).abs() < 1e-6);
            let before = value(&student);
            let scaled: Vec<_> = student.iter().map(|map| map.clone() * 3.0).collect();
            assert!(before > 1e-4 && (value(&scaled) - before).abs() < 1e-4 * before);
        }
    }

    #[test]
    fn several_vectors_are_weighted_by_their_singular_values() {
        let loss = KdSvdLossConfig::new().with_k(2).init().expect("a loss");
        let decomposed = loss.decompose(maps(2).remove(0));
        assert_eq!(decomposed.vectors.dims(), [2, 3, 2]);
        let values: Vec<f32> = decomposed.values.into_data().try_to_vec().expect("f32");
        for pair in values.chunks(2) {
            assert!((pair[0].powi(2) + pair[1].powi(2) - 1.0).abs() < 1e-5 && pair[0] > pair[1]);
        }
        let value: f32 = loss.forward(&maps(2), &maps(2)).into_scalar();
        assert!(value.is_finite() && value > 0.0);
    }

    #[test]
    fn mistakes_are_typed_errors() {
        let shapes = |channels, width| crate::FeatureShapes {
            maps: vec![[4, 8, 8], [channels, 8, width]],
            pooled: channels,
            classes: 3,
        };
        let message = |config: KdSvdLossConfig, student, teacher| {
            config
                .build(&Setup::new(student, teacher), &Device::default())
                .expect_err("a mistake")
                .to_string()
        };
        assert_eq!(
            message(KdSvdLossConfig::new(), shapes(4, 8), shapes(6, 8)),
            "student stage 1 is [N, 4, 8, 8], teacher's is [N, 6, 8, 8]: \
             kdsvd compares channel with channel: use networks with equal channels"
        );
        let mdistiller = KdSvdLossConfig::new().with_convention(KdSvdConvention::Mdistiller);
        assert!(message(mdistiller, shapes(4, 8), shapes(6, 4)).contains("equal width"));
        assert_eq!(
            message(KdSvdLossConfig::new().with_k(0), shapes(4, 8), shapes(4, 8)),
            "kdsvd: `k` is 0, expected 1 or more"
        );
    }

    #[test]
    #[should_panic(
        expected = "kdsvd: the student's singular vectors are [2, 3, 3], the teacher's [2, 5, 1]"
    )]
    fn different_channels_are_refused() {
        let (student, mut teacher) = (maps(2), maps(2));
        teacher.swap(0, 1);
        loss(KdSvdConvention::RepDistiller).forward(&student, &teacher);
    }
}
