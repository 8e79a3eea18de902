//! What people read of a run.

use kd_core::Network;
use kd_losses::DistillationLoss;
use kd_models::weights::tensors;

use super::checkpoint::State;
use super::events::{About, Beside, EventLog, Hyperparameters};
use super::folder::RunFolder;
use super::{RoutingRecord, Runner};
use crate::{DistillTask, TrainError};

impl<S: Network, T: Network> Runner<'_, S, T> {
    /// Writes what people read of the epochs so far.
    pub(super) fn write_records<L: DistillationLoss>(
        &self,
        folder: &RunFolder,
        task: &DistillTask<S, T, L>,
        state: &State,
    ) -> Result<(), TrainError> {
        if let Some(record) = self.routing_record(task, state) {
            folder.write_routing(&record)?;
        }
        folder.write_metrics(&state.history)
    }

    /// Starts the log for TensorBoard.
    pub(super) fn start_log<L: DistillationLoss>(
        &self,
        folder: &RunFolder,
        task: &DistillTask<S, T, L>,
        state: &State,
    ) -> Result<EventLog, TrainError> {
        let routing = task.model.routing.as_ref();
        let teacher = self.names.teacher.as_deref();
        let about = About {
            spots: routing.map_or_else(Vec::new, |routing| routing.spots()),
            epochs: self.recipe.train.epochs.unwrap_or_default(),
            hyperparameters: Hyperparameters::new(self.recipe, &self.names.student, teacher),
        };
        EventLog::start(folder.path(), &state.history, about)
    }

    /// Writes the last epoch into the log for TensorBoard.
    pub(super) fn log_epoch<L: DistillationLoss>(
        &self,
        log: &EventLog,
        task: &DistillTask<S, T, L>,
        state: &State,
    ) -> Result<(), TrainError> {
        let weights = match log.has_histograms(state.history.len()) {
            true => tensors(&task.trained_student(), str::to_owned)?,
            false => Vec::new(),
        };
        let routing = self.routing_record(task, state);
        let beside = Beside {
            routing: routing.as_ref(),
            weights,
        };
        log.append(&state.history, &beside)
    }

    /// What was distilled where, if samples are chosen.
    fn routing_record<L: DistillationLoss>(
        &self,
        task: &DistillTask<S, T, L>,
        state: &State,
    ) -> Option<RoutingRecord> {
        let routing = task.model.routing.as_ref()?;
        let set = self.train.set();
        let numbered = || (0..set.classes()).map(|class| class.to_string()).collect();
        let epochs = state.history.iter();
        let shares = epochs.map(|epoch| epoch.train.distilled.clone().unwrap_or_default());
        Some(RoutingRecord {
            routing: routing.mode,
            spots: routing.spots(),
            distills: task.model.distills(),
            epochs: shares.collect(),
            classes: set.class_names().map_or_else(numbered, <[String]>::to_vec),
            by_class: state.by_class.clone(),
        })
    }
}
