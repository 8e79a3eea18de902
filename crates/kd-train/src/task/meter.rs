//! Sums over an epoch that stay on the device until a window of steps is full.
//!
//! Reading a number from a GPU waits for all that was queued before it. So each step leaves one
//! small tensor behind, and a window of them is read at once: that bounds both the waiting and
//! how late a broken loss is noticed. Which step broke is exact all the same.

use burn::tensor::{Int, Tensor};

use super::losses::Losses;
use super::rank_of_labels;
use crate::TrainError;
use crate::metrics::{NamedValues, TrainMetrics};
use crate::non_finite::{Moment, NonFinite, Origin};

/// Steps between two readings.
pub(crate) const WINDOW: usize = 16;
/// Names of what is metered besides the terms.
const TOTAL: &str = "total";
const ROUTING: &str = "routing";
/// What a step leaves behind its losses: the images that are right at the first choice and among five,
/// and the sums of the network's and the teacher's logits, which are finite only if all of these are.
const MORE: usize = 4;

/// Means of losses and accuracies over an epoch.
#[derive(Debug)]
pub(crate) struct LossMeter {
    moment: Moment,
    /// Names of the losses that a step leaves behind, the total last but for the routing.
    names: Vec<String>,
    pending: Vec<(usize, Tensor<1>)>,
    steps: usize,
    images: f64,
    sums: Vec<f64>,
    correct: [f64; 2],
    /// Whether outputs are looked at, and not only losses.
    watches: bool,
}

impl LossMeter {
    /// Starts to add up.
    pub(crate) fn new(moment: Moment) -> Self {
        Self {
            moment,
            names: Vec::new(),
            pending: Vec::new(),
            steps: 0,
            images: 0.0,
            sums: Vec::new(),
            correct: [0.0; 2],
            watches: true,
        }
    }

    /// Adds the losses of a batch, the rank of each label among its logits, and whether these and the
    /// teacher's are finite.
    pub(crate) fn add(
        &mut self,
        losses: &Losses,
        logits: (Tensor<2>, Option<Tensor<2>>),
        labels: Tensor<1, Int>,
    ) -> Result<(), TrainError> {
        let [batch, _] = logits.0.dims();
        self.push(batch, Row::new(losses, logits, labels))
    }

    /// Adds a loss of one term, without accuracy.
    pub(crate) fn add_loss(
        &mut self,
        name: &str,
        loss: &Tensor<1>,
        batch: usize,
    ) -> Result<(), TrainError> {
        let zero = loss.clone().inner().zeros_like();
        let losses = Losses::single(name, loss.clone());
        self.watches = false;
        self.push(batch, Row::of(&losses, [(); MORE].map(|()| zero.clone())))
    }

    /// Adds what a step of `batch` images left behind.
    pub(crate) fn push(&mut self, batch: usize, row: Row) -> Result<(), TrainError> {
        self.name(&row.names);
        self.pending.push((batch, row.values));
        if self.pending.len() >= WINDOW {
            self.read()?;
        }
        Ok(())
    }

    /// Steps that were read.
    pub(crate) fn steps(&self) -> usize {
        self.steps
    }

    /// Names what is metered, at the first step.
    pub(crate) fn name(&mut self, names: &[String]) {
        if self.names.is_empty() {
            self.names = names.to_vec();
            self.sums = vec![0.0; names.len()];
        }
    }

    /// Reads what is pending.
    fn read(&mut self) -> Result<(), TrainError> {
        let (batches, tensors): (Vec<usize>, Vec<Tensor<1>>) = self.pending.drain(..).unzip();
        if tensors.is_empty() {
            return Ok(());
        }
        let values: Vec<f64> = Tensor::cat(tensors, 0).into_data().iter::<f64>().collect();
        let rows = values.chunks_exact(self.names.len() + MORE);
        batches
            .into_iter()
            .zip(rows)
            .try_for_each(|(batch, row)| self.add_row(batch, row))
    }

    /// Adds the values of a [`Row`] that were read.
    pub(crate) fn add_row(&mut self, batch: usize, row: &[f64]) -> Result<(), TrainError> {
        self.steps += 1;
        if let Some(error) = self.non_finite(row) {
            return Err(error);
        }
        self.images += batch as f64;
        for (sum, value) in self.sums.iter_mut().zip(row) {
            *sum += value * batch as f64;
        }
        for (sum, value) in self.correct.iter_mut().zip(&row[self.names.len()..]) {
            *sum += value;
        }
        Ok(())
    }

