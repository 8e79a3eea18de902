//! Epochs whose batches several devices share.

use kd_core::Network;
use kd_losses::DistillationLoss;

use super::phase::Phase;
use super::rates::rates_at;
use super::{AfterEpoch, Runner};
use crate::non_finite::Moment;
use crate::run::Observer;
use crate::task::{DataParallel, LossMeter};
use crate::{DistillTask, Recipe, TrainError};

/// What keeps a recipe's task from being trained on its devices.
pub(super) fn check<S: Network, T: Network, L: DistillationLoss>(
    recipe: &Recipe,
    task: &DistillTask<S, T, L>,
) -> Result<(), TrainError> {
    DataParallel::check(task)?;
    if recipe.teacher.cache.is_some() {
        return Err(TrainError::conflict("compute.devices", "teacher.cache"));
    }
    let (devices, batch) = (recipe.compute.devices.len(), recipe.data.batch_size);
    match batch.filter(|batch| *batch < devices) {
        Some(batch) => {
            let expected = format!("at least one image for each of the {devices} devices");
            Err(TrainError::value("data.batch_size", batch, expected))
        }
        None => Ok(()),
    }
}

impl<S: Network, T: Network> Runner<'_, S, T> {
    /// One pass over the training images, as [`Runner::epoch`].
    pub(super) fn epoch_in_parallel<L: DistillationLoss>(
        &self,
        phase: &Phase,
        epoch: usize,
        (mut task, all): (DistillTask<S, T, L>, &mut DataParallel<S, T, L>),
        observer: &mut dyn Observer,
    ) -> Result<AfterEpoch<S, T, L>, TrainError> {
        self.seed(epoch, &mut task);
        task.set_epoch(epoch + 1);
        let classes = self.train.set().classes();
        let draws = (self.recipe.train.seed, epoch * self.train.batches());
        all.start(&task, classes, draws);
        let mut meter = LossMeter::new(Moment::Training(epoch + 1));
        let mut batches = self.train.epoch(epoch, &self.plain.clone().autodiff());
        for (step, batch) in batches.by_ref().enumerate() {
            if observer.stops() {
                return Err(self.stopped(self.pretrain_epochs() + epoch));
            }
            if step == 0 || phase.schedule.is_by_step() {
                let factor = phase.schedule.factor(epoch, step);
                task.set_rates(rates_at(self.recipe, epoch, factor));
            }
            let row;
            (task, row) = all.step(task, &batch);
            let added = meter.push(batch.len(), row);
            added.map_err(|error| self.blamed(error, &task))?;
            phase.tell((epoch, step), &meter, observer);
        }
        batches.finish()?;
        let means = meter.finish();
        let means = means.map_err(|error| self.blamed(error, &task))?;
        let (metrics, by_class) = Self::metrics(means, all.counts().as_ref())?;
        Ok((task, metrics, Vec::new(), by_class))
    }
}
