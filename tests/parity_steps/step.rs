//! A training step of ASKD or KDrefine against reference values, two iterations, with the terms that a
//! file or command line of theirs makes.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use kd_data::Batch;
use kd_losses::{Method, MethodLoss};
use kd_models::{AnyNetwork, Architecture, PytorchKeys};
use kd_recipes::foreign::{Beside, read, translate};
use kd_tests::{Case, Read, assert_scalar, fill_parameters, visit_parameters};
use kd_train::{DataInfo, DistillTask, FrozenTeacher, Recipe};
use serde_json::{Value, json};

type Task = DistillTask<AnyNetwork, AnyNetwork, MethodLoss>;

/// The recipe that the original's own words make of a case.
fn recipe(case: &Case) -> Recipe {
    let hyper = &case.manifest["hyper"];
    let text = |name: &str| hyper[name].as_str().expect("a text").to_owned();
    let number = |name: &str| hyper[name].to_string();
    let foreign = if case.name.starts_with("askd") {
        let mut file = hyper.clone();
        for (key, value) in [
            ("distill", json!("ASKD")),
            ("model_s", json!(text("student"))),
            ("model_t", json!(text("teacher"))),
            ("path_t", json!("teacher.pth")),
            ("learning_rate", case.manifest["optimizer"]["lr"].clone()),
        ] {
            file[key] = value;
        }
        for other in ["student", "teacher", "batch", "num_classes"] {
            file.as_object_mut().expect("a map").remove(other);
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pair.yaml");
        std::fs::write(&path, file.to_string()).expect("a file");
        read(&path, &Beside::default()).expect("a configuration")
    } else {
        let line = format!(
            "--path_t {}_vanilla/ckpt_epoch_240.pth --distill kdrefine --model_s {} --blocktype {} \
             -r {} -a {} -b {} --kd_T {} --learning_rate {}",
            text("teacher"),
            text("student"),
            text("block"),
            number("gamma"),
            number("alpha"),
            number("beta"),
            number("kd_T"),
            case.manifest["optimizer"]["lr"],
        );
        let arguments = line.split_whitespace().map(str::to_owned).collect();
        translate(arguments).expect("a command line").foreign
    };
    foreign
        .expect("another program's")
        .overlay
        .finish()
        .expect("a recipe")
}

/// The reference's key of a parameter of the model.
fn key(task: &Task, path: &str) -> String {
    match path.strip_prefix("student.") {
        Some(path) => format!("student.{}", task.model.student.pytorch_key(path)),
        None => adapter_key(path),
    }
}

/// `….connectors.1.weight` is `conv1.weight` there.
fn adapter_key(path: &str) -> String {
    let (_, place) = path.split_once("connectors.").expect("a connector");
    format!("conv{place}")
}

fn task(case: &Case, plain: &Device) -> Task {
    let recipe = recipe(case);
    let device = plain.clone().autodiff();
    let of = |name: &str| case.manifest["hyper"][name].as_str().expect("a name");
    let architecture = |name: &str| Architecture::by_name(of(name)).expect("a network");
    assert_eq!(recipe.student.network, Some(architecture("student")));
    let student = case.network("student", architecture("student"), &device);
    let teacher = case.network("teacher", architecture("teacher"), plain);
    let data = DataInfo {
        input: [3, 32, 32],
        labels: vec![0; 8],
        batch_size: 8,
    };
    let teacher = FrozenTeacher::new("teacher", &teacher);
    let task = recipe
        .task::<Method>()
        .init(student, Some(teacher), &data, &device);
    let mut task = task.unwrap_or_else(|error| panic!("{}: {error}", case.name));
    for term in &mut task.model.losses {
        if let MethodLoss::Askd(loss) = &mut term.loss {
            loss.connectors = fill_connectors(case, loss.connectors.clone());
        }
    }
    task
}

fn fill_connectors<M: Module>(case: &Case, connectors: Vec<M>) -> Vec<M> {
    let fill = |(index, connector)| {
        fill_parameters(case, connector, &[], |path: &str| {
            format!("conv{index}.{path}")
        })
    };
    connectors.into_iter().enumerate().map(fill).collect()
}

/// Compares norm and first values of all that the case lists, and the norm of the whole student.
fn assert_parameters(
    case: &Case,
    task: &Task,
    read: Read<'_>,
    (listed, by_module): (&Value, &Value),
    (what, tolerance): (&str, f64),
) {
    let listed = listed.as_object().expect("parameters");
    let norms = listed.values().filter_map(|entry| entry["l2"].as_f64());
    let floor = 1e-6 * norms.fold(1.0, f64::max);
    let (mut seen, mut squares) = (0, 0.0);
    visit_parameters(
        &task.model,
        |path| key(task, path),
        read,
        |key, values| {
            let own: f64 = values.iter().map(|value| f64::from(*value).powi(2)).sum();
            let buffer = key.contains("running_");
            if key.starts_with("student.") && !buffer {
                squares += own;
            }
            let Some(expected) = listed.get(key) else {
                return;
            };
            seen += 1;
            let label = format!("{} {what} {key}", case.name);
            let l2 = expected["l2"].as_f64().expect("a norm");
            assert!(
                (own.sqrt() - l2).abs() <= 2.0 * tolerance * l2 + floor,
                "{label}: {} {l2}",
                own.sqrt()
            );
            let largest = values
                .iter()
                .fold(0.0, |max: f64, value| max.max(f64::from(value.abs())));
            let first = expected["first"].as_array().expect("values").iter();
            for (own, expected) in values.iter().zip(first.filter_map(Value::as_f64)) {
                let off = (f64::from(*own) - expected).abs();
                assert!(
                    off <= tolerance * largest + floor,
                    "{label}: {own} {expected}"
                );
            }
        },
    );
    assert_eq!(seen, listed.len(), "{}: {what}", case.name);
    let expected = by_module["student"].as_f64().expect("a norm");
    let label = format!("{} {what} of the student", case.name);
    assert_scalar(&label, squares.sqrt(), expected, tolerance);
}

/// Tolerances of an iteration.
#[derive(Clone, Copy)]
pub struct Within {
    /// Of losses.
    pub losses: f64,
    /// Of gradients and parameters, of the largest value in each tensor.
    pub parameters: f64,
}

/// The first iterations of a case, each within its tolerances.
pub fn check(name: &str, plain: &Device, tolerances: &[Within]) {
    let case = Case::load("steps", name);
    let mut task = task(&case, plain);
    for (index, within) in tolerances.iter().enumerate() {
        let iteration = &case.manifest["iterations"][index];
        let images: Tensor<4> = case.input(&format!("x{index}"), plain);
        let labels = case.labels(&format!("target{index}"), plain);
        let batch = Batch::new(Tensor::from_inner(images), Tensor::from_inner(labels));
        let output = task.model.forward(&batch, None, None);
        let total: f32 = output
            .losses
            .total
            .clone()
            .inner()
            .cast(burn::tensor::DType::F32)
            .into_scalar();
        let expected = iteration["loss_total"].as_f64().expect("a loss");
        assert_scalar(
            &format!("{name} loss {index}"),
            f64::from(total),
            expected,
            within.losses,
        );
        let gradients = output.losses.root().backward();
        let tolerance = within.parameters;
        let step = &iteration["main_step"];
        let expected = (&step["grads"], &step["grad_l2_by_module"]);
        let what = format!("gradient {index}");
        assert_parameters(
            &case,
            &task,
            Read(Some(&gradients)),
            expected,
            (&what, tolerance),
        );
        let gradients = GradientsParams::from_grads(gradients, &task.model);
        task = task.update(gradients);
        let expected = (&step["params_after"], &step["param_l2_by_module_after"]);
        let what = format!("parameter {index}");
        assert_parameters(&case, &task, Read(None), expected, (&what, tolerance));
    }
}
