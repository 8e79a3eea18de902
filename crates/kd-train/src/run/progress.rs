//! How far a run is within an epoch, for whoever watches it from outside.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::files::TEMPORARY;
use super::phase::Phase;
use super::{Observer, PretrainEpoch, RunResult, RunStart, StepProgress};
use crate::metrics::NamedValues;
use crate::{CacheReport, EpochMetrics};

/// The file, which is there while a process is at the run.
const PROGRESS: &str = "progress.json";
/// Between two times that it is written.
const PAUSE: Duration = Duration::from_secs(1);

/// The content of `progress.json`: where a run stands, as of a second ago at most or, if steps take longer, of
/// the last step. A run does not read it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunProgress {
    /// What runs, for example `resnet8 by ce + at from resnet20`.
    pub title: String,
    /// The computer, where the system tells its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// When this session began, in seconds since 1970.
    pub started: f64,
    /// Trainable parameters of the student.
    pub params: usize,
    /// Top-1 accuracy of the teacher on the images of evaluation, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub teacher_top1: Option<f64>,
    /// The name of the phase: `train` for the main one; empty before the first step.
    pub phase: String,
    /// The epoch of the phase, from 1; 0 before the first step.
    pub epoch: usize,
    /// Epochs of the phase.
    pub epochs: usize,
    /// Epochs of the phases before it.
    pub before: usize,
    /// Epochs of all phases.
    pub all_epochs: usize,
    /// The learning rate.
    pub lr: f64,
    /// The step in the epoch, from 1.
    pub step: usize,
    /// Steps in an epoch.
    pub steps: usize,
    /// Time since the epoch began, in seconds.
    pub seconds: f64,
    /// Means of the losses in this epoch, as far as they have been read from the device.
    pub losses: NamedValues,
}

impl RunProgress {
    /// Reads it from the folder of a run; `None` if it is not there or cannot be read.
    pub fn read(run: &Path) -> Option<Self> {
        let bytes = std::fs::read(run.join(PROGRESS)).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// The time since it was written, by the clocks of this computer and of the one that has the file.
    pub fn age(run: &Path) -> Option<Duration> {
        let written = std::fs::metadata(run.join(PROGRESS))
            .ok()?
            .modified()
            .ok()?;
        Some(
            SystemTime::now()
                .duration_since(written)
                .unwrap_or_default(),
        )
    }

    /// Whether it was written on this computer.
    pub fn is_from_here(&self) -> bool {
        self.host == host()
    }
}

/// The name of this computer, where the system tells it in a file.
fn host() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned())
}

/// An observer that writes the file for another one.
pub(super) struct Reported<'a> {
    inner: &'a mut dyn Observer,
    path: PathBuf,
    /// Where it is written before it is renamed.
    temporary: PathBuf,
    phases: &'a [Phase],
    /// The learning rate before the schedule.
    rate: f64,
    progress: RunProgress,
    /// When the epoch began, and when the file is to be written again.
    began: Instant,
    due: Instant,
}

