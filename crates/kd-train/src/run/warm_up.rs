//! The kernels of a run, compiled and tuned ahead of it.

use kd_data::Loader;
use kd_losses::DistillationLoss;
use kd_models::AnyNetwork;

use super::parts::stand_in_teacher;
use super::phase::Objective;
use super::{Parts, Runner};
use crate::task::LossMeter;
use crate::{DistillTask, Moment, Recipe, TrainError, guard_device};

/// Compiles and tunes what the run of a recipe needs on its device, so that the run itself starts in
/// seconds: a step of each phase and the evaluation, for whole batches and the last short one. What is
/// computed counts for nothing, and nothing is written but the kernels.
///
/// The teacher's weights need not be there if the recipe names its network, nor CIFAR's files: others
/// of the same shapes stand in. `progress` takes the parts that are done, and how many there are.
///
/// # Errors
///
/// As [`run`](crate::run).
pub fn warm_up(recipe: &Recipe, progress: &mut dyn FnMut(usize, usize)) -> Result<(), TrainError> {
    let mut recipe = recipe.clone();
    recipe.teacher.cache = None;
    let mut parts = Parts::of(&recipe)?;
    if let Some(teacher) = stand_in_teacher(&recipe.teacher) {
        parts.teacher = Some(teacher);
    }
    let mut recipe = recipe.resolved_beside(parts.beside())?;
    let shared_by = recipe.compute.names().len();
    if shared_by > 1 {
        // Each device computes a part of a batch.
        recipe.compute.devices = Vec::new();
        let batch = recipe
            .data
            .batch_size
            .map(|batch| batch.div_ceil(shared_by));
        recipe.data.batch_size = batch;
    }
    let devices = vec![recipe.compute.open()?];
    let splits = recipe.load_sample()?;
    guard_device(recipe.data.batch_size, || {
        let (runner, task) = Runner::new(&recipe, parts, splits.train, splits.test, devices)?;
        runner.warm_up(task, progress)
    })
}

impl Runner<'_, AnyNetwork, AnyNetwork> {
    fn warm_up<L: DistillationLoss>(
        &self,
        mut task: DistillTask<AnyNetwork, AnyNetwork, L>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<(), TrainError> {
        let training = self.plain.clone().autodiff();
        task.set_draws(0, 0);
        task.set_epoch(1);
        task.set_rates(0.0);
        let (train, test) = (shortest(&self.train)?, shortest(&self.test)?);
        let parts = self.phases.len() * train.batches() + 1;
        let mut done = 0;
        for phase in &self.phases {
            for batch in train.epoch(0, &training) {
                if let Objective::Pretrain(term) = phase.objective {
                    (task, _) = task.pretrain_step(term, &batch);
                } else {
                    let output;
                    (task, output) = task.step(&batch);
                    let mut meter = LossMeter::new(Moment::Training(0));
                    let logits = (output.logits, output.teacher);
                    let read = meter.add(&output.losses, logits, output.labels);
                    unless_finite(read.and_then(|()| meter.finish()))?;
                }
                self.finish_all()?;
                done += 1;
                progress(done, parts);
            }
        }
        unless_finite(task.evaluate(&test, &self.plain))?;
        unless_finite(task.evaluate_teacher(&test, &self.plain))?;
        unless_finite(task.evaluate_peers(&test, &self.plain))?;
        progress(parts, parts);
        Ok(())
    }

    fn finish_all(&self) -> Result<(), TrainError> {
        let finished = self.plain.sync();
        finished.map_err(|error| TrainError::Device(error.to_string()))
    }
}

/// Images enough for one whole batch and the last short one.
fn shortest(loader: &Loader) -> Result<Loader, TrainError> {
    let batch = loader.config().batch_size;
    let images = loader.set().len();
    let enough = match images > batch {
        true => batch + images % batch,
        false => images,
    };
    let set = loader.set().clone().limit(enough);
    Ok(Loader::new(set, loader.config().clone())?)
}

/// What networks without training make of images without content need not be finite.
fn unless_finite<R>(result: Result<R, TrainError>) -> Result<(), TrainError> {
    match result {
        Ok(_) | Err(TrainError::NonFinite { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
