//! A loss of four terms, from a file and from the library: the same numbers.

use std::path::Path;

use burn::tensor::Device;
use kd_data::{Loader, LoaderConfig};
use kd_losses::logits::KdLossConfig;
use kd_losses::maps::AtLossConfig;
use kd_losses::relations::RkdLossConfig;
use kd_losses::{Method, TermConfig};
use kd_models::Architecture;
use kd_models::weights::ReadOptions;
use kd_spot::{RoutingConfig, RoutingMode};
use kd_tests::{lines_without_seconds, tiny_set, untrained_teacher};
use kd_train::{
    DataInfo, NoopObserver, OptimizerConfig, OptimizerName, Overlay, Recipe, RunHistory,
    RunOptions, Setting, TaskConfig, TrainMetrics, load_teacher, run,
};

const TERMS: [&str; 4] = ["ce", "kd", "at", "rkd"];

/// The recipe as a file.
fn from_a_file(folder: &Path, teacher: &Path, mode: RoutingMode) -> Recipe {
    let yaml = format!(
        "data: {{ procedural: {{ classes: 4, train: 20, test: 4 }}, batch_size: 8 }}\n\
         student: {{ network: resnet8 }}\n\
         teacher: {{ weights: {} }}\n\
         losses:\n\
         - {{ name: ce, weight: 1 }}\n\
         - {{ name: kd, weight: 0.9, temperature: 2 }}\n\
         - {{ name: at, weight: 500, p: 1 }}\n\
         - {{ name: rkd, weight: 0.5 }}\n\
         routing: {{ mode: {} }}\n\
         optimizer: {{ lr: 0.01 }}\n\
         augmentation: {{ kind: none }}\n\
         train: {{ epochs: 1, seed: 3 }}\n\
         compute: {{ device: flex }}\n",
        teacher.display(),
        mode.name()
    );
    let path = folder.join(format!("{}.yaml", mode.name()));
    std::fs::write(&path, yaml).expect("a file");
    let overlay = Overlay::read(path).unwrap_or_else(|error| panic!("{error}"));
    overlay.finish().expect("a recipe")
}

fn losses() -> Vec<TermConfig> {
    vec![
        TermConfig::new(Method::by_name("ce").expect("a method"), 1.0),
        TermConfig::new(Method::Kd(KdLossConfig::new().with_temperature(2.0)), 0.9),
        TermConfig::new(Method::At(AtLossConfig::new().with_p(1)), 500.0),
        TermConfig::new(Method::Rkd(RkdLossConfig::new()), 0.5),
    ]
}

/// The recipe by the library.
fn from_the_library(teacher: &Path, mode: RoutingMode) -> Recipe {
    let mut recipe = Recipe::new("resnet8".parse().expect("a network"));
    recipe.data.procedural = Some(tiny_set());
    recipe.data.batch_size = Some(8);
    recipe.teacher.weights = Some(teacher.to_owned().into());
    recipe.losses = losses();
    recipe.routing.mode = mode;
    recipe.optimizer.lr = Some(0.01);
    recipe.augmentation = Some(kd_data::Augmentation::None);
    recipe.train.epochs = Some(1);
    recipe.train.seed = 3;
    recipe.compute.device = Some("flex".to_owned());
    recipe.resolved().expect("a recipe")
}

/// Means over an epoch in a loop of one's own, without routing: the total and the terms.
fn in_a_loop(teacher: &Path) -> (f64, Vec<f64>) {
    let plain = Device::flex();
    let device = plain.clone().autodiff();
    let set = tiny_set().generate().expect("images").train;
    let setting = Setting {
        classes: 4,
        input: [3, 32, 32],
        device: device.clone(),
    };
    let teacher =
        load_teacher(teacher, None, &ReadOptions::default(), &setting).expect("a teacher");
    let config = LoaderConfig {
        augmentation: kd_data::Augmentation::None,
        ..LoaderConfig::train(8, 3)
    };
    let loader = Loader::new(set, config).expect("a loader");
    plain.seed(3);
    let student = Architecture::by_name("resnet8").expect("a network");
    let config = TaskConfig {
        losses: losses(),
        routing: RoutingConfig::default(),
        optimizer: OptimizerConfig {
            lr: Some(0.01),
            ..OptimizerConfig::new(OptimizerName::Sgd)
        },
        ..TaskConfig::new()
    };
    let student = student.init(4, &device);
    let task = config.init(student, Some(teacher), &DataInfo::of(&loader), &device);
    let mut task = task.expect("a task");
    let (mut total, mut terms) = (0.0, vec![0.0; TERMS.len()]);
    for batch in loader.epoch(0, &device) {
        let share = batch.len() as f64 / 20.0;
        let output;
        (task, output) = task.step(&batch);
        let value = |loss: burn::tensor::Tensor<1>| f64::from(loss.into_scalar::<f32>());
        total += share * value(output.losses.total);
        for (sum, (_, term)) in terms.iter_mut().zip(output.losses.terms) {
            *sum += share * value(term);
        }
    }
    (total, terms)
}

/// What a run wrote, and its lines without the wall time.
fn ran(recipe: &Recipe, out: &Path) -> (TrainMetrics, Vec<String>) {
    run(recipe, &RunOptions::new(out), &mut NoopObserver).expect("a run");
    let mut history = RunHistory::read(out).expect("a history");
    let epoch = history.epochs.pop().expect("an epoch");
    (epoch.train, lines_without_seconds(out))
}

// One test: what is drawn is drawn from the process's generator.
#[test]
fn four_terms_are_the_same_from_a_file_and_from_the_library() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    let teacher = untrained_teacher(folder);
    for mode in [RoutingMode::Always, RoutingMode::Adaptive] {
        let file = from_a_file(folder, &teacher, mode);
        let library = from_the_library(&teacher, mode);
        assert_eq!(file, library);
        let (metrics, lines) = ran(&file, &folder.join(mode.name()).join("file"));
        let (_, others) = ran(&library, &folder.join(mode.name()).join("library"));
        assert_eq!(lines, others);
        assert_eq!(lines.len(), 1);

        let terms = &metrics.terms.0;
        let names: Vec<&str> = terms.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, TERMS);
        assert!(
            terms
                .iter()
                .all(|(_, value)| value.is_finite() && *value > 0.0)
        );
        let weighted = terms
            .iter()
            .zip(losses())
            .map(|((_, v), term)| v * term.weight);
        let sum: f64 = weighted.sum();
        assert!((metrics.loss - sum).abs() < 1e-5 * sum, "{metrics:?}");
        let chosen = mode == RoutingMode::Adaptive;
        assert_eq!(metrics.routing.is_some(), chosen);
        assert_eq!(metrics.distilled.is_some(), chosen);

        if !chosen {
            let (total, values) = in_a_loop(&teacher);
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * b.abs();
            assert!(close(total, metrics.loss), "{total} {metrics:?}");
            for ((name, value), other) in terms.iter().zip(values) {
                assert!(close(other, *value), "{name}: {other} {value}");
            }
        }
    }
}
