//! Mistakes in shapes are said in words, for every method.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::tensor::{Device, Tensor};
use common::{CLASSES, Scene};
use kd_losses::{Features, Gate, LossConfig, LossError, Method, Setup, Step};

/// Methods that compare the student's logits with the teacher's (SRRL takes the teacher's classifier
/// for both).
const LOGITS: &[&str] = &[
    "kd", "kdrefine", "dkd", "logits", "dml", "irg", "askd", "bss",
];

fn methods() -> Vec<Method> {
    Method::distilling()
}

/// What a step panics with.
fn panic_message(step: impl FnOnce() -> Tensor<1>) -> String {
    let payload = catch_unwind(AssertUnwindSafe(step)).expect_err("a mistake is not computed");
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| {
        payload
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
    })
    .expect("a message")
}

/// The term of features that do not belong together, otherwise complete.
fn term(method: &Method, student: &Features, teacher: &Features, gates: &[Gate]) -> String {
    let scene = Scene::new(method, 3, 1);
    let loss = scene.init(method);
    panic_message(|| {
        let [own, others] = &scene.networks;
        loss.forward(
            &Step::new(student, teacher)
                .with_labels(&scene.labels)
                .with_indices(&scene.indices)
                .with_images(&scene.images)
                .with_networks(own, others)
                .with_gates(gates),
        )
    })
}

#[test]
fn batches_of_different_sizes_print_both_shapes() {
    for method in methods() {
        let (three, two) = (Scene::new(&method, 3, 1), Scene::new(&method, 2, 1));
        let message = term(&method, &two.student, &three.teacher, &[]);
        let expected = format!(
            "{}: the student's logits are [2, {CLASSES}], the teacher's are [3, {CLASSES}]",
            method.name()
        );
        assert!(message.starts_with(&expected), "{message}");
    }
}

#[test]
fn an_empty_batch_is_refused() {
    for method in methods() {
        let scene = Scene::new(&method, 3, 1).rows(&[]);
        let message = term(&method, &scene.student, &scene.teacher, &[]);
        assert!(
            message.contains("at least one sample is needed"),
            "{message}"
        );
        assert!(message.contains(&format!("[0, {CLASSES}]")), "{message}");
    }
}

#[test]
fn gates_of_another_batch_or_number_are_refused() {
    for method in methods() {
        let scene = Scene::new(&method, 3, 1);
        let device = Device::default();
        let short = [Gate::new(Tensor::ones([2], &device))];
        let message = term(&method, &scene.student, &scene.teacher, &short);
        assert!(
            message.contains("a gate of [2] does not fit a batch of 3"),
            "{message}"
        );
        let many = vec![Gate::new(Tensor::ones([3], &device)); 9];
        let message = term(&method, &scene.student, &scene.teacher, &many);
        assert!(message.contains("there are 9 gates for"), "{message}");
    }
}

#[test]
fn methods_of_logits_want_the_same_classes() {
    let mut checked = 0;
    for method in methods() {
        let scene = Scene::new(&method, 3, 1);
        let logits = LOGITS.contains(&method.name());
        let mut setup: Setup = scene.setup();
        setup.student.classes = CLASSES + 1;
        let found = method.build(&setup, &Device::default());
        if logits {
            let expected = LossError::Classes {
                method: method.info().name,
                student: CLASSES + 1,
                teacher: CLASSES,
            };
            assert_eq!(found.err(), Some(expected), "{}", method.name());
            checked += 1;
        }
    }
    assert_eq!(checked, LOGITS.len());
}

#[test]
fn one_class_is_too_few_for_decoupled_distillation() {
    let method = Method::by_name("dkd").expect("a method");
    let mut setup = Scene::new(&method, 3, 1).setup();
    (setup.student.classes, setup.teacher.classes) = (1, 1);
    let error = method
        .build(&setup, &Device::default())
        .expect_err("too few");
    assert_eq!(
        error.to_string(),
        "dkd needs at least 2 classes, but the networks have 1"
    );
}

/// A network without stages, or with another number of them, is either fine or said in words.
#[test]
fn missing_maps_are_typed_errors() {
    for method in methods() {
        for maps in 0..4 {
            let scene = Scene::new(&method, 3, 1);
            let mut setup = scene.setup();
            setup.student.maps.truncate(maps);
            if let Err(error) = method.build(&setup, &Device::default()) {
                assert!(!error.to_string().is_empty(), "{}", method.name());
            }
            setup.teacher.maps.truncate(maps);
            if let Err(error) = method.build(&setup, &Device::default()) {
                assert!(error.to_string().contains(method.name()), "{error}");
            }
        }
    }
}

/// Numbers near 2⁶⁴ are refused or taken, but no panic.
#[test]
fn report_no_number_of_a_method_panics() {
    let mut tried = 0;
    for method in methods() {
        let parameters = serde_json::to_value(&method).expect("JSON");
        for (key, value) in parameters.as_object().expect("parameters") {
            if !(value.is_number() || value.is_null()) {
                continue;
            }
            for number in [0, 1, i64::MAX as u64, u64::MAX] {
                let mut changed = parameters.clone();
                changed[key] = number.into();
                let Ok(changed) = serde_json::from_value::<Method>(changed) else {
                    continue;
                };
                tried += 1;
                let setup = Scene::new(&changed, 3, 1).setup();
                if let Err(error) = changed.build(&setup, &Device::default()) {
                    let message = error.to_string();
                    assert!(message.contains(method.name()), "{key} {number}: {message}");
                }
            }
        }
    }
    assert!(tried > 100, "{tried}");
}
