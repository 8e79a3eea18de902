//! Mutual learning: several networks that train together.

use burn::tensor::Tensor;
use kd_core::{Features, Network, Site};
use kd_data::Batch;
use kd_losses::{DistillationLoss, LossConfig, Term, TermConfig};
use kd_spot::RoutingConfig;

use super::check_logits_are_enough;
use super::losses::{Losses, WeightedSum};
use super::model::{DistillModel, PeerOutput, StepOutput, step_of};
use crate::TrainError;

impl<S: Network, T: Network, L: DistillationLoss> DistillModel<S, T, L> {
    /// The losses of a batch for each network, the others being its teachers (Zhang et al. 2018, Deep
    /// Mutual Learning, <https://arxiv.org/abs/1706.00384>): those of its labels, and the mean over
    /// the other networks of each term that compares. All networks run before any is updated.
    pub(super) fn forward_mutual(&self, batch: &Batch, epoch: Option<&Tensor<1>>) -> StepOutput {
        let networks = std::iter::once(&self.student).chain(&self.peers);
        let features: Vec<Features> = networks
            .map(|network| network.summary(batch.images.clone()))
            .collect();
        let active: Vec<&Term<L>> = self.losses.iter().filter(|term| term.is_active()).collect();
        let output = |(index, own): (usize, &Features)| {
            let (before, after) = (&features[..index], &features[index + 1..]);
            let others: Vec<&Features> = before.iter().chain(after).collect();
            PeerOutput {
                losses: losses_among(&active, batch, (own, &others), epoch),
                logits: own.logits.clone(),
            }
        };
        let mut outputs = features.iter().enumerate().map(output);
        let Some(PeerOutput { losses, logits }) = outputs.next() else {
            panic!("there is always a student");
        };
        StepOutput {
            losses,
            logits,
            teacher: None,
            labels: batch.labels.clone(),
            gates: None,
            grafted: None,
            peers: outputs.collect(),
        }
    }
}

/// The losses of one network among others.
fn losses_among<L: DistillationLoss>(
    terms: &[&Term<L>],
    batch: &Batch,
    (own, others): (&Features, &[&Features]),
    epoch: Option<&Tensor<1>>,
) -> Losses {
    let mut losses = WeightedSum::default();
    for term in terms {
        let against = |other| term.forward(&step_of(batch, own, other, epoch, None));
        let loss = match term.requirements.site {
            Site::Labels => Some(against(own)),
            _ => {
                let each = others.iter().map(|other| against(other));
                let sum = each.reduce(|sum, loss| sum + loss);
                sum.map(|sum| sum / others.len() as f64)
            }
        };
        if let Some(loss) = loss {
            losses.add(term.label.clone(), loss, term.weight);
        }
    }
    losses.finish()
}

/// Whether networks can learn from each other by these terms.
///
/// # Errors
///
/// [`TrainError::Conflict`] naming what reads features, the routing or the average of weights.
pub(crate) fn check_mutual<C: LossConfig>(
    losses: &[TermConfig<C>],
    routing: &RoutingConfig,
    ema_decay: Option<f64>,
) -> Result<(), TrainError> {
    check_logits_are_enough("mutual learning", losses, routing)?;
    match ema_decay {
        Some(_) => Err(TrainError::conflict("train.ema_decay", "mutual learning")),
        None => Ok(()),
    }
}
