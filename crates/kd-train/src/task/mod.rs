//! One training step, as a value that anybody can hold.

mod clip;
mod config;
mod ema;
mod ensemble;
mod evaluate;
mod in_place;
#[cfg(feature = "learner")]
mod learner;
mod losses;
mod meter;
mod model;
mod mutual;
mod on_device;
mod optimizer;
mod parallel;
mod rates;
mod statistics;
mod teacher;

use std::borrow::Cow;

use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLearningRate;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor};
use kd_core::{Features, Frozen, Network};
use kd_data::{Batch, Loader};
use kd_losses::DistillationLoss;
use kd_nn::Draws;

pub use config::{DataInfo, TaskConfig};
pub use ema::Ema;
pub(crate) use ensemble::check_logits_are_enough;
pub use ensemble::{Average, EnsembleConfig};
pub use evaluate::{evaluate, rank_of_labels};
pub(crate) use evaluate::{evaluate_by, first_not_finite};
use in_place::InPlaceSgd;
#[cfg(feature = "learner")]
pub use learner::BatchLoader;
pub use losses::Losses;
pub(crate) use meter::{LossMeter, WINDOW};
pub use model::{DistillModel, PeerOutput, StepOutput};
pub(crate) use mutual::check_mutual;
pub use on_device::{DeviceSteps, NotRecorded};
pub use optimizer::{OptimizerConfig, OptimizerName};
pub(crate) use parallel::{DataParallel, Exchange};
pub(crate) use rates::Groups;
pub use rates::Rates;
pub use teacher::FrozenTeacher;

use crate::{TestMetrics, TrainError};

/// A student, its teacher, the terms of its loss, routing and optimizer: made by [`TaskConfig`],
/// advanced by [`step`](Self::step).
///
/// ```
/// use burn::tensor::Device;
/// use kd_data::{Loader, LoaderConfig, ProceduralConfig};
/// use kd_losses::Method;
/// use kd_models::Architecture;
/// use kd_train::{DataInfo, FrozenTeacher, TaskConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let device = Device::flex().autodiff();
/// let images = ProceduralConfig { classes: 4, train: 16, test: 8, ..Default::default() };
/// let loader = Loader::new(images.generate()?.train, LoaderConfig::train(8, 0))?;
/// let network = |name| Architecture::by_name(name).map(|network| network.init(4, &device));
/// let teacher = FrozenTeacher::new("resnet14", &network("resnet14")?);
///
/// let mut task = TaskConfig::<Method>::new()
///     .with_term(Method::by_name("ce")?, 1.0)
///     .with_term(Method::by_name("kd")?, 0.9)
///     .with_term(Method::by_name("at")?, 1000.0)
///     .init(network("resnet8")?, Some(teacher), &DataInfo::of(&loader), &device)?;
/// for batch in loader.epoch(0, &device) {
///     let output;
///     (task, output) = task.step(&batch);
///     assert_eq!(output.losses.terms.len(), 3);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # On a GPU
///
/// A step uploads nothing, draws nothing on the host and reads nothing back: the number of the
/// epoch is a tensor, learning rates are set between steps ([`set_rates`](Self::set_rates)), and
/// what is reported stays on the device until a caller reads it.
#[derive(Clone)]
pub struct DistillTask<S: Network, T: Network, L: DistillationLoss> {
    /// All that is trained, and the teacher.
    pub model: DistillModel<S, T, L>,
    /// The optimizer of all of it.
    pub optimizer: ModuleOptimizer,
    /// An average of the student's weights, if it is kept.
    pub ema: Option<Ema<S>>,
    /// The common norm to which gradients are clipped.
    clip_norm: Option<f64>,
    groups: Groups,
    rates: ModuleLearningRate,
    /// The plain device of all of it.
    device: Device,
    /// The number of the epoch, `[1]`.
    epoch: Option<Tensor<1>>,
    /// What takes the optimizer's place where the training state stays in its memory.
    in_place: Option<InPlaceSgd>,
}

impl<S: Network, T: Network, L: DistillationLoss> DistillTask<S, T, L> {
    /// Sets the learning rates of the steps that follow.
    pub fn set_rates(&mut self, rates: impl Into<Rates>) {
        self.rates = rates.into().by_group(&self.groups);
    }

    /// Sets the number of the epoch, from 1, for losses with a warm-up; without it, they have their
    /// full weight.
    pub fn set_epoch(&mut self, epoch: usize) {
        let epoch = Tensor::from_floats([epoch as f32], &self.device);
        self.epoch = Some(match (self.epoch.take(), &self.in_place) {
            (Some(place), Some(_)) => kd_kernels::assign(place, epoch),
            _ => epoch,
        });
    }

    /// Sets what the random numbers of the steps that follow depend on: a seed, and the number of the
    /// next step, which each step advances on the device. Then the draws of losses and routing are
    /// the same on every backend; without it, they come from the device's own generator.
    pub fn set_draws(&mut self, seed: u64, step: usize) {
        let draws = Draws::new(seed, &self.device).at(step);
        self.model.draws = Frozen(Some(draws));
    }

    /// One step: teacher, student, losses, routing, one backward pass, optimizer.
    ///
    /// # Panics
    ///
    /// As [`DistillModel::forward`].
    pub fn step(self, batch: &Batch) -> (Self, StepOutput) {
        self.step_with_teacher(batch, None)
    }