impl<'a> Reported<'a> {
    /// For the folder `run` of a run with these phases, whose schedules are factors of `rate`.
    pub(super) fn new(
        inner: &'a mut dyn Observer,
        run: &Path,
        (phases, rate): (&'a [Phase], f64),
    ) -> Self {
        let now = Instant::now();
        Self {
            inner,
            path: run.join(PROGRESS),
            temporary: run.join(format!("{TEMPORARY}-{PROGRESS}")),
            phases,
            rate,
            progress: RunProgress::default(),
            began: now,
            due: now,
        }
    }

    /// Writes the file. It is worth neither a wait for the disk nor the end of a run that cannot write it.
    fn write(&mut self) {
        let now = Instant::now();
        self.due = now + PAUSE;
        self.progress.seconds = (now - self.began).as_secs_f64();
        let written = serde_json::to_vec(&self.progress)
            .map_err(std::io::Error::other)
            .and_then(|bytes| std::fs::write(&self.temporary, bytes))
            .and_then(|()| std::fs::rename(&self.temporary, &self.path));
        if let Err(error) = written {
            tracing::debug!("{}: {error}", self.path.display());
        }
    }

    fn enter(&mut self, step: &StepProgress) {
        let phases = self.phases.iter();
        let index = phases.take_while(|phase| phase.name != step.phase).count();
        let epochs = |phases: &[Phase]| phases.iter().map(|phase| phase.epochs).sum();
        let progress = &mut self.progress;
        if (progress.epoch, &progress.phase) != (step.epoch, &step.phase) {
            progress.losses = NamedValues::default();
        }
        step.phase.clone_into(&mut progress.phase);
        (progress.epoch, progress.step) = (step.epoch, step.step);
        progress.before = epochs(&self.phases[..index]);
        if let Some(phase) = self.phases.get(index) {
            progress.epochs = phase.epochs;
            let place = (step.epoch.saturating_sub(1), step.step.saturating_sub(1));
            progress.lr = self.rate * phase.schedule.factor(place.0, place.1);
        }
        if !step.losses.is_empty() {
            progress.losses = NamedValues(step.losses.clone());
        }
    }
}

impl Observer for Reported<'_> {
    fn start(&mut self, start: &RunStart) {
        self.progress = RunProgress {
            title: start.title.clone(),
            host: host(),
            started: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0.0, |time| time.as_secs_f64()),
            params: start.params,
            teacher_top1: start.teacher.as_ref().map(|teacher| teacher.top1),
            all_epochs: self.phases.iter().map(|phase| phase.epochs).sum(),
            steps: start.steps,
            ..RunProgress::default()
        };
        self.began = Instant::now();
        self.write();
        self.inner.start(start);
    }

    fn stops(&mut self) -> bool {
        self.inner.stops()
    }

    fn step(&mut self, progress: &StepProgress) {
        if Instant::now() >= self.due {
            self.enter(progress);
            self.write();
        }
        self.inner.step(progress);
    }

    fn pretrain(&mut self, epoch: &PretrainEpoch) {
        self.began = Instant::now();
        self.inner.pretrain(epoch);
    }

    fn epoch(&mut self, metrics: &EpochMetrics) {
        self.began = Instant::now();
        self.inner.epoch(metrics);
    }

    fn teacher_cache(&mut self, report: &CacheReport) {
        self.inner.teacher_cache(report);
    }

    fn finish(&mut self, result: &RunResult) {
        self.inner.finish(result);
    }
}

impl Drop for Reported<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::phase::Objective;
    use crate::{NoopObserver, Schedule};

    fn phase(name: &str, epochs: usize, objective: Objective) -> Phase {
        Phase {
            name: name.to_owned(),
            epochs,
            objective,
            schedule: Schedule::by_epoch([1.0, 0.5]),
        }
    }

    fn step(phase: &str, epoch: usize, step: usize) -> StepProgress {
        StepProgress {
            phase: phase.to_owned(),
            epoch,
            step,
            losses: vec![("ce".to_owned(), 0.5)],
        }
    }

    #[test]
    fn the_file_says_where_a_run_stands_and_goes_with_its_process() {
        let folder = tempfile::tempdir().expect("a folder");
        let run = folder.path();
        let phases = [
            phase("pretrain hint", 2, Objective::Pretrain(0)),
            phase("train", 3, Objective::Main),
        ];
        let mut observer = NoopObserver;
        let mut reported = Reported::new(&mut observer, run, (&phases, 0.1));
        assert_eq!(RunProgress::read(run), None);
        reported.step(&step("train", 1, 7));
        let read = RunProgress::read(run).expect("a progress");
        assert_eq!((read.epoch, read.epochs, read.before), (1, 3, 2));
        assert_eq!((read.step, read.losses.get("ce")), (7, Some(0.5)));
        assert!(RunProgress::age(run).expect("an age") < Duration::from_secs(60));

        // A second has not passed.
        reported.step(&step("train", 1, 8));
        assert_eq!(RunProgress::read(run).map(|read| read.step), Some(7));
        reported.due = Instant::now();
        reported.step(&step("train", 2, 1));
        let read = RunProgress::read(run).expect("a progress");
        assert_eq!((read.epoch, read.lr), (2, 0.05));
        drop(reported);
        assert_eq!(std::fs::read_dir(run).expect("a folder").count(), 0);
    }

    #[test]
    fn a_folder_that_cannot_be_written_stops_nothing() {
        let mut observer = NoopObserver;
        let phases = [phase("train", 3, Objective::Main)];
        let nowhere = Path::new("/nowhere/at/all");
        Reported::new(&mut observer, nowhere, (&phases, 0.1)).step(&step("train", 1, 1));
        assert_eq!(RunProgress::read(nowhere), None);
    }
}
