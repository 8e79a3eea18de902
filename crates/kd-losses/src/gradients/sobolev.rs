//! Sobolev training.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use super::directional::{input_gradient, loss_of_gradient};
use crate::adapters::normalize;
use crate::gate::sample_means;
use crate::info::Register;
use crate::{
    DistillationLoss, Gate, LossConfig, LossError, LossWeights, MethodInfo, Requirements, Setup,
    Site, Step,
};

/// Configuration of [`SobolevLoss`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct SobolevLossConfig {}

impl Config for SobolevLossConfig {}

impl SobolevLossConfig {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Initializes the loss.
    ///
    /// # Errors
    ///
    /// None so far: it is the form of every loss.
    pub fn init(&self) -> Result<SobolevLoss, LossError> {
        Ok(SobolevLoss)
    }
}

/// Sobolev training (Czarnecki et al. 2017, <https://arxiv.org/abs/1706.04859>): the student's
/// output is to change with the image as the teacher's does.
///
/// ```text
/// G(f) = ∇ₓ f(x)[label]
/// L    = mean over samples and values of ( G(s) / ‖G(s)‖ − G(t) / ‖G(t)‖ )²
/// ```
///
/// for networks `s` and `t` and images `x`; the norms are each sample's; a gradient of 0 stays 0. This is
/// Knowledge-Distillation-Zoo's loss. The paper matches the values of the functions too, which
/// here is the weight of the divergence of logits, and projects gradients of all outputs on random
/// directions, where this takes the label's logit.
///
/// The value is exact. The gradient is that of a finite difference along the direction in which
/// the loss changes (Burn differentiates once, and this would take two): about 1e-5 of the largest
/// value off in f32 for smooth networks and for small ones of ReLUs. A deep network of ReLUs has
/// kinks within any step; there it is the gradient of the network smoothed over half a percent of
/// the images' norm. The student runs forward four times and backward once more. In training mode
/// each forward pass also moves the running statistics of its batch norms.
///
/// No gradient with respect to the images is given; for networks of ReLUs it is 0 anyway.
#[derive(Module, Debug)]
pub struct SobolevLoss;

impl SobolevLoss {
    /// The loss of two networks, given as functions from images to logits; the teacher is a
    /// constant.
    ///
    /// # Shapes
    ///
    /// - images: `[batch, channels, height, width]`, the networks' input
    /// - labels: `[batch]`
    /// - networks: to `[batch, classes]`
    /// - output: `[1]`
    ///
    /// # Panics
    ///
    /// If there are not as many labels as images.
    pub fn forward(
        &self,
        student: impl Fn(Tensor<4>) -> Tensor<2>,
        teacher: impl Fn(Tensor<4>) -> Tensor<2>,
        images: Tensor<4>,
        labels: Tensor<1, Int>,
    ) -> Tensor<1> {
        self.forward_gated(student, teacher, images, labels, &Gate::all())
    }

    /// The loss of the chosen samples: see [`Gate`]. The networks see all of them, so a batch
    /// norm *within a network* in training mode takes its statistics from all.
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(
        &self,
        student: impl Fn(Tensor<4>) -> Tensor<2>,
        teacher: impl Fn(Tensor<4>) -> Tensor<2>,
        images: Tensor<4>,
        labels: Tensor<1, Int>,
        gate: &Gate,
    ) -> Tensor<1> {
        let (shape, known) = (images.dims(), labels.dims());
        assert_eq!(
            shape[0], known[0],
            "sobolev: the images are {shape:?}, the labels {known:?}"
        );
        // Detached, but still on the device on which the student's graph is.
        let images = if images.is_autodiff() {
            images.detach()
        } else {
            images
        };
        let expected = input_gradient(teacher, images.clone(), labels.clone(), gate);
        let expected = normalize(expected.flatten(1, 3));
        loss_of_gradient(student, images, labels, gate, |found, _| {
            gate.mean(sample_means(
                (normalize(found.flatten(1, 3)) - expected.clone()).square(),
            ))
        })
    }
}

