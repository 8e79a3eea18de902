//! The further networks of mutual learning in a run.

use burn::tensor::{Int, Tensor};
use kd_core::Network;
use kd_losses::DistillationLoss;
use kd_models::weights::count_parameters;

use super::folder::RunFolder;
use super::result::{PeerResult, best_by};
use super::{SaveWith, Trained};
use crate::non_finite::{Moment, Origin};
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
pub(super) struct PeerMeters(Vec<(String, LossMeter)>);

impl PeerMeters {
    /// Starts an epoch (counted from 1).
    pub(super) fn new<S>(peers: &[Peer<S>], epoch: usize) -> Self {
        let meters = peers.iter();
        let meter = |peer: &Peer<S>| {
            let meter = LossMeter::new(Moment::Training(epoch));
            (peer.name.clone(), meter)
        };
        Self(meters.map(meter).collect())
    }

    /// Adds a step.
    pub(super) fn add(
        &mut self,
        outputs: Vec<PeerOutput>,
        labels: &Tensor<1, Int>,
    ) -> Result<(), TrainError> {
        let meters = self.0.iter_mut().zip(outputs).enumerate();
        let added = meters.map(|(index, ((name, meter), output))| {
            let logits = (output.logits, None);
            let added = meter.add(&output.losses, logits, labels.clone());
            added.map_err(|error| of_network(error, index, name))
        });
        // Each is read, so that the cause is among what is found.
        let added: Vec<_> = added.collect();
        let mut all = Ok(());
        for one in added {
            all = both(all, one).map(drop);
        }
        all
    }

    /// The means of the epoch.
    pub(super) fn finish(self) -> Result<Vec<TrainMetrics>, TrainError> {
        let (mut all, mut result) = (Vec::new(), Ok(()));
        for (index, (name, meter)) in self.0.into_iter().enumerate() {
            match meter.finish() {
                Ok(means) => all.push(means.rounded()),
                Err(error) => {
                    let error = of_network(error, index, &name);
                    result = both(result, Err::<(), _>(error)).map(drop);
                }
            }
        }
        result.map(|()| all)
    }
}

/// Says of which network of mutual learning a loss is not finite.
fn of_network(error: TrainError, index: usize, name: &str) -> TrainError {
    error.non_finite(|found| {
        found.term = format!("network {}: {}", FIRST + index, found.term);
        name.clone_into(&mut found.network);
    })
}

/// Two results for the same steps; of two errors the one that tells more: networks learn from each
/// other, so that one whose outputs are not finite spoils the losses of all.
pub(super) fn both<A, B>(
    one: Result<A, TrainError>,
    other: Result<B, TrainError>,
) -> Result<(A, B), TrainError> {
    let is_cause = |error: &TrainError| matches!(error, TrainError::NonFinite(found) if found.origin == Origin::Network);
    match (one, other) {
        (Ok(one), Ok(other)) => Ok((one, other)),
        (Err(one), Err(other)) if is_cause(&other) && !is_cause(&one) => Err(other),
        (Err(error), _) | (_, Err(error)) => Err(error),
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
