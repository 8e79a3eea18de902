//! A sweep carried out: cells are claimed, started and watched in one loop.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use kd_train::{RunResult, RunState};

use super::cell::Cell;
use super::error::SweepError;
use super::folder::{Claim, InPlace, SweepFolder};
use super::launcher::{Launcher, Order, Running};
use super::memory::{available_mib, fits};
use super::overview::{CellProgress, Overview, epochs, has_epochs, time_left};
use super::plan::Plan;

/// Between two looks at the processes.
const PAUSE: Duration = Duration::from_millis(100);
/// Between two looks at the files of the runs.
const LOOK: Duration = Duration::from_secs(1);
/// After this time, what a run takes of memory is taken as known, epoch or not.
const SETTLED: Duration = Duration::from_secs(60);

/// How a sweep is carried out.
#[derive(Clone, Debug)]
pub struct SweepOptions {
    /// The folder of all runs: that of the plan.
    pub out: PathBuf,
    /// Runs at the same time, at most, on each device: another one starts only if memory allows.
    pub jobs: usize,
    /// Names of the devices among which the runs are divided, each on one. Empty: each run is on its
    /// recipe's.
    pub devices: Vec<String>,
}

/// Something that is told how a sweep goes.
pub trait SweepObserver {
    /// So many cells are complete already.
    fn found(&mut self, complete: usize) {
        let _ = complete;
    }

    /// A run is about to start or to continue.
    fn started(&mut self, cell: &Cell) {
        let _ = cell;
    }

    /// A cell is complete: `result`, or one line that says why it is not.
    fn ended(&mut self, cell: &Cell, result: Result<&RunResult, &str>) {
        let _ = (cell, result);
    }

    /// Whether the sweep is to end: asked several times a second. Runs that are not complete end
    /// too, and keep what they have completed.
    fn stops(&mut self) -> bool {
        false
    }

    /// How far the sweep is, about once a second.
    fn overview(&mut self, overview: &Overview) {
        let _ = overview;
    }
}

/// An observer that ignores everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct SilentSweep;

impl SweepObserver for SilentSweep {}

/// What a sweep comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SweepReport {
    /// Cells that are complete.
    pub complete: usize,
    /// Names of the others, and why.
    pub failed: Vec<(String, String)>,
}

/// Carries out a plan: skips what is complete, continues what was stopped, waits for what another
/// sweep on the same folder runs. A cell that fails stops no other, but those that need it.
///
/// # Errors
///
/// [`SweepError`] if the folder cannot be written or no run can be started at all;
/// [`SweepError::Stopped`] if the observer ended it.
pub fn sweep(
    plan: &Plan,
    options: &SweepOptions,
    launcher: &mut dyn Launcher,
    observer: &mut dyn SweepObserver,
) -> Result<SweepReport, SweepError> {
    let folder = SweepFolder::new(&options.out);
    for cell in &plan.cells {
        folder.check(cell)?;
    }
    for cell in &plan.cells {
        folder.write(cell)?;
    }
    let mut sweeper = Sweeper::new(plan, folder, options);
    sweeper.look(&mut SilentSweep);
    observer.found(sweeper.report().complete);
    loop {
        // Before a look at the runs: the signal that stops the sweep may have stopped them too, which
        // is no failure of theirs.
        if observer.stops() {
            return Err(SweepError::Stopped {
                complete: sweeper.report().complete,
                cells: plan.cells.len(),
            });
        }
        sweeper.reap(observer)?;
        if sweeper.looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            sweeper.looked = Some(Instant::now());
            sweeper.look(observer);
            observer.overview(&sweeper.overview());
        }
        sweeper.start(launcher, observer)?;
        if sweeper.is_settled() {
            observer.overview(&sweeper.overview());
            return Ok(sweeper.report());
        }
        sleep(PAUSE);
    }
}

/// A cell, as this sweep knows it.
enum Progress {
    /// Not yet, or not here.
    Open,
    Running(Box<Run>),
    Complete,
    Failed(String),
}

struct Run {
    running: Box<dyn Running>,
    started: Instant,
    peak: f64,
    /// The device, by its number among those of the sweep.
    device: usize,
    _claim: Claim,
}

struct Sweeper<'a> {
    plan: &'a Plan,
    folder: SweepFolder,
    /// Runs at the same time on all devices.
    jobs: usize,
    devices: &'a [String],
    threads: Option<usize>,
    progress: Vec<Progress>,
    /// Failures of earlier sweeps, which are tried again.
    earlier: Vec<Option<SystemTime>>,
    /// The largest resident memory of a run so far, in MiB.
    largest: f64,
    /// Seconds an epoch, by cell.
    seconds: BTreeMap<String, f64>,
    looked: Option<Instant>,
}

