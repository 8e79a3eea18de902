//! Watching a run.

use crate::{CacheReport, EpochMetrics, RunResult};

/// Something that is told how a run goes: a progress bar, a log, a test.
pub trait Observer {
    /// The run starts or continues.
    fn start(&mut self, start: &RunStart) {
        let _ = start;
    }

    /// A training step was queued.
    fn step(&mut self, progress: &StepProgress) {
        let _ = progress;
    }

    /// An epoch of the preliminary phase is complete and its checkpoint written.
    fn preliminary(&mut self, epoch: &PreliminaryEpoch) {
        let _ = epoch;
    }

    /// An epoch is complete and its checkpoint written.
    fn epoch(&mut self, metrics: &EpochMetrics) {
        let _ = metrics;
    }

    /// What the cache of the teacher's outputs did in this session, if the run has one. Called
    /// before the end.
    fn teacher_cache(&mut self, report: &CacheReport) {
        let _ = report;
    }

    /// The run is complete.
    fn finish(&mut self, result: &RunResult) {
        let _ = result;
    }
}

/// What is known before the first step.
#[derive(Clone, Debug)]
pub struct RunStart {
    /// What runs, for example `resnet8 by at from resnet20`.
    pub title: String,
    /// Epochs, without those of the preliminary phase.
    pub epochs: usize,
    /// Epochs of the method's preliminary phase.
    pub preliminary: usize,
    /// Epochs that an earlier session has completed.
    pub completed: usize,
    /// Steps in an epoch.
    pub steps: usize,
    /// Trainable parameters of the student.
    pub params: usize,
}

/// An epoch of the preliminary phase of a method.
#[derive(Clone, Debug)]
pub struct PreliminaryEpoch {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Epochs of the phase.
    pub epochs: usize,
    /// Mean of the loss.
    pub loss: f64,
    /// Wall time.
    pub seconds: f64,
}

/// Where the run stands.
#[derive(Clone, Debug)]
pub struct StepProgress {
    /// The epoch, from 1; 0 in the preliminary phase.
    pub epoch: usize,
    /// The step in the epoch, from 1.
    pub step: usize,
    /// Names and means of the loss parts in this epoch, as far as they have been read from the
    /// device.
    pub parts: Vec<(&'static str, f64)>,
}

/// An observer that ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}