    /// The first loss of a row that is not finite, and what it comes from.
    fn non_finite(&self, row: &[f64]) -> Option<TrainError> {
        let parts = self.names.len();
        let mut named = self.names.iter().zip(row);
        let (term, value) = named.find(|(_, value)| !value.is_finite())?;
        let origin = match row[parts + 2..parts + MORE] {
            [_, teacher] if !teacher.is_finite() => Origin::Teacher,
            [own, _] if !own.is_finite() => Origin::Network,
            _ if !self.watches => Origin::Pretrain,
            _ => Origin::Term,
        };
        Some(TrainError::NonFinite(Box::new(NonFinite {
            term: term.clone(),
            value: *value,
            step: self.steps,
            moment: self.moment,
            origin,
            network: String::new(),
            tensor: None,
        })))
    }

    /// Names and means so far, as far as they have been read from the device.
    pub(crate) fn means(&self) -> Vec<(String, f64)> {
        if self.images == 0.0 {
            return Vec::new();
        }
        let means = self.sums.iter().map(|sum| sum / self.images);
        self.names.iter().cloned().zip(means).collect()
    }

    /// The means of the epoch.
    pub(crate) fn finish(mut self) -> Result<TrainMetrics, TrainError> {
        self.read()?;
        let mut terms = self.means();
        let mut take = |name: &str| {
            let at = terms.iter().rposition(|(term, _)| term == name)?;
            Some(terms.remove(at).1)
        };
        let routing = match self.names.last() {
            Some(last) if last == ROUTING => take(ROUTING),
            _ => None,
        };
        let loss = take(TOTAL).unwrap_or_default();
        Ok(TrainMetrics {
            loss,
            terms: NamedValues(terms),
            routing,
            distilled: None,
            top1: 100.0 * self.correct[0] / self.images,
            top5: 100.0 * self.correct[1] / self.images,
        })
    }
}

/// What a step leaves behind on the device.
pub(crate) struct Row {
    /// Names of the losses, the total last but for the routing.
    pub(crate) names: Vec<String>,
    /// The losses, how many labels are the first and among the first five, and the sums of the logits:
    /// `[losses + 4]`.
    pub(crate) values: Tensor<1>,
}

impl Row {
    /// Of the losses of a batch, its logits, the teacher's if there is one, and its labels.
    pub(crate) fn new(
        losses: &Losses,
        (logits, teacher): (Tensor<2>, Option<Tensor<2>>),
        labels: Tensor<1, Int>,
    ) -> Self {
        let plain = |logits: Tensor<2>| match logits.is_autodiff() {
            true => logits.inner(),
            false => logits,
        };
        let logits = plain(logits);
        let rank = rank_of_labels(logits.clone(), labels.inner());
        let [first, five] = [1, 5].map(|top| rank.clone().lower_elem(top).float().sum());
        let own = logits.sum();
        let teacher = teacher.map_or_else(|| own.zeros_like(), |teacher| plain(teacher).sum());
        Self::of(losses, [first, five, own, teacher])
    }

    /// Of a part of a batch, such that the rows of all parts add up to that of the batch: losses are
    /// means and count by the part's share of the images, the others are sums. A part without a share
    /// counts for nothing.
    pub(crate) fn of_share(self, share: f64) -> Self {
        let losses = self.names.len();
        let [means, sums] =
            [0..losses, losses..losses + MORE].map(|of| self.values.clone().slice(of));
        let counts = if share > 0.0 { 1.0 } else { 0.0 };
        Self {
            values: Tensor::cat(vec![means * share, sums * counts], 0),
            ..self
        }
    }

    fn of(losses: &Losses, more: [Tensor<1>; MORE]) -> Self {
        let terms = losses.terms.iter().map(|(name, _)| name.clone());
        let routing = losses.routing.as_ref().map(|_| ROUTING.to_owned());
        let names = terms.chain([TOTAL.to_owned()]).chain(routing).collect();
        let terms = losses.terms.iter().map(|(_, loss)| loss);
        let all = terms.chain([&losses.total]).chain(&losses.routing);
        let values = all.map(|loss| loss.clone().inner()).chain(more);
        Self {
            names,
            values: Tensor::cat(values.collect(), 0),
        }
    }
}
