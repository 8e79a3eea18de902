//! Losses of the networks' gradients: they differentiate the networks with respect to images or
//! maps, and cost further passes.
//!
//! | method | the student matches | cost | when |
//! |---|---|---|---|
//! | `sobolev` ([`SobolevLoss`]) | the gradient with respect to the image | four passes of the student forward, one backward more | small data |
//! | `lwm` ([`LwmLoss`]) | the class activation map | passes through the layers above a map | incremental learning |
//! | `bss` ([`BssLoss`]) | the teacher near its decision boundary | an attack: passes for each of its steps | robustness |

mod bss;
mod directional;
mod lwm;
mod sobolev;

pub use bss::{BssAttacker, BssLoss, BssLossConfig, sample_attack_classes};
pub use lwm::{LwmConvention, LwmLoss, LwmLossConfig};
pub use sobolev::{SobolevLoss, SobolevLossConfig};

/// A pair of small smooth networks, and the gated form of a loss of them against the loss of the
/// gathered samples.
#[cfg(test)]
mod tests {
    use burn::tensor::{Device, Distribution, Int, Tensor};
    use proptest::prelude::*;

    use crate::Gate;

    /// `[batch, 1, 2, 2]` to a map `[batch, 3, 2, 2]` to 3 logits.
    pub struct Small {
        lower: Tensor<4>,
        upper: Tensor<2>,
    }

    impl Small {
        pub fn new(device: &Device) -> Self {
            let fill = Distribution::Normal(0.0, 0.7);
            let small = Self {
                lower: crate::testing::random([1, 3, 2, 2], fill, device),
                upper: crate::testing::random([12, 3], fill, device),
            };
            if device.is_autodiff() {
                Self {
                    lower: small.lower.require_grad(),
                    upper: small.upper.require_grad(),
                }
            } else {
                small
            }
        }

        pub fn map(&self, images: Tensor<4>) -> Tensor<4> {
            (images * self.lower.clone()).tanh()
        }

        pub fn upper(&self, map: Tensor<4>) -> Tensor<2> {
            let flat: Tensor<2> = map.flatten(1, 3);
            (flat.clone() + flat.square()).matmul(self.upper.clone())
        }

        pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
            self.upper(self.map(images))
        }

        fn gradients(&self, loss: Tensor<1>) -> [Vec<f32>; 2] {
            let grads = loss.backward();
            // What a loss does not depend on has no gradient.
            let lower = self.lower.grad(&grads);
            let upper = self.upper.grad(&grads);
            [
                lower.map_or(vec![0.0; 12], values),
                upper.map_or(vec![0.0; 36], values),
            ]
        }
    }

    fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().expect("f32")
    }

    /// Compares value and parameters' gradients of `loss(student, teacher, images, labels, gate)`
    /// under the gate with those of the chosen samples alone; nothing chosen gives exact zeros.
    ///
    /// The tolerance is that of gradients by finite differences.
    pub fn gate_gathers(
        chosen: [bool; 6],
        loss: impl Fn(&Small, &Small, Tensor<4>, Tensor<1, Int>, &Gate) -> Tensor<1>,
    ) -> Result<(), TestCaseError> {
        let device = Device::default();
        let (student, teacher) = (Small::new(&device.clone().autodiff()), Small::new(&device));
        let images =
            crate::testing::random::<4>([6, 1, 2, 2], Distribution::Normal(0.0, 1.0), &device);
        let labels = Tensor::<1, Int>::from_ints([0, 1, 2, 2, 0, 1], &device);
        let entries = chosen.map(|chosen| if chosen { 1.0f32 } else { 0.0 });
        let gate = Gate::new(Tensor::from_floats(entries, &device));
        let gated = loss(&student, &teacher, images.clone(), labels.clone(), &gate);
        let value = values(gated.clone());
        let found = student.gradients(gated).concat();

        let indices: Vec<i32> = (0..6).filter(|index| chosen[*index as usize]).collect();
        if indices.is_empty() {
            prop_assert_eq!(value, [0.0]);
            prop_assert!(found.iter().all(|value| *value == 0.0), "{:?}", found);
            return Ok(());
        }
        let indices = Tensor::<1, Int>::from_ints(&*indices, &device);
        let alone = loss(
            &student,
            &teacher,
            images.select(0, indices.clone()),
            labels.select(0, indices),
            &Gate::all(),
        );
        let expected_value = values(alone.clone());
        prop_assert!((value[0] - expected_value[0]).abs() < 1e-5);
        let expected = student.gradients(alone).concat();
        let scale = expected
            .iter()
            .fold(1e-3f32, |max, value| max.max(value.abs()));
        for (found, expected) in found.iter().zip(&expected) {
            prop_assert!(
                (found - expected).abs() < 5e-3 * scale,
                "{} {}",
                found,
                expected
            );
        }
        Ok(())
    }
}
