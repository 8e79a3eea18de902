//! The phases of a run.

use kd_losses::{DistillationLoss, Pretrain};

use super::{Observer, StepProgress};
use crate::task::LossMeter;
use crate::{DistillModel, Recipe, Schedule, TrainError};

/// A stretch of training with an objective, an optimizer that starts afresh, and learning rates of
/// its own.
#[derive(Clone, Debug)]
pub(crate) struct Phase {
    /// The name in records and messages.
    pub(crate) name: String,
    /// Number of epochs.
    pub(crate) epochs: usize,
    /// What is minimized.
    pub(crate) objective: Objective,
    /// The learning rates.
    pub(crate) schedule: Schedule,
}

impl Phase {
    /// Tells an observer of a step, both counted from 0.
    pub(super) fn tell(
        &self,
        (epoch, step): (usize, usize),
        meter: &LossMeter,
        observer: &mut dyn Observer,
    ) {
        observer.step(&StepProgress {
            phase: self.name.clone(),
            epoch: epoch + 1,
            step: step + 1,
            losses: meter.means(),
        });
    }
}

/// What a phase minimizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Objective {
    /// The loss of one term's phase before the main one.
    Pretrain(usize),
    /// All terms, and the routing objective.
    Main,
}

/// The phases of a recipe: one for each term that has one before the main phase, then that.
pub(crate) fn phases<S, T, L>(
    recipe: &Recipe,
    model: &DistillModel<S, T, L>,
    steps: usize,
) -> Result<Vec<Phase>, TrainError>
where
    S: kd_core::Network,
    T: kd_core::Network,
    L: DistillationLoss,
{
    let epochs = recipe.train.pretrain_epochs.unwrap_or_default();
    let terms = model.losses.iter().enumerate();
    let mut phases: Vec<Phase> = terms
        .filter(|(_, term)| term.pretrain != Pretrain::None && epochs > 0)
        .map(|(index, term)| Phase {
            name: format!("pretrain {}", term.label),
            epochs,
            objective: Objective::Pretrain(index),
            schedule: before_main(recipe, epochs),
        })
        .collect();
    let epochs = recipe.train.epochs.unwrap_or_default();
    phases.push(Phase {
        name: "train".to_owned(),
        epochs,
        objective: Objective::Main,
        schedule: recipe.scheduler.factors(epochs, steps)?,
    });
    Ok(phases)
}

/// Learning rates of a phase before the main one, as factors of the optimizer's.
fn before_main(recipe: &Recipe, epochs: usize) -> Schedule {
    let rate = recipe.optimizer.rate();
    let own = recipe.train.pretrain_lr.unwrap_or(rate) / rate;
    let milestones = &recipe.train.pretrain_milestones;
    Schedule::by_epoch((0..epochs).map(|epoch| {
        let reached = milestones.iter().filter(|milestone| epoch >= **milestone);
        own * 0.1_f64.powi(reached.count() as i32)
    }))
}
