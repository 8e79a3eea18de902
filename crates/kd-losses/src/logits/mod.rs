//! Losses of logits: they fit any pair of networks with the same classes, and cost next to nothing.
//!
//! | method | the student matches | parameters | when |
//! |---|---|---|---|
//! | `kd` ([`KdLoss`]) | the teacher's probabilities, softened by a temperature | none | first of all; beside every other method |
//! | `dkd` ([`DkdLoss`]) | the same, target and other classes weighted apart | none | confident teachers: what they say of the other classes is lost in `kd` |
//! | `kdrefine` ([`KdRefineLoss`]) | the same after standardizing the logits | none | teacher and student of very different scale |
//! | `logits` ([`LogitsLoss`]) | the logits themselves | none | a small gap between the two |
//! | `dml` ([`DmlLoss`]) | a peer that learns at the same time | none | no trained teacher |
//! | `ce` ([`CeLoss`]) | the labels | none | beside a teacher's losses, or without a teacher |

mod ce;
mod dkd;
mod dml;
mod kd;
mod kdrefine;
// The method is called as its group.
#[allow(clippy::module_inception)]
mod logits;
mod standardize;

pub use ce::{CeLoss, CeLossConfig, cross_entropy};
pub use dkd::{DkdConvention, DkdLoss, DkdLossConfig};
pub use dml::{DmlLoss, DmlLossConfig};
pub use kd::{KdLoss, KdLossConfig};
pub use kdrefine::{KdRefineLoss, KdRefineLossConfig};
pub use logits::{LogitsLoss, LogitsLossConfig};
pub use standardize::standardize;

/// The gated form of a loss of logits against the loss of the gathered samples.
#[cfg(test)]
pub(crate) mod gated {
    use burn::tensor::{Device, Distribution, Int, Tensor};
    use proptest::prelude::*;

    use crate::Gate;

    const BATCH: usize = 6;
    const CLASSES: usize = 4;

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("f32")
    }

    fn close(found: &[f32], expected: &[f32]) -> bool {
        let scale = expected
            .iter()
            .fold(1e-3f32, |max, value| max.max(value.abs()));
        let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-4 * scale;
        found.len() == expected.len() && found.iter().zip(expected).all(near)
    }

    /// Logits of both networks, the student's as a leaf.
    fn logits() -> [Tensor<2>; 2] {
        let device = Device::default();
        let fill = Distribution::Normal(0.0, 2.0);
        [
            crate::testing::random([BATCH, CLASSES], fill, &device.clone().autodiff())
                .require_grad(),
            crate::testing::random([BATCH, CLASSES], fill, &device),
        ]
    }

    fn gate(chosen: [bool; BATCH]) -> Gate {
        let entries = chosen.map(|chosen| if chosen { 1.0f32 } else { 0.0 });
        Gate::new(Tensor::from_floats(entries, &Device::default()))
    }

    /// Indices of the chosen samples; `None` if there are none.
    fn indices(chosen: [bool; BATCH]) -> Option<Tensor<1, Int>> {
        let indices: Vec<i32> = (0..BATCH as i32)
            .filter(|index| chosen[*index as usize])
            .collect();
        (!indices.is_empty()).then(|| Tensor::from_ints(&*indices, &Device::default()))
    }

    /// Compares value and gradient of `loss(student, teacher, labels, gate)` under the gate with
    /// those of the chosen samples alone; nothing chosen gives exact zeros.
    pub fn check(
        chosen: [bool; BATCH],
        loss: impl Fn(Tensor<2>, Tensor<2>, Tensor<1, Int>, &Gate) -> Tensor<1>,
    ) -> Result<(), TestCaseError> {
        let [student, teacher] = logits();
        let labels = Tensor::<1, Int>::from_ints([0, 1, 2, 3, 0, 1], &Device::default());
        let gated = loss(
            student.clone(),
            teacher.clone(),
            labels.clone(),
            &gate(chosen),
        );
        let grads = gated.backward();
        let gradient = values(student.grad(&grads).expect("a gradient"));

        let Some(indices) = indices(chosen) else {
            prop_assert_eq!(gated.into_scalar::<f32>(), 0.0);
            prop_assert!(gradient.iter().all(|value| *value == 0.0), "{:?}", gradient);
            return Ok(());
        };
        let own = student.detach().require_grad();
        let alone = loss(
            own.clone().select(0, indices.clone()),
            teacher.select(0, indices.clone()),
            labels.select(0, indices),
            &Gate::all(),
        );
        let grads = alone.backward();
        let expected = values(own.grad(&grads).expect("a gradient"));
        prop_assert!(close(&values(gated), &values(alone)));
        prop_assert!(close(&gradient, &expected), "{:?} {:?}", gradient, expected);
        Ok(())
    }

    /// The same for the gradient of a parameter.
    pub fn check_leaf<const D: usize>(
        chosen: [bool; BATCH],
        parameter: Tensor<D>,
        loss: impl Fn(Tensor<2>, Tensor<2>, &Gate) -> Tensor<1>,
    ) -> Result<(), TestCaseError> {
        let [student, teacher] = logits().map(Tensor::inner);
        let grads = loss(student.clone(), teacher.clone(), &gate(chosen)).backward();
        let gradient = values(parameter.grad(&grads).expect("a gradient"));
        let expected = match indices(chosen) {
            None => vec![0.0; gradient.len()],
            Some(indices) => {
                let student = student.select(0, indices.clone());
                let grads = loss(student, teacher.select(0, indices), &Gate::all()).backward();
                values(parameter.grad(&grads).expect("a gradient"))
            }
        };
        prop_assert!(close(&gradient, &expected), "{:?} {:?}", gradient, expected);
        Ok(())
    }
}
