//! Watching a run.

use std::path::PathBuf;

use super::RunResult;
use crate::{CacheReport, EpochMetrics};

/// Something that is told how a run goes: a progress bar, a log, a test.
pub trait Observer {
    /// The run starts or continues.
    fn start(&mut self, start: &RunStart) {
        let _ = start;
    }

    /// Whether the run is to end, asked before each training step. It ends with
    /// [`TrainError::Stopped`](crate::TrainError::Stopped); the checkpoint of the last epoch that is
    /// complete is there, and [`resume`](crate::RunOptions::resume) continues from it.
    fn stops(&mut self) -> bool {
        false
    }

    /// A training step was queued.
    fn step(&mut self, progress: &StepProgress) {
        let _ = progress;
    }

    /// An epoch of a phase before the main one is complete and its checkpoint written.
    fn pretrain(&mut self, epoch: &PretrainEpoch) {
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
    /// What runs, for example `resnet8 by ce + at from resnet20`.
    pub title: String,
    /// The folder of the run.
    pub folder: PathBuf,
    /// Epochs of the main phase.
    pub epochs: usize,
    /// Epochs of the phases before it.
    pub pretrain: usize,
    /// Epochs that an earlier session has completed.
    pub completed: usize,
    /// Steps in an epoch.
    pub steps: usize,
    /// Trainable parameters of the student.
    pub params: usize,
    /// The teacher; absent if the student learns from labels alone, or from its peers.
    pub teacher: Option<TeacherStart>,
    /// What else is to be known of the run, each in one line: what becomes of the schedule of a run that
    /// is made longer.
    pub notes: Vec<String>,
    /// The name of the GPU; `None` on a CPU.
    pub gpu: Option<String>,
}

/// What is known of a teacher before the first step.
#[derive(Clone, Debug, PartialEq)]
pub struct TeacherStart {
    /// Its name.
    pub name: String,
    /// Its top-1 accuracy on the images of evaluation, in percent.
    pub top1: f64,
    /// The number of these images.
    pub images: usize,
}

/// An epoch of a phase before the main one.
#[derive(Clone, Debug)]
pub struct PretrainEpoch {
    /// The name of the phase.
    pub phase: String,
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
    /// The name of the phase: `train` for the main one.
    pub phase: String,
    /// The epoch of the phase, from 1.
    pub epoch: usize,
    /// The step in the epoch, from 1.
    pub step: usize,
    /// Names and means of the losses in this epoch, as far as they have been read from the device.
    pub losses: Vec<(String, f64)>,
}

/// An observer that ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoopObserver;

impl Observer for NoopObserver {}
