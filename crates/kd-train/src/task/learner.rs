//! Burn's own training traits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::data::dataloader::{DataLoader, DataLoaderIterator, Progress};
use burn::data::dataset::DatasetError;
use burn::tensor::Device;
use burn_train::{ClassificationOutput, InferenceStep, TrainOutput, TrainStep};
use kd_core::Network;
use kd_data::{Batch, Epoch, Loader};
use kd_losses::{DistillationLoss, cross_entropy};

use super::DistillModel;

impl<S: Network, T: Network, L: DistillationLoss> TrainStep for DistillModel<S, T, L> {
    type Input = Batch;
    type Output = ClassificationOutput;

    /// The loss that is reported is the total, without the routing objective.
    fn step(&self, batch: Batch) -> TrainOutput<ClassificationOutput> {
        let output = self.forward(&batch, None, None);
        let gradients = output.root().backward();
        let item = ClassificationOutput::new(output.losses.total, output.logits, output.labels);
        TrainOutput::new(self, gradients, item)
    }
}

impl<S: Network, T: Network, L: DistillationLoss> InferenceStep for DistillModel<S, T, L> {
    type Input = Batch;
    type Output = ClassificationOutput;

    /// The student's cross-entropy with the labels.
    fn step(&self, batch: Batch) -> ClassificationOutput {
        let logits = self.student.forward(batch.images);
        let loss = cross_entropy(logits.clone(), batch.labels.clone());
        ClassificationOutput::new(loss, logits, batch.labels)
    }
}

/// A [`Loader`] as Burn's learner takes it: each run over it is the next epoch.
#[derive(Clone, Debug)]
pub struct BatchLoader {
    loader: Loader,
    device: Device,
    epoch: Arc<AtomicUsize>,
}

impl BatchLoader {
    /// The batches of a loader, from its first epoch on.
    pub fn new(loader: Loader, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Self::at(loader, device, 0)
    }

    /// The same from a later epoch on, for training that is continued.
    pub fn at(loader: Loader, device: &Device, epoch: usize) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self {
            loader,
            device: device.clone(),
            epoch: Arc::new(AtomicUsize::new(epoch)),
        })
    }
}

impl DataLoader<Batch> for BatchLoader {
    fn iter<'a>(&'a self) -> Box<dyn DataLoaderIterator<Batch> + 'a> {
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed);
        Box::new(Batches {
            epoch: self.loader.epoch(epoch, &self.device),
            seen: 0,
            total: self.num_items(),
        })
    }

    fn num_items(&self) -> usize {
        self.loader.set().len()
    }

    fn to_device(&self, device: &Device) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(Self {
            device: device.clone(),
            ..self.clone()
        })
    }

    /// The images are not cut for several devices: every part is the whole.
    fn slice(&self, _start: usize, _end: usize) -> Arc<dyn DataLoader<Batch>> {
        Arc::new(self.clone())
    }
}

/// The batches of one epoch.
struct Batches {
    epoch: Epoch,
    seen: usize,
    total: usize,
}

impl Iterator for Batches {
    type Item = Result<Batch, DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let Some(batch) = self.epoch.next() else {
            let error = self.epoch.finish().err()?;
            return Some(Err(DatasetError::new(error)));
        };
        self.seen += batch.len();
        Some(Ok(batch))
    }
}

impl DataLoaderIterator<Batch> for Batches {
    fn progress(&self) -> Progress {
        Progress::new(self.seen, self.total, None)
    }
}
