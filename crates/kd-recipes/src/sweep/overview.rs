//! How far a sweep is.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use kd_train::EpochMetrics;

/// How far a sweep is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overview {
    /// Its cells.
    pub cells: usize,
    /// Those that are complete.
    pub complete: usize,
    /// Those that failed, or need one that did.
    pub failed: usize,
    /// Those that are running, here or by another sweep on the folder.
    pub running: Vec<CellProgress>,
    /// The time that is left, by the epochs measured so far; not known before the first.
    pub left: Option<Duration>,
}

/// How far a cell is.
#[derive(Clone, Debug, PartialEq)]
pub struct CellProgress {
    /// Its name.
    pub name: String,
    /// Whether another sweep runs it.
    pub elsewhere: bool,
    /// Epochs that are complete.
    pub epoch: usize,
    /// All epochs.
    pub epochs: usize,
    /// Mean wall time of an epoch, once there is one.
    pub seconds: Option<f64>,
    /// Top-1 accuracy on the test images after the last epoch, in percent.
    pub top1: Option<f64>,
}

/// The epochs that a run has written, as far as they can be read.
pub(super) fn epochs(run: &Path) -> Vec<EpochMetrics> {
    let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap_or_default();
    let lines = text
        .lines()
        .map_while(|line| serde_json::from_str(line).ok());
    lines.collect()
}

/// Whether a run has completed an epoch of the main phase.
pub(super) fn has_epochs(run: &Path) -> bool {
    std::fs::metadata(run.join("metrics.jsonl")).is_ok_and(|metrics| metrics.len() > 0)
}

/// The time that is left: epochs by what an epoch of the same cell takes, or else a mean one,
/// divided among those that run at the same time.
///
/// `remaining` has the epochs that each cell still needs, `seconds` what an epoch takes, for the cells that
/// have completed one. Not known before the first.
pub fn time_left(
    remaining: &BTreeMap<&str, usize>,
    seconds: &BTreeMap<String, f64>,
    at_once: usize,
) -> Option<Duration> {
    let mean = seconds.values().sum::<f64>() / seconds.len() as f64;
    if seconds.is_empty() || !mean.is_finite() {
        return None;
    }
    let of = |(name, epochs): (&&str, &usize)| {
        *epochs as f64 * seconds.get(*name).copied().unwrap_or(mean)
    };
    let total: f64 = remaining.iter().map(of).sum();
    Duration::try_from_secs_f64(total / at_once.max(1) as f64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_from_measured_epochs() {
        let remaining = BTreeMap::from([("a", 2), ("b", 3)]);
        assert_eq!(time_left(&remaining, &BTreeMap::new(), 1), None);
        let seconds = BTreeMap::from([("a".to_owned(), 10.0), ("done".to_owned(), 20.0)]);
        // 2 epochs of 10 s, 3 of the mean 15 s, two at once.
        let expected = Some(Duration::from_secs_f64(32.5));
        assert_eq!(time_left(&remaining, &seconds, 2), expected);
    }
}
