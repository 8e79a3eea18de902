//! Every method works on a device with gradient checkpointing, whose tensors do not mix with those
//! of a plain autodiff device.

mod common;

use burn::tensor::{Device, Tensor};
use common::{Map, Scene, map_features, scalar};
use kd_losses::{LossConfig, Method, TermConfig};

/// Leaves on a device.
struct LeavesOn(Device);

impl Map for LeavesOn {
    fn two(&self, tensor: Tensor<2>) -> Tensor<2> {
        Tensor::from_data(tensor.into_data(), &self.0).require_grad()
    }
    fn four(&self, tensor: Tensor<4>) -> Tensor<4> {
        Tensor::from_data(tensor.into_data(), &self.0).require_grad()
    }
}

#[test]
fn every_method_differentiates_with_checkpoints() {
    let device = Device::default().autodiff().gradient_checkpointing();
    let leaves = LeavesOn(device.clone());
    for method in Method::distilling() {
        // A network brings a graph of its own.
        if method.requirements().networks {
            continue;
        }
        let scene = Scene::new(&method, 4, 3);
        let term = TermConfig::<Method>::new(method.clone(), 1.0);
        let loss = term.init(&scene.setup(), &device).expect("a loss");
        let student = map_features(&scene.student, &leaves);
        let scene = Scene { student, ..scene };
        let term = scene.term(&loss, &[]);
        let grads = term.backward();
        let gradients = scene.gradients(&loss, &grads);
        let name = method.name();
        assert!(scalar(term).is_finite(), "{name}");
        assert!(
            gradients.iter().flatten().any(|value| *value != 0.0),
            "{name}"
        );
    }
}
