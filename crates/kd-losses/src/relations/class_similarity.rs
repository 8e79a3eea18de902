//! Distances between the classes of a sample.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::distances::mismatch;
use crate::{Gate, LossError};

/// Configuration of [`ClassSimilarityLoss`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ClassSimilarityLossConfig {}

impl Config for ClassSimilarityLossConfig {}

impl ClassSimilarityLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Initializes the loss.
    ///
    /// # Errors
    ///
    /// None so far: it is the form of every loss.
    pub fn init(&self) -> Result<ClassSimilarityLoss, LossError> {
        Ok(ClassSimilarityLoss)
    }
}

/// The class term of ASKD (<https://github.com/Crishawy/ASKD>): the student's logits are to be as
/// far from each other, within a sample, as the teacher's.
///
/// ```text
/// d_nij = | x_ni − x_nj |, clamped at 1e-6 for i ≠ j
/// D     = d / mean of d over all samples and all pairs i ≠ j
/// L     = mean over n, i, j of smooth_l1( D(s) − D(t) )
/// ```
///
/// for logits `s` of the student and `t` of the teacher; the smooth L1 loss is half the square up
/// to 1 and `|·| − 1/2` beyond. Shifting a sample's logits or scaling those of the batch changes
/// nothing. It holds `batch · classes²` numbers, which is much for 1000 classes.
///
/// The reference computes `|a − b|` as the root of the expanded square, clamped at 1e-12, which
/// loses digits for near logits; its derivative is 0 below the clamp, as here. With one class the
/// reference is NaN; here it is 0.
#[derive(Module, Debug)]
pub struct ClassSimilarityLoss;

impl ClassSimilarityLoss {
    /// The loss; the teacher's logits are a constant.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, classes]`
    /// - teacher: `[batch, classes]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If the shapes differ.
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
            student_shape, teacher_shape,
            "askd: the student's logits are {student_shape:?}, the teacher's {teacher_shape:?}"
        );
        mismatch(student.unsqueeze_dim(1), teacher.unsqueeze_dim(1), gate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logits::gated;
    use burn::tensor::{Device, Distribution};
    use proptest::prelude::*;

    fn loss() -> ClassSimilarityLoss {
        ClassSimilarityLossConfig::new().init().expect("a loss")
    }

    fn logits(values: &[[f32; 3]]) -> Tensor<2> {
        let rows: Vec<Tensor<1>> = values
            .iter()
            .map(|row| Tensor::from_floats(*row, &Device::default()))
            .collect();
        Tensor::stack(rows, 0)
    }

    #[test]
    fn a_worked_example() {
        // Distances (1, 1, 2) and (0, 2, 2) of the pairs 01, 12, 02: means 4/3 both.
        let value = loss().forward(logits(&[[0.0, 1.0, 2.0]]), logits(&[[0.0, 0.0, 2.0]]));
        let expected = 2.0 * (2.0 * 0.5 * 0.75f32.powi(2)) / 9.0;
        assert!((value.into_scalar::<f32>() - expected).abs() < 1e-5);
    }

    #[test]
    fn beyond_one_it_is_linear() {
        let student = logits(&[[0.0, 3.0, 3.0], [0.0, 0.0, 0.0]]);
        let teacher = logits(&[[0.0, 0.0, 0.0], [0.0, 3.0, 3.0]]);
        // The mean distance is 1 on both sides, and four entries of each sample differ by 3.
        let value: f32 = loss().forward(student, teacher).into_scalar();
        assert!((value - 8.0 * 2.5 / 18.0).abs() < 1e-4, "{value}");
    }

    #[test]
    fn a_single_class_gives_zero() {
        let device = Device::default().autodiff();
        let student = Tensor::<2>::from_floats([[2.0], [1.0]], &device).require_grad();
        let value = loss().forward(student.clone(), student.clone() * 2.0);
        let grads = value.backward();
        let gradient = student.grad(&grads).expect("a gradient").into_data();
        assert_eq!(gradient.try_to_vec::<f32>().expect("f32"), [0.0, 0.0]);
        assert_eq!(value.into_scalar::<f32>(), 0.0);
    }

    #[test]
    #[should_panic(expected = "askd: the student's logits are [1, 3], the teacher's [2, 3]")]
    fn another_batch_is_refused() {
        loss().forward(logits(&[[0.0; 3]]), logits(&[[0.0; 3]; 2]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_gate_gathers(chosen in prop::array::uniform6(any::<bool>())) {
            gated::check(chosen, |student, teacher, _, gate| {
                loss().forward_gated(student, teacher, gate)
            })?;
        }

        #[test]
        fn neither_shift_nor_scale_nor_order_matters(
            shift in -3f32..3.0,
            scale in 0.1f32..9.0,
        ) {
            let fill = Distribution::Normal(0.0, 2.0);
            let student = crate::testing::random::<2>([4, 3], fill, &Device::default());
            let teacher = crate::testing::random::<2>([4, 3], fill, &Device::default());
            let value: f32 = loss().forward(student.clone(), teacher.clone()).into_scalar();
            let changed = loss().forward((student * scale + shift).flip([0]), teacher.flip([0]));
            let changed: f32 = changed.into_scalar();
            prop_assert!((value - changed).abs() < 1e-4, "{} {}", value, changed);
        }
    }
}
