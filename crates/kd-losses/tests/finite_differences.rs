//! Gradients against finite differences, in f64: the default type of a device can be set only
//! once, so this is a test binary of its own.

mod common;

use burn::tensor::{Device, Distribution, Tensor};
use common::{Bent, Map, Scene, copy, in_f64, map_features, scalar};
use kd_losses::Method;

const BATCH: usize = 5;
const STEP: f64 = 1e-5;

/// Methods whose gradient is, by definition, not that of their value: BSS attacks the images by
/// the student and holds them constant.
const HELD_CONSTANT: &[&str] = &["bss"];

/// Methods that approximate a second derivative.
const APPROXIMATE: &[&str] = &["sobolev", "lwm"];

/// Moves every tensor along a direction that depends on the seed alone.
struct Along(f64);

impl Along {
    fn direction<const D: usize>(tensor: &Tensor<D>) -> Tensor<D> {
        Tensor::random(
            tensor.dims(),
            Distribution::Normal(0.0, 1.0),
            &Device::default(),
        )
    }
}

impl Map for Along {
    fn two(&self, tensor: Tensor<2>) -> Tensor<2> {
        let direction = Self::direction(&tensor);
        tensor + direction * self.0
    }
    fn four(&self, tensor: Tensor<4>) -> Tensor<4> {
        let direction = Self::direction(&tensor);
        tensor + direction * self.0
    }
}

/// The scene with the student's side moved.
fn moved(scene: &Scene, by: f64) -> Scene {
    Device::default().seed(99);
    let along = Along(by);
    let student = map_features(&scene.student, &along);
    let [network, teacher] = scene.networks.clone();
    let network = Bent {
        hidden: along.two(network.hidden),
        output: along.two(network.output),
        above: network
            .above
            .into_iter()
            .map(|rows| along.two(rows))
            .collect(),
    };
    Scene {
        student,
        networks: [network, teacher],
        teacher: scene.teacher.clone(),
        labels: scene.labels.clone(),
        indices: scene.indices.clone(),
        images: scene.images.clone(),
    }
}

#[test]
fn gradients_are_the_slopes_of_the_values() {
    in_f64();
    for method in Method::distilling() {
        let name = method.name();
        if HELD_CONSTANT.contains(&name) {
            continue;
        }
        let scene = Scene::new(&method, BATCH, 17);
        let loss = scene.init(&method);
        // What the first batch sets (the scale of CRD) is a constant afterwards.
        scene.leaves().term(&loss, &[]);

        let value = |by: f64| {
            let scene = moved(&scene, by);
            Device::default().seed(5);
            scalar(scene.leaves().term(&copy(&loss), &[]))
        };
        let slope = (value(STEP) - value(-STEP)) / (2.0 * STEP);

        let leaves = scene.leaves();
        Device::default().seed(5);
        let copied = copy(&loss);
        let term = leaves.term(&copied, &[]);
        let grads = term.backward();
        // Directions in the order in which `moved` draws them, which is that of the gradients.
        let zero = moved(&scene, 0.0);
        let one = moved(&scene, 1.0);
        let flat = |scene: &Scene| {
            let features = &scene.student;
            let mut all: Vec<Vec<f64>> = Vec::new();
            all.extend(
                features
                    .maps
                    .iter()
                    .chain(&features.preact)
                    .cloned()
                    .map(common::values),
            );
            all.extend(
                [&features.pooled, &features.logits].map(|rows| common::values(rows.clone())),
            );
            let network = &scene.networks[0];
            all.extend([&network.hidden, &network.output].map(|rows| common::values(rows.clone())));
            all.extend(network.above.iter().cloned().map(common::values));
            all
        };
        let (zero, one) = (flat(&zero), flat(&one));
        let expected: f64 = leaves
            .gradients(&copied, &grads)
            .iter()
            .zip(zero.iter().zip(&one))
            .flat_map(|(gradient, (zero, one))| {
                let along = zero.iter().zip(one).map(|(zero, one)| one - zero);
                gradient
                    .iter()
                    .zip(along)
                    .map(|(gradient, along)| gradient * along)
            })
            .sum();
        let tolerance = if APPROXIMATE.contains(&name) {
            1e-3
        } else {
            1e-4
        };
        let error = (slope - expected).abs() / expected.abs().max(1e-3);
        assert!(
            error < tolerance,
            "{name}: slope {slope}, gradient {expected}"
        );
        assert!(expected != 0.0, "{name} has no gradient");
    }
}
