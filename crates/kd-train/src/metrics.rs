//! The numbers of an epoch.

use serde::{Deserialize, Serialize};

/// One line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Its learning rate.
    pub lr: f64,
    /// On the training images, as they were seen during the epoch.
    pub train: TrainMetrics,
    /// On the test images, after the epoch.
    pub test: TestMetrics,
    /// Wall time of training and evaluation. The only number that differs when a run is repeated.
    pub seconds: f64,
}

/// Means over the training images of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrainMetrics {
    /// The weighted sum of the parts.
    pub loss: f64,
    /// Cross-entropy with the labels, unweighted.
    pub ce: f64,
    /// Distillation of logits, unweighted; absent if its weight is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kd: Option<f64>,
    /// The method's own term, unweighted; absent if there is none or its weight is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<f64>,
    /// Top-1 accuracy, in per cent.
    pub top1: f64,
    /// Top-5 accuracy, in per cent.
    pub top5: f64,
}

/// Means over the test images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestMetrics {
    /// Cross-entropy with the labels.
    pub loss: f64,
    /// Top-1 accuracy, in per cent.
    pub top1: f64,
    /// Top-5 accuracy, in per cent.
    pub top5: f64,
}