impl Register for SobolevLossConfig {
    const INFO: MethodInfo = MethodInfo {
        name: "sobolev",
        title: "Sobolev training: the gradient of the label's logit with respect to the image",
        paper: "Czarnecki et al. 2017, Sobolev Training for Neural Networks, \
                https://arxiv.org/abs/1706.04859",
        weights: LossWeights::method(20.0),
        ..MethodInfo::BASE
    };
}

impl LossConfig for SobolevLossConfig {
    type Loss = SobolevLoss;

    fn name(&self) -> &str {
        Self::INFO.name
    }

    fn requirements(&self) -> Requirements {
        Requirements::at(Site::Logits).with_labels().with_networks()
    }

    fn build(&self, setup: &Setup, _device: &Device) -> Result<SobolevLoss, LossError> {
        setup.classes("sobolev", 1)?;
        self.init()
    }
}

impl DistillationLoss for SobolevLoss {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        let [student, teacher] = step.expect_networks("sobolev");
        step.scaled(
            0,
            self.forward_gated(
                |images| student.from_images(images),
                |images| teacher.from_images(images),
                step.expect_images("sobolev"),
                step.expect_labels("sobolev"),
                &step.gate(0),
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gradients::tests::{Small, gate_gathers};
    use burn::tensor::Distribution;
    use proptest::prelude::*;

    fn images(batch: usize) -> Tensor<4> {
        let fill = Distribution::Normal(0.0, 1.0);
        crate::testing::random([batch, 1, 2, 2], fill, &Device::default())
    }

    #[test]
    fn a_network_that_is_the_teacher_up_to_a_positive_factor_has_nothing_to_learn() {
        let network = Small::new(&Device::default());
        let labels = Tensor::from_ints([0, 1, 2], &Device::default());
        let value = SobolevLossConfig::new().init().expect("a loss").forward(
            |x| network.forward(x) * 3.0,
            |x| network.forward(x),
            images(3),
            labels,
        );
        assert!(value.into_scalar::<f32>() < 1e-10);
    }

    #[test]
    fn opposite_gradients_of_linear_networks_are_two_unit_vectors_apart() {
        let linear = |sign: f32| move |x: Tensor<4>| x.flatten::<2>(1, 3) * sign;
        let labels = Tensor::from_ints([3, 1], &Device::default());
        let loss = SobolevLossConfig::new().init().expect("a loss");
        let value = loss.forward(linear(-1.0), linear(2.0), images(2), labels);
        // One of four values is −1 against 1.
        assert!((value.into_scalar::<f32>() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_network_without_gradients_is_finite() {
        let labels = Tensor::from_ints([0, 1], &Device::default());
        let flat = |x: Tensor<4>| x.flatten::<2>(1, 3) * 0.0;
        let value =
            SobolevLossConfig::new()
                .init()
                .expect("a loss")
                .forward(flat, flat, images(2), labels);
        assert_eq!(value.into_scalar::<f32>(), 0.0);
    }

    #[test]
    #[should_panic(expected = "sobolev: the images are [2, 1, 2, 2], the labels [3]")]
    fn another_number_of_labels_is_refused() {
        let labels = Tensor::from_ints([0, 1, 2], &Device::default());
        let linear = |x: Tensor<4>| x.flatten::<2>(1, 3);
        SobolevLossConfig::new()
            .init()
            .expect("a loss")
            .forward(linear, linear, images(2), labels);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn a_gate_gathers(chosen in prop::array::uniform6(any::<bool>())) {
            let loss = SobolevLossConfig::new().init().expect("a loss");
            gate_gathers(chosen, |student, teacher, images, labels, gate| {
                loss.forward_gated(
                    |x| student.forward(x),
                    |x| teacher.forward(x),
                    images,
                    labels,
                    gate,
                )
            })?;
        }
    }
}
