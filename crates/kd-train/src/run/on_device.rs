//! Epochs whose steps need nothing of the host.

use kd_core::Network;
use kd_losses::DistillationLoss;

use super::phase::Phase;
use super::rates::rates_at;
use super::{AfterEpoch, Runner};
use crate::non_finite::Moment;
use crate::recipe::GraphMode;
use crate::run::Observer;
use crate::task::{LossMeter, WINDOW};
use crate::{DeviceSteps, DistillTask, NotRecorded, TrainError};

/// A phase's steps on the device.
pub(super) struct OnDevice {
    steps: DeviceSteps,
    /// Whether it was tried to record a step.
    tried: bool,
}

impl<S: Network, T: Network> Runner<'_, S, T> {
    /// Brings a task's steps to the device as `compute.graph` says; why they stay is said in a warning.
    pub(super) fn to_device<L: DistillationLoss>(
        &self,
        task: &mut DistillTask<S, T, L>,
    ) -> Result<Option<OnDevice>, TrainError> {
        let wanted = match self.recipe.compute.graph {
            GraphMode::Off => false,
            GraphMode::Auto => !kd_kernels::is_cpu(&self.plain),
            GraphMode::On => true,
        };
        if !wanted {
            return Ok(None);
        }
        let optimizer = &self.recipe.optimizer;
        let checked = match self.cache.borrow().is_some() {
            true => Err(NotRecorded::Host("the cache of the teacher's outputs")),
            false => DeviceSteps::check(task, optimizer, &self.train),
        };
        if let Err(reason) = checked {
            tracing::warn!("compute.graph: steps are not recorded: {reason}");
            return Ok(None);
        }
        let decay = self.recipe.routing.weight_decay.unwrap_or(0.0);
        let steps = DeviceSteps::new(task, (optimizer, decay), &self.train)?;
        let tried = false;
        Ok(Some(OnDevice { steps, tried }))
    }

    /// One pass over the training images, as [`Runner::epoch`].
    pub(super) fn epoch_on_device<L: DistillationLoss>(
        &self,
        phase: &Phase,
        epoch: usize,
        (mut task, on_device): (DistillTask<S, T, L>, &mut OnDevice),
        observer: &mut dyn Observer,
    ) -> Result<AfterEpoch<S, T, L>, TrainError> {
        let OnDevice { steps, tried } = on_device;
        self.seed_device(epoch);
        let rates = |step| rates_at(self.recipe, epoch, phase.schedule.factor(epoch, step));
        steps.start(&mut task, epoch, rates, Some(self.recipe.train.seed));
        if !std::mem::replace(tried, true) {
            let recorded;
            (task, recorded) = steps.record(task);
            say(recorded);
        }
        let mut meter = LossMeter::new(Moment::Training(epoch + 1));
        let mut told = 0;
        self.tell(
            phase,
            epoch,
            (&mut told, steps.next_step()),
            &meter,
            observer,
        );
        while steps.next_step() < steps.batches() {
            task = steps.step(task)?;
            let next = steps.next_step();
            if next.is_multiple_of(WINDOW) {
                let read = self.read(steps, next - WINDOW, &mut meter);
                read.map_err(|error| self.blamed(error, &task))?;
            }
            self.tell(phase, epoch, (&mut told, next), &meter, observer);
        }
        if steps.next_step() < self.train.batches() {
            let training = self.plain.clone().autodiff();
            let batch = self.train.batch(epoch, steps.next_step(), &training)?;
            task = steps.step_with(task, batch);
            self.tell(
                phase,
                epoch,
                (&mut told, steps.next_step()),
                &meter,
                observer,
            );
        }
        let next = steps.next_step();
        let read = self.read(steps, (next - 1) / WINDOW * WINDOW, &mut meter);
        read.map_err(|error| self.blamed(error, &task))?;
        let (metrics, by_class) = Self::metrics(meter.finish()?, steps.counts())?;
        Ok((task, metrics, Vec::new(), by_class))
    }

    /// Reads what the steps from `first` on left behind, if they are not read yet.
    fn read(
        &self,
        steps: &DeviceSteps,
        first: usize,
        meter: &mut LossMeter,
    ) -> Result<(), TrainError> {
        if meter.steps() > first {
            return Ok(());
        }
        let size = self.train.config().batch_size;
        let images = self.train.set().len();
        steps.read(first, |step| size.min(images - step * size), meter)
    }

    /// Tells an observer of steps up to one.
    fn tell(
        &self,
        phase: &Phase,
        epoch: usize,
        (told, next): (&mut usize, usize),
        meter: &LossMeter,
        observer: &mut dyn Observer,
    ) {
        for step in *told..next {
            phase.tell((epoch, step), meter, observer);
        }
        *told = next;
    }
}

/// Says whether steps are recorded from now on.
fn say(recorded: Result<f64, NotRecorded>) {
    match recorded {
        Ok(difference) => tracing::info!(
            "steps are recorded: repetitions differ from steps by {difference:.1e} of the largest number"
        ),
        Err(reason) => tracing::warn!("compute.graph: steps are not recorded: {reason}"),
    }
}
