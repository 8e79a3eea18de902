//! Losses of the networks' gradients: Sobolev training, learning without memorizing, and samples
//! at the decision boundary.

use burn::module::Module;
use burn::tensor::activation::relu;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Gradients, Int, Tensor, TensorData};
use kd_losses::gradients::{BssLossConfig, LwmConvention, LwmLossConfig, SobolevLossConfig};
use kd_models::{Architecture, Network, weights::load_state_dict};

use crate::check::{Check, on_all, values};

pub const CASES: &[&str] = &["zoo_bss", "zoo_bss_attack", "zoo_lwm", "zoo_sobolev"];

/// A convolution, ReLU and a linear layer.
struct Net {
    conv: Tensor<4>,
    conv_bias: Tensor<1>,
    fc: Tensor<2>,
    fc_bias: Tensor<1>,
}

impl Net {
    /// The student's tensors are leaves.
    fn student(check: &Check<'_>) -> Self {
        let device = check.training();
        Self {
            conv: check.case.param("s.conv.weight", &device).require_grad(),
            conv_bias: check.case.param("s.conv.bias", &device).require_grad(),
            fc: check.case.param("s.fc.weight", &device).require_grad(),
            fc_bias: check.case.param("s.fc.bias", &device).require_grad(),
        }
    }

    fn teacher(check: &Check<'_>) -> Self {
        Self {
            conv: check.case.param("t.conv.weight", &check.device),
            conv_bias: check.case.param("t.conv.bias", &check.device),
            fc: check.case.param("t.fc.weight", &check.device),
            fc_bias: check.case.param("t.fc.bias", &check.device),
        }
    }

    fn map(&self, images: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        let bias = Some(self.conv_bias.clone());
        relu(conv2d(images, self.conv.clone(), bias, options))
    }

    fn upper(&self, map: Tensor<4>) -> Tensor<2> {
        let flat: Tensor<2> = map.flatten(1, 3);
        flat.matmul(self.fc.clone().transpose()) + self.fc_bias.clone().unsqueeze()
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.upper(self.map(images))
    }

    /// That a gradient is 0 or not there. Where PyTorch's second derivative is 0 or not connected,
    /// the parts of a difference cancel up to rounding (other gradients are about 1e-2).
    fn no_gradient<const D: usize>(tensor: &Tensor<D>, grads: &Gradients) {
        if let Some(gradient) = tensor.grad(grads) {
            let gradient = values(gradient);
            assert!(
                gradient.iter().all(|value| value.abs() < 1e-6),
                "{gradient:?}"
            );
        }
    }

    fn gradient<const D: usize>(
        check: &Check<'_>,
        key: &str,
        tensor: &Tensor<D>,
        grads: &Gradients,
    ) {
        check.gradient(&format!("s.{key}"), tensor, grads);
    }
}

#[test]
fn sobolev_training() {
    on_all(&["zoo_sobolev"], |check| {
        let (student, teacher) = (Net::student(check), Net::teacher(check));
        let images = check.student::<4>("img");
        check.tensor("out_s", student.forward(images.clone()));
        check.tensor("out_t", teacher.forward(images.clone().inner()));

        let loss = SobolevLossConfig::new().init().expect("a loss").forward(
            |images| student.forward(images),
            |images| teacher.forward(images),
            images.clone(),
            check.case.labels("target", &check.device),
        );
        let grads = loss.backward();
        check.loss("loss", loss);
        Net::gradient(check, "conv.weight", &student.conv, &grads);
        // Exactly 0: a bias moves the kinks, not the slopes between them.
        let expected = check.case.expected("grad/s.conv.bias");
        assert!(expected.iter().all(|value| *value == 0.0));
        Net::no_gradient(&student.conv_bias, &grads);
        Net::gradient(check, "fc.weight", &student.fc, &grads);
        Net::no_gradient(&student.fc_bias, &grads);
        // The gradient of a network of ReLUs is constant between its kinks, so its own derivative
        // by the images is 0. Here the images are constants.
        assert!(
            check
                .case
                .expected("grad/img")
                .iter()
                .all(|value| *value == 0.0)
        );
        assert!(images.grad(&grads).is_none());
    });
}

#[test]
fn learning_without_memorizing() {
    on_all(&["zoo_lwm"], |check| {
        let (student, teacher) = (Net::student(check), Net::teacher(check));
        let images = check.teacher::<4>("img");
        let map = student.map(images.clone());
        check.tensor("fm_s", map.clone());
        check.tensor("out_s", student.upper(map.clone()));

        let loss = LwmLossConfig::new()
            .with_convention(LwmConvention::Zoo)
            .init()
            .expect("a loss")
            .forward(
                (map, |map| student.upper(map)),
                (teacher.map(images), |map| teacher.upper(map)),
                check.case.labels("target", &check.device),
            );
        let grads = loss.backward();
        check.loss("loss", loss);
        Net::gradient(check, "fc.weight", &student.fc, &grads);
        // All layers above the map are linear: its values do not enter into the gradient.
        Net::no_gradient(&student.conv, &grads);
        Net::no_gradient(&student.conv_bias, &grads);
        Net::no_gradient(&student.fc_bias, &grads);
    });
}

#[test]
fn divergence_on_attacked_images() {
    on_all(&["zoo_bss"], |check| {
        let student = check.student::<2>("out_s");
        let loss = BssLossConfig::new()
            .with_temperature(check.hyper("T"))
            .init()
            .expect("a loss")
            .forward(student.clone(), check.teacher("out_t"));
        let grads = loss.backward();
        check.loss("loss", loss);
        check.gradient("out_s", &student, &grads);
    });
}

#[test]
fn attacks() {
    on_all(&["zoo_bss_attack"], |check| {
        let entries = check.case.params().into_iter().map(|(key, shape, values)| {
            let key = key
                .trim_start_matches("net.")
                .replace("res", "layer")
                .replace(".ds.", ".downsample.");
            (key, TensorData::new(values, shape))
        });
        let network = Architecture::by_name("resnet20")
            .expect("a name")
            .init(10, &check.device);
        let network = load_state_dict(network, entries)
            .expect("all weights")
            .valid();
        let images = check.teacher::<4>("img");
        check.tensor("logits", network.forward(images.clone()));

        let attacker = BssLossConfig::new()
            .with_step_alpha(check.hyper("step_alpha"))
            .with_num_steps(check.hyper("num_steps") as usize)
            .with_eps(check.hyper("eps"))
            .init()
            .expect("a loss")
            .attacker;
        let integers = |name: &str| -> Tensor<1, Int> { check.case.integers(name, &check.device) };
        let attacked = attacker.attack(
            |images| network.forward(images),
            images.clone(),
            integers("target"),
            integers("attack_class"),
        );
        check.tensor("adv", attacked.clone());
    });
}
