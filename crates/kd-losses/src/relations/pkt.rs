//! Probabilistic knowledge transfer.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::info::Register;
use crate::norms::unit;
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, ParameterInfo,
    Requirements, Setup, Site, Step,
};

/// The small number that is added to norms and probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum PktConvention {
    /// RepDistiller's: 1e-7.
    #[default]
    RepDistiller,
    /// Knowledge-Distillation-Zoo's: 1e-6.
    Zoo,
}

impl PktConvention {
    fn epsilon(self) -> f64 {
        match self {
            Self::RepDistiller => 1e-7,
            Self::Zoo => 1e-6,
        }
    }
}

/// Configuration of [`PktLoss`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct PktLossConfig {
    /// The small number that is added. Default [`PktConvention::RepDistiller`].
    pub convention: PktConvention,
}

impl Config for PktLossConfig {}

impl PktLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the small number that is added.
    pub fn with_convention(mut self, convention: PktConvention) -> Self {
        self.convention = convention;
        self
    }

    /// Initializes the loss.
    ///
    /// # Errors
    ///
    /// None so far: it is the form of every loss.
    pub fn init(&self) -> Result<PktLoss, LossError> {
        Ok(PktLoss {
            epsilon: self.convention.epsilon(),
        })
    }
}

/// Probabilistic knowledge transfer (Passalis & Tefas 2018, <https://arxiv.org/abs/1803.10837>): the
/// probability with which a sample would choose another as its neighbor.
///
/// ```text
/// K_ij = ( cos(f_i, f_j) + 1 ) / 2,     p_ij = K_ij / Σ_k K_ik
/// L    = mean over i, j of  p_ij(t) · log ( p_ij(t) + ε ) / ( p_ij(s) + ε )
/// ```
///
/// with `cos(f_i, f_j) = f_i · f_j / ( (‖f_i‖ + ε) (‖f_j‖ + ε) )`. Vectors of student and teacher
/// (pooled features) may differ in length. The mean over all pairs is that of the public
/// implementations, and the default weight belongs to it.
///
/// A row of zeros has cosine 0 to all others and passes no amplified gradient; the references'
/// gradients are NaN there. For one sample the loss is 0.
#[derive(Module, Debug)]
pub struct PktLoss {
    /// The small number that is added to norms and probabilities.
    pub epsilon: f64,
}

impl PktLoss {
    /// The loss; the teacher's vectors are constants.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, length]`
    /// - teacher: `[batch, other length]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the batches differ in size.
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
            "pkt: the student's vectors are {student_shape:?}, the teacher's are {teacher_shape:?}"
        );
        let student = self.probabilities(student, gate);
        let teacher = self.probabilities(gate.teacher(teacher), gate);
        let ratio = (teacher.clone() + self.epsilon) / (student + self.epsilon);
        gate.pair_mean(teacher * ratio.log())
    }

    /// The probabilities `[batch, batch]`; 0 for pairs that are not chosen.
    fn probabilities(&self, rows: Tensor<2>, gate: &Gate) -> Tensor<2> {
        let rows = unit(rows, self.epsilon);
        // Rounding may bring the cosine of opposite rows below −1, and a probability below 0.
        let kernel = ((rows.clone().matmul(rows.transpose()) + 1.0) / 2.0).clamp_min(0.0);
        match gate.pairs() {
            None => {
                let sums = kernel.clone().sum_dim(1);
                kernel / sums
            }
            Some(pairs) => {
                // Rows that are not chosen have no sum: 1 instead of 0.
                let empty = pairs
                    .clone()
                    .sum_dim(1)
                    .neg()
                    .add_scalar(1.0)
                    .clamp_min(0.0);
                let kernel = kernel * pairs;
                let sums = kernel.clone().sum_dim(1) + empty;
                kernel / sums
            }
        }
    }
}