    /// The same with the teacher's features of the batch, if they are known already: from a
    /// [`TeacherCache`](crate::TeacherCache), for example.
    ///
    /// # Panics
    ///
    /// As [`DistillModel::forward`].
    pub fn step_with_teacher(self, batch: &Batch, teacher: Option<Features>) -> (Self, StepOutput) {
        let output = self.model.forward(batch, teacher, self.epoch.as_ref());
        let gradients = output.root().backward();
        let gradients = GradientsParams::from_grads(gradients, &self.model);
        (self.update(gradients), output)
    }

    /// One step of a term's phase before the main one, and its loss `[1]`; the task as it was for a
    /// term without one.
    ///
    /// # Panics
    ///
    /// As [`DistillModel::pretrain`].
    pub fn pretrain_step(self, term: usize, batch: &Batch) -> (Self, Option<Tensor<1>>) {
        self.weighted_pretrain_step(term, batch, 1.0)
    }

    /// The same for the loss times a factor.
    pub(crate) fn weighted_pretrain_step(
        self,
        term: usize,
        batch: &Batch,
        weight: f64,
    ) -> (Self, Option<Tensor<1>>) {
        let Some(loss) = self.model.pretrain(term, batch) else {
            return (self, None);
        };
        let loss = if weight == 1.0 { loss } else { loss * weight };
        let gradients = GradientsParams::from_grads(loss.backward(), &self.model);
        (self.update(gradients), Some(loss))
    }

    /// What the optimizer makes of gradients.
    pub fn update(mut self, gradients: GradientsParams) -> Self {
        let gradients = match self.clip_norm {
            Some(norm) => self.clipped(gradients, norm),
            None => gradients,
        };
        self.model = match &mut self.in_place {
            Some(optimizer) => {
                // Nothing may be left to read the parameters as they are.
                let _ = self.device.flush();
                optimizer.update(self.model, gradients)
            }
            None => self
                .optimizer
                .step(self.rates.clone(), self.model, gradients),
        };
        self.ema = self.ema.map(|ema| ema.update(&self.model.student));
        self.model.draws = Frozen(self.model.draws.0.map(Draws::advanced));
        self
    }

    /// Gradients of a common norm of at most `norm`; of networks that learn from each other, each
    /// network's apart, as if each had its own optimizer.
    fn clipped(&self, gradients: GradientsParams, norm: f64) -> GradientsParams {
        if self.model.peers.is_empty() {
            return clip::clip_global_norm(&self.model, gradients, norm);
        }
        let networks = std::iter::once(&self.model.student).chain(&self.model.peers);
        networks.fold(gradients, |gradients, network| {
            clip::clip_global_norm(network, gradients, norm)
        })
    }

    /// The optimizer as it is saved: with the velocities of the last step.
    pub(crate) fn saved_optimizer(&self) -> Cow<'_, ModuleOptimizer> {
        match &self.in_place {
            Some(optimizer) => Cow::Owned(optimizer.as_burn(&self.model)),
            None => Cow::Borrowed(&self.optimizer),
        }
    }

    /// The same task after [steps on the device](DeviceSteps), with the optimizer that it was made with,
    /// which goes on where they left off.
    pub fn on_host(mut self) -> Self {
        if let Some(optimizer) = self.in_place.take() {
            let record = optimizer.as_burn(&self.model).to_record();
            self.optimizer = self.optimizer.clone().load_record(record);
        }
        self
    }

    /// The student as it is evaluated and saved: in evaluation form, averaged if an average is
    /// kept.
    pub fn trained_student(&self) -> S {
        match &self.ema {
            Some(ema) => ema.network.clone(),
            None => self.model.student.valid(),
        }
    }

    /// Cross-entropy and accuracy of the [trained student](Self::trained_student) on all images of
    /// a loader.
    ///
    /// # Errors
    ///
    /// [`TrainError::NonFinite`] if the loss is not a number.
    pub fn evaluate(&self, loader: &Loader, device: &Device) -> Result<TestMetrics, TrainError> {
        let plain = device.clone().without_autodiff();
        evaluate(&self.trained_student(), loader, &plain)
    }

    /// The same of the other networks of mutual learning, in order.
    ///
    /// # Errors
    ///
    /// As [`evaluate`](Self::evaluate).
    pub fn evaluate_peers(
        &self,
        loader: &Loader,
        device: &Device,
    ) -> Result<Vec<TestMetrics>, TrainError> {
        let plain = device.clone().without_autodiff();
        let peers = self.model.peers.iter();
        peers
            .map(|peer| evaluate(&peer.valid(), loader, &plain))
            .collect()
    }

    /// The same of a teacher that is trained as the student is; `None` without one.
    ///
    /// # Errors
    ///
    /// As [`evaluate`](Self::evaluate).
    pub fn evaluate_teacher(
        &self,
        loader: &Loader,
        device: &Device,
    ) -> Result<Option<TestMetrics>, TrainError> {
        let plain = device.clone().without_autodiff();
        let teacher = self.model.trained_teacher();
        let metrics = teacher.map(|teacher| evaluate(&teacher.valid(), loader, &plain));
        metrics.transpose()
    }
}

#[cfg(test)]
mod tests;