impl<'a> Sweeper<'a> {
    fn new(plan: &'a Plan, folder: SweepFolder, options: &'a SweepOptions) -> Self {
        let jobs = options.jobs.max(1) * options.devices.len().max(1);
        let cells = plan.cells.iter();
        let earlier = cells.map(|cell| Some(folder.failed(&cell.name)?.1));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            earlier: earlier.collect(),
            progress: plan.cells.iter().map(|_| Progress::Open).collect(),
            threads: (jobs > 1).then(|| (cores / jobs).max(1)),
            plan,
            folder,
            jobs,
            devices: &options.devices,
            largest: 0.0,
            seconds: BTreeMap::new(),
            looked: None,
        }
    }

    /// Takes note of runs that have ended.
    fn reap(&mut self, observer: &mut dyn SweepObserver) -> Result<(), SweepError> {
        let plan = self.plan;
        for (index, cell) in plan.cells.iter().enumerate() {
            let Progress::Running(run) = &mut self.progress[index] else {
                continue;
            };
            run.peak = run.running.peak_mib().unwrap_or(run.peak);
            self.largest = self.largest.max(run.peak);
            let Some(outcome) = run.running.outcome() else {
                continue;
            };
            let state = RunState::of(&self.folder.run(&cell.name));
            // A process may end badly after its run is complete, or refuse a run that another one
            // completed with other contents.
            let is_its_own = || matches!(self.folder.check(cell), Ok(InPlace(true)));
            match (state, outcome) {
                (RunState::Complete(result), outcome) if outcome.is_ok() || is_its_own() => {
                    self.complete(index, &result, observer);
                }
                (_, outcome) => {
                    let reason = outcome.err().unwrap_or_else(|| "no result".to_owned());
                    // Written before the claim goes, so that no other sweep tries it again.
                    self.folder.fail(&cell.name, &reason)?;
                    self.fail(index, reason, observer);
                }
            }
        }
        Ok(())
    }

    /// Starts what can be started.
    fn start(
        &mut self,
        launcher: &mut dyn Launcher,
        observer: &mut dyn SweepObserver,
    ) -> Result<(), SweepError> {
        let plan = self.plan;
        for (index, cell) in plan.cells.iter().enumerate() {
            let open = matches!(self.progress[index], Progress::Open);
            if !open || !self.is_ready(index, observer) {
                continue;
            }
            if !self.has_room() {
                break;
            }
            let Some(claim) = self.folder.claim(&cell.name)? else {
                continue;
            };
            // Another sweep may have ended it between the look and the claim.
            self.look_at(index, observer);
            if !matches!(self.progress[index], Progress::Open) {
                continue;
            }
            observer.started(cell);
            self.progress[index] = self.launch(cell, claim, launcher)?;
            self.reap(observer)?;
        }
        Ok(())
    }

    /// Takes note of what is complete already, what others did, and teachers that nobody needs any
    /// more.
    fn look(&mut self, observer: &mut dyn SweepObserver) {
        let plan = self.plan;
        // Students before their teachers.
        for (index, cell) in plan.cells.iter().enumerate().rev() {
            self.look_at(index, observer);
            let open = matches!(self.progress[index], Progress::Open);
            if open && !cell.wanted && !self.is_needed(&cell.name) {
                self.progress[index] = Progress::Complete;
            }
        }
    }

    fn look_at(&mut self, index: usize, observer: &mut dyn SweepObserver) {
        let cell = &self.plan.cells[index];
        if !matches!(self.progress[index], Progress::Open) {
            return;
        }
        if let RunState::Complete(result) = RunState::of(&self.folder.run(&cell.name)) {
            match self.folder.check(cell) {
                Ok(InPlace(true)) => self.complete(index, &result, observer),
                // Its process compares the contents, and is complete at once if they are the same.
                Ok(InPlace(false)) => {}
                Err(error) => self.fail(index, error.to_string(), observer),
            }
        } else if let Some(reason) = self.failed_elsewhere(index) {
            self.fail(index, reason, observer);
        }
    }

    /// Whether a student still needs a teacher.
    fn is_needed(&self, teacher: &str) -> bool {
        let cells = self.plan.cells.iter().zip(&self.progress);
        let mut students = cells.filter(|(cell, _)| cell.needs.as_deref() == Some(teacher));
        students.any(|(_, progress)| !matches!(progress, Progress::Complete))
    }

    fn launch(
        &self,
        cell: &Cell,
        claim: Claim,
        launcher: &mut dyn Launcher,
    ) -> Result<Progress, SweepError> {
        self.folder.prepare(cell)?;
        let device = self.free_device();
        let running = launcher.launch(&Order {
            device: self.devices.get(device).map(String::as_str),
            recipe: &cell.recipe,
            config: &self.folder.recipe(&cell.name),
            out: &self.folder.run(&cell.name),
            log: &self.folder.log(&cell.name),
            claim: &claim.0,
            threads: self.threads,
        })?;
        Ok(Progress::Running(Box::new(Run {
            running,
            started: Instant::now(),
            peak: 0.0,
            device,
            _claim: claim,
        })))
    }

    /// The device with the fewest runs, by its number.
    fn free_device(&self) -> usize {
        let runs = |device: &usize| {
            self.running()
                .filter(|(_, run)| run.device == *device)
                .count()
        };
        (0..self.devices.len()).min_by_key(runs).unwrap_or(0)
    }

    /// Whether the teacher is complete. A cell whose teacher failed fails.
    fn is_ready(&mut self, index: usize, observer: &mut dyn SweepObserver) -> bool {
        let Some(needs) = &self.plan.cells[index].needs else {
            return true;
        };
        let teacher = self.plan.cells.iter().position(|cell| cell.name == *needs);
        match teacher.map(|teacher| &self.progress[teacher]) {
            Some(Progress::Failed(_)) => {
                let reason = format!("needs the teacher {needs}, which failed");
                self.fail(index, reason, observer);
                false
            }
            Some(Progress::Complete) => true,
            _ => false,
        }
    }

    /// Why a cell failed since this sweep began, by another sweep.
    fn failed_elsewhere(&self, index: usize) -> Option<String> {
        let (reason, time) = self.folder.failed(&self.plan.cells[index].name)?;
        (Some(time) != self.earlier[index]).then_some(reason)
    }

    /// Whether one more run may start.
    fn has_room(&self) -> bool {
        let running: Vec<(&Cell, &Run)> = self.running().collect();
        if running.is_empty() {
            return true;
        }
        let known = self.largest > 0.0
            && running.iter().all(|(cell, run)| {
                run.started.elapsed() > SETTLED || has_epochs(&self.folder.run(&cell.name))
            });
        let peaks: Vec<f64> = running.iter().map(|(_, run)| run.peak).collect();
        let measured = available_mib();
        running.len() < self.jobs
            && (measured.is_none() || (known && fits(measured, self.largest, &peaks)))
    }

    fn running(&self) -> impl Iterator<Item = (&Cell, &Run)> {
        let cells = self.plan.cells.iter().zip(&self.progress);
        cells.filter_map(|(cell, progress)| match progress {
            Progress::Running(run) => Some((cell, &**run)),
            _ => None,
        })
    }

    fn complete(&mut self, index: usize, result: &RunResult, observer: &mut dyn SweepObserver) {
        let cell = &self.plan.cells[index];
        self.largest = self.largest.max(result.peak_rss_mb);
        self.seconds
            .insert(cell.name.clone(), result.seconds_per_epoch);
        self.progress[index] = Progress::Complete;
        observer.ended(cell, Ok(result));
    }

    fn fail(&mut self, index: usize, reason: String, observer: &mut dyn SweepObserver) {
        observer.ended(&self.plan.cells[index], Err(&reason));
        self.progress[index] = Progress::Failed(reason);
    }

    fn is_settled(&self) -> bool {
        let settled =
            |progress: &Progress| matches!(progress, Progress::Complete | Progress::Failed(_));
        self.progress.iter().all(settled)
    }

    fn overview(&mut self) -> Overview {
        let mut overview = Overview {
            cells: self.plan.cells.len(),
            ..Overview::default()
        };
        let mut remaining = BTreeMap::new();
        for (cell, progress) in self.plan.cells.iter().zip(&self.progress) {
            let elsewhere = match progress {
                Progress::Complete => {
                    overview.complete += 1;
                    continue;
                }
                Progress::Failed(_) => {
                    overview.failed += 1;
                    continue;
                }
                Progress::Running(_) => false,
                Progress::Open => self.folder.is_claimed(&cell.name),
            };
            let history = epochs(&self.folder.run(&cell.name));
            let all = cell.recipe.train.epochs.unwrap_or_default();
            remaining.insert(cell.name.as_str(), all.saturating_sub(history.len()));
            let total: f64 = history.iter().map(|epoch| epoch.seconds).sum();
            let seconds = (!history.is_empty()).then(|| total / history.len() as f64);
            if let Some(seconds) = seconds {
                self.seconds.insert(cell.name.clone(), seconds);
            }
            if elsewhere || matches!(progress, Progress::Running(_)) {
                overview.running.push(CellProgress {
                    name: cell.name.clone(),
                    elsewhere,
                    epoch: history.len(),
                    epochs: all,
                    seconds,
                    top1: history.last().map(|epoch| epoch.test.top1),
                });
            }
        }
        overview.left = time_left(&remaining, &self.seconds, overview.running.len());
        overview
    }

    fn report(&self) -> SweepReport {
        let mut report = SweepReport::default();
        for (cell, progress) in self.plan.cells.iter().zip(&self.progress) {
            match progress {
                Progress::Failed(reason) => {
                    report.failed.push((cell.name.clone(), reason.clone()));
                }
                Progress::Complete => report.complete += 1,
                Progress::Open | Progress::Running(_) => {}
            }
        }
        report
    }
}