impl Register for PktLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "pkt",
        aliases: &[],
        title: "Probabilistic knowledge transfer: which samples are neighbors",
        paper: "Passalis & Tefas 2018, Learning Deep Representations with Probabilistic Knowledge \
                Transfer, https://arxiv.org/abs/1803.10837",
        weights: LossWeights::method(30000.0),
        parameters: &[ParameterInfo {
            name: "convention",
            description: "small constant that is added: `repdistiller` (1e-7) or `zoo` (1e-6)",
        }],
    };
}

impl LossConfig for PktLossConfig {
    type Loss = PktLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Pooled).with_teacher_gradient()
    }

    fn build(&self, _setup: &Setup, _device: &Device) -> Result<PktLoss, LossError> {
        self.init()
    }
}

impl DistillationLoss for PktLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let (student, teacher) = (step.student.pooled.clone(), step.teacher.pooled.clone());
        step.scaled(0, self.forward_gated(student, teacher, &step.gate(0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;

    /// Rows that are the same in every run and not nearly opposite to each other: for those the
    /// probability is nearly 0, and its logarithm shows every rounding.
    fn rows(batch: usize, length: usize) -> Tensor<2> {
        let values: Vec<f32> = (0..batch * length)
            .map(|index| 0.4 + (1.7 * index as f32 + length as f32).sin())
            .collect();
        Tensor::from_data(TensorData::new(values, [batch, length]), &Device::default())
    }

    fn value(student: &Tensor<2>, teacher: &Tensor<2>) -> f32 {
        let loss = PktLossConfig::new().init().expect("a loss");
        loss.forward(student.clone(), teacher.clone()).into_scalar()
    }

    #[test]
    fn a_worked_example() {
        let device = Device::default();
        // Kernels (1, 1/2; 1/2, 1) and (1, 1; 1, 1): probabilities (2/3, 1/3) and (1/2, 1/2).
        let student = Tensor::from_floats([[1.0, 0.0], [0.0, 1.0]], &device);
        let teacher = Tensor::from_floats([[1.0, 1.0], [2.0, 2.0]], &device);
        let expected = (0.5 * (0.75f32).ln() + 0.5 * (1.5f32).ln()) / 2.0;
        assert!((value(&student, &teacher) - expected).abs() < 1e-6);
    }

    #[test]
    fn scale_and_rotation_do_not_matter() {
        let (student, teacher) = (rows(5, 2), rows(5, 3));
        let before = value(&student, &teacher);
        let (sin, cos) = 1.1f32.sin_cos();
        let turn = Tensor::from_floats([[cos, sin], [-sin, cos]], &Device::default());
        let after = value(&(student.clone().matmul(turn) * 4.0), &teacher);
        assert!((before - after).abs() < 1e-5, "{before} {after}");
        assert_eq!(value(&student, &student), 0.0);
        assert_eq!(value(&rows(1, 2), &rows(1, 3)), 0.0);
    }

    #[test]
    fn a_single_row_of_zeros_has_a_moderate_gradient() {
        let device = Device::default().autodiff();
        let student = Tensor::<2>::from_floats([[0.0, 0.0], [1.0, 2.0], [-2.0, 1.0]], &device);
        let student = student.require_grad();
        let loss = PktLossConfig::new()
            .init()
            .expect("a loss")
            .forward(student.clone(), rows(3, 4));
        let grads = loss.backward();
        let gradient = student.grad(&grads).expect("a gradient").abs().max();
        assert!(gradient.into_scalar::<f32>() < 10.0);
    }

    #[test]
    fn opposite_rows_are_finite() {
        for length in [2, 64, 512] {
            let row = rows(1, length);
            for factor in [0.3, 1.0, 7.7] {
                let student = Tensor::cat(vec![row.clone(), row.clone() * -factor], 0);
                let found = value(&student, &rows(2, 3));
                assert!(found.is_finite(), "{length} {factor}: {found}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "pkt: the student's vectors are [2, 3], the teacher's are [3, 3]")]
    fn batches_are_not_broadcast() {
        value(&rows(2, 3), &rows(3, 3));
    }
}
