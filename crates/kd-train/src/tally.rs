//! Sums over an epoch that stay on the device until a window of steps is full.
//!
//! Reading a number from a GPU waits for all that was queued before it. So each step leaves one
//! small tensor behind, and a window of them is read at once: that bounds both the waiting and
//! how late a broken loss is noticed. Which step broke is exact all the same.

use burn::tensor::Tensor;

use crate::{BatchLoss, TrainError, TrainMetrics, rank_of_labels};

/// Steps between two readings.
const WINDOW: usize = 16;
/// Names of the loss parts, in the order of the tensor that a step leaves behind.
const PARTS: [&str; 5] = ["ce", "kd", "method", "total", "routing"];

#[derive(Debug)]
pub(crate) struct Tally {
    epoch: usize,
    present: [bool; PARTS.len()],
    pending: Vec<(usize, Tensor<1>)>,
    steps: usize,
    images: f64,
    sums: [f64; PARTS.len()],
    correct: [f64; 2],
}

impl Tally {
    /// Starts an epoch (counted from 1).
    pub(crate) fn new(epoch: usize) -> Self {
        Self {
            epoch,
            present: [false; PARTS.len()],
            pending: Vec::new(),
            steps: 0,
            images: 0.0,
            sums: [0.0; PARTS.len()],
            correct: [0.0; 2],
        }
    }

    /// Adds the loss of a batch, and the rank of each label among its logits.
    pub(crate) fn add(
        &mut self,
        loss: &BatchLoss,
        logits: Tensor<2>,
        labels: Tensor<1, burn::tensor::Int>,
    ) -> Result<(), TrainError> {
        let batch = logits.dims()[0];
        let plain = |loss: &Tensor<1>| loss.clone().inner();
        let zero = Tensor::zeros([1], &logits.device());
        let parts = [
            Some(&loss.ce),
            loss.kd.as_ref(),
            loss.method.as_ref(),
            Some(&loss.total),
            loss.routing.as_ref(),
        ];
        self.present = parts.map(|part| part.is_some());
        let mut values: Vec<Tensor<1>> = parts
            .into_iter()
            .map(|part| part.map_or_else(|| zero.clone(), plain))
            .collect();
        let rank = rank_of_labels(logits, labels);
        for top in [1, 5] {
            values.push(rank.clone().lower_elem(top).float().sum());
        }
        self.push(batch, values)
    }

    /// Adds a loss of one part, without accuracy.
    pub(crate) fn add_loss(&mut self, loss: &Tensor<1>, batch: usize) -> Result<(), TrainError> {
        let loss = loss.clone().inner();
        let zero = loss.zeros_like();
        self.present = PARTS.map(|part| part == "total");
        let mut values: Vec<_> = PARTS.iter().map(|_| zero.clone()).collect();
        values[3] = loss;
        values.extend([zero.clone(), zero]);
        self.push(batch, values)
    }

    fn push(&mut self, batch: usize, values: Vec<Tensor<1>>) -> Result<(), TrainError> {
        self.pending.push((batch, Tensor::cat(values, 0)));
        if self.pending.len() >= WINDOW {
            self.read()?;
        }
        Ok(())
    }

    /// Reads what is pending.
    fn read(&mut self) -> Result<(), TrainError> {
        let (batches, tensors): (Vec<usize>, Vec<Tensor<1>>) = self.pending.drain(..).unzip();
        if tensors.is_empty() {
            return Ok(());
        }
        let values: Vec<f32> = Tensor::cat(tensors, 0)
            .into_data()
            .convert::<f32>()
            .try_into_vec()
            .map_err(|error| TrainError::Device(format!("cannot read the losses: {error:?}")))?;
        for (batch, step) in batches
            .into_iter()
            .zip(values.chunks_exact(PARTS.len() + 2))
        {
            self.steps += 1;
            for (part, value) in PARTS.into_iter().zip(step) {
                if !value.is_finite() {
                    return Err(TrainError::NonFinite {
                        epoch: self.epoch,
                        step: self.steps,
                        part,
                        value: *value,
                    });
                }
            }
            self.images += batch as f64;
            for (sum, value) in self.sums.iter_mut().zip(step) {
                *sum += f64::from(*value) * batch as f64;
            }
            for (sum, value) in self.correct.iter_mut().zip(&step[PARTS.len()..]) {
                *sum += f64::from(*value);
            }
        }
        Ok(())
    }

    /// Means of the loss parts so far.
    pub(crate) fn parts(&self) -> Vec<(&'static str, f64)> {
        if self.images == 0.0 {
            return Vec::new();
        }
        PARTS
            .into_iter()
            .zip(self.sums)
            .zip(self.present)
            .filter(|(_, present)| *present)
            .map(|((part, sum), _)| (part, sum / self.images))
            .collect()
    }

    /// The means of the epoch.
    pub(crate) fn finish(mut self) -> Result<TrainMetrics, TrainError> {
        self.read()?;
        let mean = |index: usize| self.sums[index] / self.images;
        let metrics = TrainMetrics {
            loss: mean(3),
            ce: mean(0),
            kd: self.present[1].then(|| mean(1)),
            method: self.present[2].then(|| mean(2)),
            routing: self.present[4].then(|| mean(4)),
            distilled: None,
            top1: 100.0 * self.correct[0] / self.images,
            top5: 100.0 * self.correct[1] / self.images,
        };
        Ok(metrics.rounded())
    }
}
