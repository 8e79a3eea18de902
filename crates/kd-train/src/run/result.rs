//! The outcome of a run.

use kd_spot::RoutingMode;
use serde::{Deserialize, Serialize};

use super::memory::peak_rss_mb;
use crate::{EpochMetrics, Recipe};

/// The content of `result.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// The network that was trained.
    pub student: String,
    /// The teacher, if there was one.
    pub teacher: Option<String>,
    /// The other networks of mutual learning, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub peers: Vec<PeerResult>,
    /// The terms of the loss.
    #[serde(default)]
    pub losses: Vec<String>,
    /// How the samples to distill were chosen, if there was a teacher.
    #[serde(default)]
    pub routing: Option<RoutingMode>,
    /// The data set.
    pub data: String,
    /// Which images the accuracies are of.
    #[serde(default)]
    pub evaluated_on: EvaluatedOn,
    /// Number of training images.
    pub train_images: usize,
    /// Number of test images.
    pub test_images: usize,
    /// Top-1 accuracy on the test images after the last epoch, in percent.
    pub last_top1: f64,
    /// Top-5 accuracy on the test images after the last epoch, in percent.
    pub last_top5: f64,
    /// Best top-1 accuracy on the test images after any epoch, in percent. Choosing the epoch by
    /// the test images flatters: compare last with last.
    pub best_top1: f64,
    /// The epoch of the best top-1 accuracy, from 1.
    pub best_epoch: usize,
    /// Number of epochs.
    pub epochs: usize,
    /// Trainable parameters of the student.
    pub params: usize,
    /// Mean wall time of an epoch, evaluation included.
    pub seconds_per_epoch: f64,
    /// Largest resident memory of the process, in MiB.
    pub peak_rss_mb: f64,
    /// The seed.
    pub seed: u64,
    /// The device.
    pub device: String,
    /// Version of the program.
    pub version: String,
}

/// Images that a run is evaluated on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvaluatedOn {
    /// The test images of the data set.
    #[default]
    Test,
    /// Images kept back from the training images: `data.dev_split`.
    Dev,
}

impl EvaluatedOn {
    /// The name, as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Dev => "dev",
        }
    }
}

/// What came out of another network of mutual learning.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PeerResult {
    /// The network.
    pub network: String,
    /// Top-1 accuracy on the test images after the last epoch, in percent.
    pub last_top1: f64,
    /// Top-5 accuracy on the test images after the last epoch, in percent.
    pub last_top5: f64,
    /// Best top-1 accuracy on the test images after any epoch, in percent.
    pub best_top1: f64,
    /// The epoch of the best top-1 accuracy, from 1.
    pub best_epoch: usize,
    /// Trainable parameters.
    pub params: usize,
}

impl RunResult {
    pub(crate) fn new(
        recipe: &Recipe,
        (student, teacher, losses): (String, Option<String>, Vec<String>),
        images: [usize; 2],
        params: usize,
        history: &[EpochMetrics],
    ) -> Self {
        let last = history.last();
        let best = best(history);
        Self {
            student,
            routing: teacher.is_some().then_some(recipe.routing.mode),
            teacher,
            peers: Vec::new(),
            losses,
            data: recipe.data.name.name().to_owned(),
            evaluated_on: match recipe.data.dev_split {
                Some(_) => EvaluatedOn::Dev,
                None => EvaluatedOn::Test,
            },
            train_images: images[0],
            test_images: images[1],
            last_top1: last.map_or(0.0, |epoch| epoch.test.top1),
            last_top5: last.map_or(0.0, |epoch| epoch.test.top5),
            best_top1: best.map_or(0.0, |epoch| epoch.test.top1),
            best_epoch: best.map_or(0, |epoch| epoch.epoch),
            epochs: history.len(),
            params,
            seconds_per_epoch: history.iter().map(|epoch| epoch.seconds).sum::<f64>()
                / history.len().max(1) as f64,
            peak_rss_mb: peak_rss_mb(),
            seed: recipe.train.seed,
            device: recipe.compute.device.clone().unwrap_or_default(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// The epoch of the best top-1 accuracy, the first if there are several.
pub(crate) fn best(history: &[EpochMetrics]) -> Option<&EpochMetrics> {
    best_by(history, |epoch| Some(epoch.test.top1))
}

/// The epoch of the best of some accuracy, the first if there are several.
pub(crate) fn best_by(
    history: &[EpochMetrics],
    top1: impl Fn(&EpochMetrics) -> Option<f64>,
) -> Option<&EpochMetrics> {
    history.iter().reduce(|best, epoch| {
        if top1(epoch) > top1(best) {
            epoch
        } else {
            best
        }
    })
}
