//! A network and a loss of one's own in a run of kd, from outside of its workspace: spot-adaptive,
//! checkpointed, killed and resumed to the same numbers.
//!
//! ```text
//! cargo run --manifest-path examples/own_loss_and_network/Cargo.toml
//! ```

mod loss;
mod network;

use std::error::Error;
use std::path::Path;
use std::process::Command;

use kd_data::ProceduralConfig;
use kd_losses::{EitherConfig, Method};
use kd_models::weights::WeightsFile;
use kd_spot::{RoutingConfig, RoutingMode};
use kd_train::{
    EpochMetrics, NoopObserver, Observer, OptimizerConfig, OptimizerName, Parts, Recipe, RunOptions,
    RunResult, Setting, Shorthand, run_with,
};

use loss::DirectionConfig;
use network::Plain;

/// Methods of kd and a loss of our own in one list.
type Losses = EitherConfig<Method, DirectionConfig>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    if let Some(folder) = arguments.next() {
        // A session that is to be killed: see below.
        distill(Path::new(&folder), "killed", &mut Killed)?;
        return Err("the session was not killed".into());
    }
    let folder = std::env::temp_dir().join(format!("own-loss-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;

    let teacher = run_with::<Plain, Plain, Losses>(
        &recipe(8),
        Parts::new("plain-wide", wide),
        &RunOptions::new(folder.join("teacher")),
        &mut NoopObserver,
    )?;
    let whole = distill(&folder, "whole", &mut Progress)?;

    // Another process does the same and dies in the middle; this one goes on where it was.
    let status = Command::new(std::env::current_exe()?).arg(&folder).status()?;
    assert!(!status.success(), "the session ends after its second epoch");
    let resumed = distill(&folder, "killed", &mut NoopObserver)?;
    assert_eq!(metrics(&folder.join("killed"))?, metrics(&folder.join("whole"))?);
    assert_eq!(resumed.last_top1, whole.last_top1);

    println!("teacher {:.1} %, student {:.1} %", teacher.last_top1, whole.last_top1);
    println!("killed after two epochs and resumed: the same numbers");
    std::fs::remove_dir_all(folder)?;
    Ok(())
}

/// Spot-adaptive distillation by logits, attention and our own loss.
fn distill(
    folder: &Path,
    run: &str,
    observer: &mut dyn Observer,
) -> Result<RunResult, Box<dyn Error>> {
    let weights = folder.join("teacher").join("student.safetensors");
    let mut recipe = recipe(6);
    // Our loss has a phase before the main one.
    recipe.train.pretrain_epochs = Some(1);
    recipe.routing = RoutingConfig::new(RoutingMode::Adaptive);
    recipe.losses = Shorthand {
        method: Some(Method::by_name("at")?),
        kd: Some(1.0),
        own: Some(100.0),
        ..Shorthand::default()
    }
    .terms();
    let parts = Parts::<Plain, Plain, Losses>::new("plain", |setting: &Setting| {
        Plain::new(&[8, 16, 24], setting.classes, &setting.device)
    })
    .with_teacher("plain-wide", move |setting| {
        let file = WeightsFile::open(&weights).expect("the teacher was trained");
        file.into_module(wide(setting)).expect("it is the same network")
    })
    .with_term(EitherConfig::Right(DirectionConfig { enough: 0.95 }), 2.0);
    let options = RunOptions::resuming(folder.join(run));
    Ok(run_with(&recipe, parts, &options, observer)?)
}

fn wide(setting: &Setting) -> Plain {
    Plain::new(&[24, 48, 64, 96], setting.classes, &setting.device)
}

fn recipe(epochs: usize) -> Recipe {
    let mut recipe = Recipe::default();
    recipe.optimizer = OptimizerConfig::new(OptimizerName::Adam);
    recipe.optimizer.lr = Some(5e-3);
    recipe.data.procedural = Some(ProceduralConfig {
        classes: 4,
        train: 960,
        test: 100,
        ..ProceduralConfig::default()
    });
    recipe.train.epochs = Some(epochs);
    recipe
}

/// The lines of a run's metrics, without the wall time.
fn metrics(run: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl"))?;
    let lines = text.lines().filter_map(|line| line.split_once(",\"seconds\""));
    Ok(lines.map(|(numbers, _)| numbers.to_owned()).collect())
}

/// Prints the terms of each epoch.
struct Progress;

impl Observer for Progress {
    fn epoch(&mut self, metrics: &EpochMetrics) {
        let terms = metrics.train.terms.0.iter();
        let terms: Vec<_> = terms.map(|(name, value)| format!("{name} {value:.3}")).collect();
        println!(
            "epoch {}: {}, distilled {:.2?}, test {:.1} %",
            metrics.epoch,
            terms.join(", "),
            metrics.train.distilled.as_deref().unwrap_or_default(),
            metrics.test.top1
        );
    }
}

/// Ends the process without a word after two epochs, as `kill -9` does.
struct Killed;

impl Observer for Killed {
    fn epoch(&mut self, metrics: &EpochMetrics) {
        if metrics.epoch == 2 {
            std::process::abort();
        }
    }
}
