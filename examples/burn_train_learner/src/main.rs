//! Distillation in Burn's own learner: its terminal dashboard, metrics, early stopping and
//! checkpoints, with a model of kd.
//!
//! ```text
//! cargo run --manifest-path examples/burn_train_learner/Cargo.toml
//! ```

use std::error::Error;

use burn::tensor::Device;
use burn_train::metric::store::{Aggregate, Direction, Split};
use burn_train::metric::{AccuracyMetric, LossMetric, TopKAccuracyMetric};
use burn_train::{ExecutionStrategy, Learner, SupervisedTraining};
use burn_train::{MetricEarlyStoppingStrategy, StoppingCondition};
use kd_data::{Loader, LoaderConfig, ProceduralConfig};
use kd_losses::Method;
use kd_models::{AnyNetwork, Architecture};
use kd_train::{BatchLoader, DataInfo, FrozenTeacher, TaskConfig};

const CLASSES: usize = 4;
const BATCH: usize = 32;

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex().autodiff();
    device.seed(0);
    let data = ProceduralConfig {
        classes: CLASSES,
        train: 960,
        test: 200,
        ..ProceduralConfig::default()
    };
    let images = data.generate()?;
    let train = Loader::new(images.train, LoaderConfig::train(BATCH, 0))?;
    let test = Loader::new(images.test, LoaderConfig::evaluate(BATCH))?;
    let teacher = teacher(&train, &device)?;

    // The three lines that make it distillation: terms, teacher, and the model for the learner.
    let config = TaskConfig::<Method>::new()
        .with_term(Method::by_name("ce")?, 1.0)
        .with_term(Method::by_name("kd")?, 0.9)
        .with_term(Method::by_name("at")?, 1000.0);
    let student = Architecture::by_name("resnet8")?.init(CLASSES, &device);
    let task = config.init(student, Some(teacher), &DataInfo::of(&train), &device)?;

    let folder = std::env::temp_dir().join("kd-burn-train-learner");
    std::fs::create_dir_all(&folder)?;
    let loss = LossMetric::new();
    let stop = MetricEarlyStoppingStrategy::new(
        &loss,
        Aggregate::Mean,
        Direction::Lowest,
        Split::Valid,
        StoppingCondition::NoImprovementSince { n_epochs: 3 },
    );
    let result = SupervisedTraining::new(
        folder.to_string_lossy().into_owned(),
        BatchLoader::new(train, &device),
        BatchLoader::new(test, &device),
    )
    .metrics((AccuracyMetric::new(), TopKAccuracyMetric::new(2), loss))
    .with_default_checkpointers()
    .early_stopping(stop)
    .with_training_strategy(ExecutionStrategy::single(device).into())
    .num_epochs(5)
    .summary()
    .launch(Learner::new(task.model, task.optimizer, 0.02));
    let student: AnyNetwork = result.model.student;
    println!("{} parameters trained", kd_models::weights::count_parameters(&student));
    Ok(())
}

/// A teacher that has learned for a moment.
fn teacher(train: &Loader, device: &Device) -> Result<FrozenTeacher<AnyNetwork>, Box<dyn Error>> {
    let network = Architecture::by_name("resnet14")?.init(CLASSES, device);
    let config = TaskConfig::<Method>::new().with_term(Method::by_name("ce")?, 1.0);
    let nobody = None::<FrozenTeacher<AnyNetwork>>;
    let mut task = config.init(network, nobody, &DataInfo::of(train), device)?;
    for epoch in 0..4 {
        for batch in train.epoch(epoch, device) {
            (task, _) = task.step(&batch);
        }
    }
    Ok(FrozenTeacher::new("resnet14", &task.model.student))
}
