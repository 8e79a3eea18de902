//! What holds for every method.

mod common;

use burn::tensor::{Device, Tensor};
use common::{
    Constant, Loss, Map, Rounding, Scaled, Scene, Zeros, copy, error, map_features, scalar, visit,
};
use kd_losses::{Features, Gate, LossConfig, Method, Reads};
use proptest::prelude::*;

/// Methods in which the order of the samples matters (neighbors; a layer over the similarities of
/// the batch), or that draw random numbers.
const ORDERED: &[&str] = &["cc", "semckd", "crd", "bss"];

/// Methods that are 0 for identical features: those without adapters that change them.
const ZERO_FOR_IDENTICAL: &[&str] = &[
    "kd", "at", "sp", "nst", "rkd", "pkt", "irg", "fsp", "logits", "dkd", "dml",
];

fn methods() -> Vec<Method> {
    Method::distilling()
}

/// Value and gradients of a term.
fn evaluate(scene: &Scene, loss: &Loss, gates: &[Gate]) -> (f64, Vec<Vec<f64>>) {
    let leaves = scene.leaves();
    let term = leaves.term(loss, gates);
    let grads = term.backward();
    (scalar(term), leaves.gradients(loss, &grads))
}

fn assert_finite(name: &str, what: &str, scene: &Scene, loss: &Loss, gates: &[Gate]) {
    let (value, gradients) = evaluate(scene, loss, gates);
    assert!(value.is_finite(), "{name}, {what}: {value}");
    for (at, gradient) in gradients.iter().enumerate() {
        let finite = gradient.iter().all(|value| value.is_finite());
        assert!(finite, "{name}, {what}: gradient {at} is not finite");
    }
    visit(loss, &mut |values| {
        let finite = values.iter().all(|value| value.is_finite());
        assert!(
            finite,
            "{name}, {what}: a parameter or statistic is not finite"
        );
    });
}

#[test]
fn what_a_method_says_it_reads_is_all_that_it_reads() {
    for method in methods() {
        let reads = method.requirements().reads();
        if reads == Reads::Maps {
            continue;
        }
        let mut scene = Scene::new(&method, 4, 11);
        let loss = scene.init(&method);
        let whole = evaluate(&scene, &loss, &[]).0;
        scene.teacher.maps.clear();
        scene.teacher.preact.clear();
        if reads == Reads::Logits {
            scene.teacher.pooled = scene.teacher.pooled.zeros_like().narrow(1, 0, 1);
        }
        // Without what it does not read, a method that reads it would panic or differ.
        let trimmed = evaluate(&scene, &loss, &[]).0;
        if !ORDERED.contains(&method.name()) {
            assert_eq!(trimmed, whole, "{}", method.name());
        }
    }
}

#[test]
fn every_batch_size_from_one_up_is_finite() {
    for method in methods() {
        for batch in 1..=4 {
            let scene = Scene::new(&method, batch, batch as u64);
            let loss = scene.init(&method);
            let what = format!("batch of {batch}");
            assert_finite(method.name(), &what, &scene, &loss, &[]);
        }
    }
}

#[test]
fn zeros_and_equal_samples_are_finite() {
    for method in methods() {
        let name = method.name();
        let random = Scene::new(&method, 4, 7);
        let zeros = |features: &Features| map_features(features, &Zeros);
        let again = |scene: Scene, what: &str| {
            let loss = scene.init(&method);
            assert_finite(name, what, &scene, &loss, &[]);
        };
        let student = zeros(&random.student);
        let teacher = zeros(&random.teacher);
        again(
            Scene {
                student: student.clone(),
                ..Scene::new(&method, 4, 7)
            },
            "student of zeros",
        );
        again(
            Scene {
                teacher: teacher.clone(),
                ..Scene::new(&method, 4, 7)
            },
            "teacher of zeros",
        );
        again(
            Scene {
                student,
                teacher,
                ..Scene::new(&method, 4, 7)
            },
            "all zeros",
        );
        again(random.rows(&[0, 0, 1, 1]), "equal samples");
    }
}

