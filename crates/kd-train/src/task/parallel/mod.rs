//! The steps of a task on several devices, each of which takes a part of every batch.

mod exchange;
mod flat;
mod part;
mod replica;
#[cfg(test)]
mod tests;
mod worker;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use kd_core::Network;
use kd_data::Batch;
use kd_losses::DistillationLoss;
use kd_spot::GateCounts;

pub(crate) use self::exchange::Exchange;
use self::flat::Flat;
use self::part::{Part, cut};
use self::worker::{Order, Worker};
use super::DistillTask;
use super::meter::Row;
use crate::TrainError;

/// A [`DistillTask`] and copies of it on further devices.
///
/// In a step each device computes the gradient of its part of the batch, the gradients are summed
/// with the shares of images as weights, and each copy's optimizer makes the same step of the sum.
/// So what is trained is the same everywhere and need not be sent. Batch norms see the images of
/// their device alone; of their running statistics those of the first device count. Losses that
/// compare the samples of a batch see those of their device.
///
/// Each further device has a thread of its own, which stays as long as this does.
pub(crate) struct DataParallel<S: Network, T: Network, L: DistillationLoss> {
    devices: Vec<Device>,
    exchange: Exchange,
    workers: Vec<Worker<S, T, L>>,
    counts: Option<GateCounts>,
}

impl<S: Network, T: Network, L: DistillationLoss> DataParallel<S, T, L> {
    /// What keeps a task from being trained on several devices.
    ///
    /// # Errors
    ///
    /// [`TrainError::Conflict`] with it.
    pub(crate) fn check(task: &DistillTask<S, T, L>) -> Result<(), TrainError> {
        let conflict = |other: String| Err(TrainError::conflict("compute.devices", other));
        if !task.model.peers.is_empty() {
            return conflict("peers: mutual learning runs on one device".to_owned());
        }
        let mut terms = task.model.losses.iter().filter(|term| term.is_active());
        match terms.find(|term| term.requirements.indices) {
            // Each copy would remember its own part.
            Some(term) => conflict(format!(
                "the loss `{}`, which remembers features of every image",
                term.label
            )),
            None => Ok(()),
        }
    }

    /// Threads for all plain devices but the first, which is the task's.
    pub(crate) fn new(devices: Vec<Device>, exchange: Exchange) -> Self {
        let [first, others @ ..] = &devices[..] else {
            panic!("there is no device");
        };
        let workers = others.iter().map(|_| Worker::new(first, &exchange));
        Self {
            workers: workers.collect(),
            counts: None,
            exchange,
            devices,
        }
    }

    /// Copies a task to the other devices, for steps from `step` on. What the copies draw is of seeds of
    /// their own. What is distilled is counted anew.
    pub(crate) fn start(
        &mut self,
        task: &DistillTask<S, T, L>,
        classes: usize,
        (seed, step): (u64, usize),
    ) {
        self.counts = counts(task, classes);
        for (index, worker) in self.workers.iter().enumerate() {
            let own = seed ^ (index as u64 + 1).wrapping_mul(0xD1B5_4A32_D192_ED03);
            let copy = task.replica(&self.devices[index + 1], (own, step));
            worker.order(Order::Take(Box::new(copy), classes));
        }
    }

    /// One step; what it leaves behind for the whole batch is on the first device.
    ///
    /// # Panics
    ///
    /// As [`DistillTask::step`], on whichever device.
    pub(crate) fn step(
        &mut self,
        task: DistillTask<S, T, L>,
        batch: &Batch,
    ) -> (DistillTask<S, T, L>, Row) {
        let mut parts = cut(batch, &self.devices).into_iter();
        let own = parts.next();
        for (worker, part) in self.workers.iter().zip(parts) {
            worker.order(Order::Step(Box::new(part), task.rates.clone()));
        }
        let Some(own) = own else {
            panic!("a batch without images");
        };
        let Half { mut flat, mut row } = half_step(&task, &own, self.counts.as_mut());
        // All of them, before any sends a sum: who is missing would be waited for without end.
        let others: Vec<_> = self.workers.iter().map(Worker::gradient).collect();
        let mut gradients = Vec::with_capacity(others.len());
        for other in others {
            row.values = row.values + other.row;
            gradients.extend(other.flat);
        }
        flat.values = self.sum(flat.values, gradients);
        let gradients = flat.gradients(&task.model);
        (task.update(gradients), row)
    }

    /// The sum of all gradients, which the other devices get too.
    fn sum(&self, own: Tensor<1>, others: Vec<Tensor<1>>) -> Tensor<1> {
        match &self.exchange {
            Exchange::ThroughFirst => {
                let sum = others.into_iter().fold(own, |sum, other| sum + other);
                for (worker, device) in self.workers.iter().zip(&self.devices[1..]) {
                    let copy = Box::new(sum.clone().to_device(device));
                    worker.order(Order::Update(Some(copy)));
                }
                sum
            }
            Exchange::Collective(all) => {
                for worker in &self.workers {
                    worker.order(Order::Update(None));
                }
                exchange::all_reduce(own, all)
            }
        }
    }

    /// What was distilled on all devices since the start.
    pub(crate) fn counts(&mut self) -> Option<GateCounts> {
        let mut sum = self.counts.as_ref()?.tensor().clone();
        for worker in &self.workers {
            worker.order(Order::Count);
            if let Some(counts) = worker.counts() {
                sum = sum + counts;
            }
        }
        Some(GateCounts::of(sum))
    }
}

/// A step up to its gradients.
struct Half {
    /// Times the part's share of the images.
    flat: Flat,
    /// Losses times the share, and sums.
    row: Row,
}

/// The first half of a step, on the task's device.
fn half_step<S: Network, T: Network, L: DistillationLoss>(
    task: &DistillTask<S, T, L>,
    part: &Part,
    counts: Option<&mut GateCounts>,
) -> Half {
    let output = task.model.forward(&part.batch, None, task.epoch.as_ref());
    let gradients = output.root().backward();
    let gradients = GradientsParams::from_grads(gradients, &task.model);
    let mut flat = Flat::of(&task.model, gradients);
    flat.values = flat.values * part.share;
    if let (Some(counts), Some(gates), true) = (counts, &output.gates, part.share > 0.0) {
        counts.add(gates, output.labels.clone());
    }
    let logits = (output.logits, output.teacher);
    let row = Row::new(&output.losses, logits, output.labels).of_share(part.share);
    Half { flat, row }
}

/// Nothing distilled yet, on the task's device.
fn counts<S: Network, T: Network, L: DistillationLoss>(
    task: &DistillTask<S, T, L>,
    classes: usize,
) -> Option<GateCounts> {
    let routing = task.model.routing.as_ref()?;
    let spots = routing.spots().len();
    Some(GateCounts::new(classes, spots, &task.device))
}
