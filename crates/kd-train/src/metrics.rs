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
    /// Distillation of logits, unweighted; absent if its weight is 0. Where samples are chosen, it is
    /// that of the chosen ones times their share, and so is the method's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kd: Option<f64>,
    /// The method's own term, unweighted; absent if there is none or its weight is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<f64>,
    /// The routing objective; absent if no policy chooses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<f64>,
    /// Share of the samples that were distilled at each spot; absent if all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distilled: Option<Vec<f64>>,
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

/// A number with twelve digits. What is written with more is not read back to the same number, so
/// that a run that was continued would leave other records than one that was not.
pub(crate) fn twelve_digits(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

impl TrainMetrics {
    /// With twelve digits.
    pub(crate) fn rounded(self) -> Self {
        Self {
            loss: twelve_digits(self.loss),
            ce: twelve_digits(self.ce),
            kd: self.kd.map(twelve_digits),
            method: self.method.map(twelve_digits),
            routing: self.routing.map(twelve_digits),
            distilled: self
                .distilled
                .map(|shares| shares.into_iter().map(twelve_digits).collect()),
            top1: twelve_digits(self.top1),
            top5: twelve_digits(self.top5),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut value = 0.1f64;
        for _ in 0..2000 {
            // Numbers of all sizes with all digits.
            value = (value * 1.618_033_988_749_895 + 0.017).rem_euclid(97.0) + 1e-3;
            let rounded = twelve_digits(value);
            assert!((rounded - value).abs() <= 1e-11 * value);
            let text = serde_json::to_string(&rounded).expect("a number");
            let read: f64 = serde_json::from_str(&text).expect("a number");
            assert_eq!(read, rounded);
            assert_eq!(serde_json::to_string(&read).expect("a number"), text);
        }
    }
}
