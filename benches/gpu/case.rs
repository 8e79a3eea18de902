//! What is measured.

use serde::{Deserialize, Serialize};

/// A recipe's step on a device.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// `cuda`, `cuda:1`, `wgpu`, `flex`.
    pub device: String,
    /// The networks.
    pub teacher: String,
    pub student: String,
    /// A method by its name in recipes.
    pub method: String,
    /// Whether a policy chooses what is distilled where.
    #[serde(default)]
    pub adaptive: bool,
    /// Whether the kernels of this workspace are used, and not Burn's own operations alone.
    #[serde(default = "yes")]
    pub kernels: bool,
    /// Images in a step.
    pub batch: usize,
    /// Images on the device, of CIFAR's shape.
    #[serde(default = "cifar")]
    pub images: usize,
    /// Shortest time to measure.
    #[serde(default = "three")]
    pub seconds: f64,
    /// What to measure, in this order.
    #[serde(default = "all")]
    pub parts: Vec<Part>,
}

/// A measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// Seconds from the start of the process to the end of the first step, and before that step.
    FirstStep,
    /// Steps on one batch that is on the device: images a second.
    Eager,
    /// Steps with the batches of a loader: images a second.
    Loader,
    /// Steps whose data and state stay on the device, one launch after the other: images a second.
    Resident,
    /// Launches of an eager step, all and by kernel.
    EagerLaunches,
    /// The same of a step whose data and state stay on the device, which is what is recorded.
    Launches,
    /// Seconds that recording takes, comparison included, and the greatest difference.
    Record,
    /// Recorded steps: images a second.
    Recorded,
    /// Seconds of an epoch as a run has it: recorded, if it was.
    Epoch,
}

fn yes() -> bool {
    true
}

fn cifar() -> usize {
    50_000
}

fn three() -> f64 {
    3.0
}

fn all() -> Vec<Part> {
    vec![
        Part::FirstStep,
        Part::Eager,
        Part::Loader,
        Part::Resident,
        Part::Record,
        Part::Recorded,
        Part::Epoch,
    ]
}
