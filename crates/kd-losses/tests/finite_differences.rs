//! Gradients against finite differences, in f64: the default type of a device can be set only
//! once, so this is a test binary of its own.

mod common;

use std::sync::Mutex;

use burn::tensor::{Device, Distribution, Gradients, Tensor};
use common::{Bent, Leaves, Map, Scene, copy, in_f64, map_features, scalar};
use kd_losses::{Features, LossConfig, Method, Step};

/// The generator is the process's: one test at a time draws from it.
static DRAWING: Mutex<()> = Mutex::new(());

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
    let _drawing = DRAWING.lock();
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

/// Methods whose public code holds a part of the teacher's side constant: RKD all of it, NST the
/// teacher's own discrepancy.
const TEACHER_HELD_CONSTANT: &[&str] = &["rkd", "nst"];

/// The scene with the teacher's side moved.
fn teacher_moved(scene: &Scene, by: f64) -> Scene {
    Device::default().seed(98);
    Scene {
        student: scene.student.clone(),
        teacher: map_features(&scene.teacher, &Along(by)),
        labels: scene.labels.clone(),
        indices: scene.indices.clone(),
        images: scene.images.clone(),
        networks: scene.networks.clone(),
    }
}

/// All values of features in a row.
fn flat(features: &Features) -> Vec<f64> {
    let maps = features.maps.iter().chain(&features.preact).cloned();
    let rows = [&features.pooled, &features.logits].map(|rows| common::values(rows.clone()));
    maps.map(common::values).chain(rows).flatten().collect()
}

/// The slope along a direction by the gradients of the teacher's features.
fn along_teacher(scene: &Scene, loss: &common::Loss, direction: &[f64], trained: bool) -> f64 {
    struct Gradient<'a>(&'a Gradients);
    impl Map for Gradient<'_> {
        fn two(&self, tensor: Tensor<2>) -> Tensor<2> {
            let zeros = tensor.clone().inner().zeros_like();
            tensor.grad(self.0).unwrap_or(zeros)
        }
        fn four(&self, tensor: Tensor<4>) -> Tensor<4> {
            let zeros = tensor.clone().inner().zeros_like();
            tensor.grad(self.0).unwrap_or(zeros)
        }
    }
    let leaves = scene.leaves();
    let teacher = map_features(&scene.teacher, &Leaves);
    let mut step = Step::new(&leaves.student, &teacher)
        .with_labels(&scene.labels)
        .with_indices(&scene.indices);
    if trained {
        step = step.training_teacher();
    }
    Device::default().seed(5);
    let gradients = loss.forward(&step).backward();
    let gradients = flat(&map_features(&teacher, &Gradient(&gradients)));
    let products = gradients.iter().zip(direction).map(|(g, d)| g * d);
    products.sum()
}

#[test]
fn gradients_of_a_trained_teacher_are_the_slopes_of_the_values() {
    in_f64();
    let _drawing = DRAWING.lock();
    let mut found = 0;
    for method in Method::distilling() {
        if !method.requirements().teacher_gradient {
            continue;
        }
        let name = method.name();
        let scene = Scene::new(&method, BATCH, 17);
        let loss = scene.init(&method);
        scene.leaves().term(&loss, &[]);
        let value = |by: f64| {
            let moved = teacher_moved(&scene, by);
            Device::default().seed(5);
            scalar(moved.leaves().term(&copy(&loss), &[]))
        };
        let slope = (value(STEP) - value(-STEP)) / (2.0 * STEP);
        let [zero, one] = [0.0, 1.0].map(|by| flat(&teacher_moved(&scene, by).teacher));
        let direction: Vec<f64> = zero
            .iter()
            .zip(&one)
            .map(|(zero, one)| one - zero)
            .collect();

        let constant = along_teacher(&scene, &copy(&loss), &direction, false);
        assert_eq!(
            constant, 0.0,
            "{name}: the teacher is a constant unless it is trained"
        );
        let expected = along_teacher(&scene, &copy(&loss), &direction, true);
        if TEACHER_HELD_CONSTANT.contains(&name) {
            assert_eq!(expected == 0.0, name == "rkd", "{name}");
            continue;
        }
        let error = (slope - expected).abs() / expected.abs().max(1e-3);
        assert!(error < 1e-4, "{name}: slope {slope}, gradient {expected}");
        assert!(expected != 0.0, "{name} has no gradient");
        found += 1;
    }
    assert!(found >= 12, "{found} methods train the teacher");
}
