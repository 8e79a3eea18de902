//! The iterator over the batches of an epoch, with or without threads.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{Builder, JoinHandle},
};

use burn::tensor::{Device, Tensor, TensorData};

use super::{
    Batch,
    plan::{HostBatch, Plan},
};
use crate::DataError;
use crate::augment::{Presentation, upload};

/// Batches that a worker keeps ready besides the one in its hands.
const AHEAD: usize = 2;

/// The batches of one epoch, in their order; made by [`Loader::epoch`](crate::Loader::epoch).
///
/// Worker `w` of `k` assembles batches `w`, `w + k`, ... and they are taken from the workers in
/// turn, hence the order does not depend on which one is faster. Should a thread be lacking, its
/// batches are assembled by the calling thread.
///
/// If an image cannot be decoded, the epoch ends there, and [`finish`](Self::finish) says which. A
/// set that is [not streamed](crate::ImageSet::is_streamed) has been decoded before.
#[derive(Debug)]
pub struct Epoch {
    plan: Arc<Plan>,
    device: Device,
    presentation: Presentation,
    next: usize,
    workers: Vec<Worker>,
    error: Option<DataError>,
}

#[derive(Debug)]
struct Worker {
    batches: Receiver<Result<HostBatch, DataError>>,
    thread: Option<JoinHandle<()>>,
}

impl Epoch {
    pub(super) fn start(plan: Plan, device: Device) -> Self {
        let plan = Arc::new(plan);
        let count = plan.config.workers.min(plan.batches());
        let workers = (0..count)
            .map(|first| {
                let (sender, batches) = sync_channel(AHEAD);
                let plan = plan.clone();
                let work = move || supply(&plan, first, count, &sender);
                // A failure closes the channel, which `host_batch` understands.
                let thread = Builder::new().name(format!("kd-data-{first}")).spawn(work);
                Worker {
                    batches,
                    thread: thread.ok(),
                }
            })
            .collect();
        Self {
            presentation: plan.presentation(&device),
            plan,
            device,
            next: 0,
            workers,
            error: None,
        }
    }

    /// One batch of the epoch, whichever was the last.
    pub(super) fn batch(&self, batch: usize) -> Result<Batch, DataError> {
        Ok(self.upload(self.plan.assemble(batch)?))
    }

    /// What ended the epoch early, if something did. To be asked after the last batch.
    ///
    /// # Errors
    ///
    /// [`DataError::Read`] or [`DataError::Image`] naming the file.
    pub fn finish(&mut self) -> Result<(), DataError> {
        self.error.take().map_or(Ok(()), Err)
    }

    fn host_batch(&self, batch: usize) -> Result<HostBatch, DataError> {
        let supplied = match self.workers.len() {
            0 => None,
            count => self.workers[batch % count].batches.recv().ok(),
        };
        supplied.unwrap_or_else(|| self.plan.assemble(batch))
    }

    fn upload(&self, batch: HostBatch) -> Batch {
        let set = &self.plan.set;
        let count = batch.indices.len();
        let shape = [count, set.channels(), set.height(), set.width()];
        let pixels = upload(batch.bytes, shape, &self.device);
        let augmentation = self.plan.config.augmentation;
        let indices: Vec<i32> = batch.indices.iter().map(|index| *index as i32).collect();
        let plain = self.device.clone().without_autodiff();
        Batch {
            images: augmentation.present(&self.presentation, pixels, &batch.views),
            labels: Tensor::from_data(TensorData::new(batch.labels, [count]), &self.device),
            indices: Tensor::from_data(TensorData::new(indices, [count]), &plain),
            host_indices: batch.indices,
            views: batch.views,
        }
    }
}

type Sender = SyncSender<Result<HostBatch, DataError>>;

/// What a worker does: every `step`-th batch, until there are no more or nobody wants them.
fn supply(plan: &Plan, first: usize, step: usize, sender: &Sender) {
    for batch in (first..plan.batches()).step_by(step) {
        if sender.send(plan.assemble(batch)).is_err() {
            return;
        }
    }
}

impl Iterator for Epoch {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        if self.next == self.plan.batches() {
            return None;
        }
        match self.host_batch(self.next) {
            Ok(batch) => {
                self.next += 1;
                Some(self.upload(batch))
            }
            Err(error) => {
                self.next = self.plan.batches();
                self.error = Some(error);
                None
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.plan.batches() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Epoch {}

impl Drop for Epoch {
    fn drop(&mut self) {
        for Worker { batches, thread } in self.workers.drain(..) {
            // A worker that waits to hand over a batch wakes up when the channel is closed.
            drop(batches);
            if let Some(thread) = thread {
                // A panic in it has been made good for by the calling thread.
                let _ = thread.join();
            }
        }
    }
}
