//! The further networks of mutual learning in a run.

use burn::tensor::{Int, Tensor};
use kd_core::Network;
use kd_losses::DistillationLoss;
use kd_models::weights::count_parameters;

use super::folder::RunFolder;
use super::result::{PeerResult, best_by};
use super::{SaveWith, Trained};
use crate::task::LossMeter;
use crate::{
    DistillTask, EpochMetrics, PeerMetrics, PeerOutput, TestMetrics, TrainError, TrainMetrics,
};

/// The number of the first of them: the student is network 1.
pub(super) const FIRST: usize = 2;

/// A further network: its name and how its weights are written.
pub(super) struct Peer<S> {
    pub(super) name: String,
    pub(super) save: SaveWith<S>,
}

/// Means of losses and accuracies over an epoch, of each of them.
pub(super) struct PeerMeters(Vec<LossMeter>);

impl PeerMeters {
    /// Starts an epoch (counted from 1).
    pub(super) fn new(peers: usize, epoch: usize) -> Self {
        Self((0..peers).map(|_| LossMeter::new(epoch)).collect())
    }

    /// Adds a step.
    pub(super) fn add(
        &mut self,
        outputs: Vec<PeerOutput>,
        labels: &Tensor<1, Int>,
    ) -> Result<(), TrainError> {
        for (index, (meter, output)) in self.0.iter_mut().zip(outputs).enumerate() {
            meter
                .add(&output.losses, output.logits, labels.clone())
                .map_err(|error| error.of_network(FIRST + index))?;
        }
        Ok(())
    }

    /// The means of the epoch.
    pub(super) fn finish(self) -> Result<Vec<TrainMetrics>, TrainError> {
        let meters = self.0.into_iter().enumerate();
        let means = meters.map(|(index, meter)| {
            let means = meter.finish();
            let means = means.map_err(|error| error.of_network(FIRST + index))?;
            Ok(means.rounded())
        });
        means.collect()
    }
}

/// The metrics of an epoch.
pub(super) fn metrics(train: Vec<TrainMetrics>, test: Vec<TestMetrics>) -> Vec<PeerMetrics> {
    let both = train.into_iter().zip(test);
    both.map(|(train, test)| PeerMetrics { train, test })
        .collect()
}

/// Top-1 accuracy of a further network on the test images after an epoch.
fn top1(epoch: &EpochMetrics, index: usize) -> Option<f64> {
    Some(epoch.peers.get(index)?.test.top1)
}

/// Writes the weights of those whose last epoch is their best.
pub(super) fn save_best<'a, S: Network, T: Network, L: DistillationLoss>(
    peers: &[Peer<S>],
    (task, history): (&DistillTask<S, T, L>, &[EpochMetrics]),
    folder: &RunFolder,
    trained: impl Fn(Option<f64>) -> Trained<'a>,
) -> Result<(), TrainError> {
    let Some(last) = history.last() else {
        return Ok(());
    };
    for (index, (peer, network)) in peers.iter().zip(&task.model.peers).enumerate() {
        let best = best_by(history, |epoch| top1(epoch, index));
        if best.is_some_and(|best| best.epoch == last.epoch) {
            let path = folder.best_peer(FIRST + index);
            (peer.save)(&network.valid(), &path, &trained(top1(last, index)))?;
        }
    }
    Ok(())
}

/// Writes the weights of all, and says what came out.
pub(super) fn finish<'a, S: Network, T: Network, L: DistillationLoss>(
    peers: &[Peer<S>],
    (task, history): (&DistillTask<S, T, L>, &[EpochMetrics]),
    folder: &RunFolder,
    trained: impl Fn(Option<f64>) -> Trained<'a>,
) -> Result<Vec<PeerResult>, TrainError> {
    let mut results = Vec::with_capacity(peers.len());
    for (index, (peer, network)) in peers.iter().zip(&task.model.peers).enumerate() {
        let last = history.last();
        let path = folder.peer(FIRST + index);
        let top1_of_last = last.and_then(|epoch| top1(epoch, index));
        (peer.save)(&network.valid(), &path, &trained(top1_of_last))?;
        let best = best_by(history, |epoch| top1(epoch, index));
        let test = |epoch: &EpochMetrics| epoch.peers.get(index).map(|peer| peer.test.clone());
        results.push(PeerResult {
            network: peer.name.clone(),
            last_top1: top1_of_last.unwrap_or_default(),
            last_top5: last.and_then(test).map_or(0.0, |test| test.top5),
            best_top1: best
                .and_then(|epoch| top1(epoch, index))
                .unwrap_or_default(),
            best_epoch: best.map_or(0, |epoch| epoch.epoch),
            params: count_parameters(network),
        });
    }
    Ok(results)
}