/// What a short last batch and a dead or converged student come to.
#[test]
fn report_f14_degenerate_features_are_finite() {
    let scenes: [(&str, &dyn Map); 3] = [
        ("constant maps", &Constant),
        ("rounding", &Rounding),
        ("zeros", &Zeros),
    ];
    for method in methods() {
        let name = method.name();
        for rows in [&[0][..], &[0, 0], &[0, 1]] {
            let check = |scene: Scene, what: &str| {
                let loss = scene.init(&method);
                let what = format!("{what}, rows {rows:?}");
                assert_finite(name, &what, &scene.rows(rows), &loss, &[]);
            };
            for (what, map) in scenes {
                let scene = Scene::new(&method, 4, 17);
                let student = map_features(&scene.student, map);
                check(Scene { student, ..scene }, what);
                let scene = Scene::new(&method, 4, 17);
                let teacher = map_features(&scene.teacher, map);
                check(Scene { teacher, ..scene }, what);
            }
            let scene = Scene::new(&method, 4, 17);
            let same = Scene {
                student: scene.teacher.clone(),
                networks: [scene.networks[1].clone(), scene.networks[1].clone()],
                ..scene
            };
            check(same, "a student that is the teacher");
        }
    }
}

#[test]
fn large_and_tiny_features_are_finite() {
    for method in methods() {
        for scale in [1e4, 1e-8] {
            let scene = Scene::new(&method, 4, 23);
            let scaled = |features: &Features| map_features(features, &Scaled(scale));
            let scene = Scene {
                student: scaled(&scene.student),
                teacher: scaled(&scene.teacher),
                ..scene
            };
            let loss = scene.init(&method);
            let what = format!("features of {scale}");
            assert_finite(method.name(), &what, &scene, &loss, &[]);
        }
    }
}

#[test]
fn a_gate_over_any_batch_size_is_finite() {
    for method in methods() {
        for batch in 1..=3 {
            let scene = Scene::new(&method, batch, 5);
            for open in 0..=1 {
                let gate = Gate::new(Tensor::full([batch], open, &Device::default()));
                let loss = scene.init(&method);
                let what = format!("batch of {batch}, gate of {open}");
                assert_finite(method.name(), &what, &scene, &loss, &[gate]);
            }
        }
    }
}

#[test]
fn identical_features_give_zero() {
    for method in methods() {
        let name = method.name();
        if !ZERO_FOR_IDENTICAL.contains(&name) {
            continue;
        }
        let scene = Scene::new(&method, 5, 11);
        let scene = Scene {
            student: scene.teacher.clone(),
            ..scene
        };
        let (value, gradients) = evaluate(&scene, &scene.init(&method), &[]);
        assert!(value.abs() < 1e-6, "{name}: {value}");
        for gradient in gradients {
            assert!(
                gradient.iter().all(|value| value.abs() < 1e-4),
                "{name}: {gradient:?}"
            );
        }
    }
}

#[test]
fn no_gradient_reaches_the_teacher_or_the_gate() {
    let device = Device::default().autodiff();
    for method in methods() {
        let scene = Scene::new(&method, 4, 13);
        let loss = scene.init(&method);
        let leaves = scene.leaves();
        let teacher = map_features(&scene.teacher, &common::Leaves);
        let entries = Tensor::<1>::from_floats([1.0, 1.0, 0.0, 1.0], &device).require_grad();
        let leaves = Scene { teacher, ..leaves };
        let term = leaves.term(&loss, &[Gate::new(entries.clone())]);
        let grads = term.backward();
        let name = method.name();
        assert!(entries.grad(&grads).is_none(), "{name}");
        let features = &leaves.teacher;
        for map in features.maps.iter().chain(&features.preact) {
            assert!(map.grad(&grads).is_none(), "{name}");
        }
        for rows in [&features.pooled, &features.logits] {
            assert!(rows.grad(&grads).is_none(), "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn the_order_of_the_batch_does_not_matter(
        order in Just((0..6).collect::<Vec<i32>>()).prop_shuffle(),
        seed in 0u64..1000,
    ) {
        for method in methods() {
            let name = method.name();
            if ORDERED.contains(&name) {
                continue;
            }
            let scene = Scene::new(&method, 6, seed);
            let loss = scene.init(&method);
            let (before, _) = evaluate(&scene, &copy(&loss), &[]);
            let (after, _) = evaluate(&scene.rows(&order), &copy(&loss), &[]);
            let error = error(&[after], &[before], 1e-3);
            prop_assert!(error < 1e-4, "{}: {} and {}", name, before, after);
        }
    }
}
