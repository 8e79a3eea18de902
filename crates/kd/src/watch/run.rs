//! A run, as its files tell of it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use kd_train::{EpochMetrics, Overlay, Recipe, RoutingRecord, RunProgress, RunResult, RunState};

use crate::cli::warnings;

/// A run on another computer, whose lock may not be seen here, is taken to go on for so long after it
/// last wrote.
const SILENT: Duration = Duration::from_secs(120);
/// Epochs whose times the time that is left is reckoned by.
const RECENT: usize = 5;
/// Warnings that are kept.
const LAST: usize = 3;

/// How a run is.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum State {
    /// It has not begun.
    #[default]
    Waiting,
    /// A process is at it.
    Running,
    /// No process is at it; it can be continued.
    Stopped,
    /// It may have been stopped: it is on another computer, and has written nothing for so long.
    Silent(Duration),
    /// It is complete.
    Complete(Box<RunResult>),
}

/// A run, as its files tell of it. What is not there or not whole yet is left out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    pub state: State,
    pub recipe: Option<Box<Recipe>>,
    /// Why the recipe cannot be read.
    pub trouble: Option<String>,
    pub history: Vec<EpochMetrics>,
    /// Where it stands within an epoch, while it is running.
    pub progress: Option<RunProgress>,
    pub routing: Option<RoutingRecord>,
    /// The last warnings.
    pub warnings: Vec<String>,
}

impl Run {
    /// Reads the folder of a run.
    pub fn read(folder: &Path) -> Self {
        let (recipe, trouble) = match recipe(folder) {
            Some(Ok(recipe)) => (Some(Box::new(recipe)), None),
            Some(Err(reason)) => (None, Some(reason)),
            None => return Self::default(),
        };
        let progress = RunProgress::read(folder);
        let state = state(folder, progress.as_ref());
        let goes_on = matches!(state, State::Running | State::Silent(_));
        Self {
            progress: progress.filter(|_| goes_on),
            state,
            recipe,
            trouble,
            history: history(folder),
            routing: json(&folder.join("routing.json")),
            warnings: last_warnings(folder),
        }
    }

    /// Epochs of the main phase.
    pub fn epochs(&self) -> usize {
        let recipe = self.recipe.as_ref();
        let planned = recipe.and_then(|recipe| recipe.train.epochs);
        planned.unwrap_or_default().max(self.history.len())
    }

    /// The part of the run that is done, in [0, 1].
    pub fn done(&self) -> f64 {
        let (done, all) = match &self.progress {
            Some(progress) => {
                let completed = progress.before + progress.epoch.saturating_sub(1);
                let within = progress.step as f64 / progress.steps.max(1) as f64;
                (completed as f64 + within, progress.all_epochs)
            }
            None => (self.history.len() as f64, self.epochs()),
        };
        (done / all.max(1) as f64).clamp(0.0, 1.0)
    }

    /// What an epoch takes, by the last ones, or else by the steps of the first; in seconds.
    pub fn seconds_per_epoch(&self) -> Option<f64> {
        let recent = &self.history[self.history.len().saturating_sub(RECENT)..];
        if !recent.is_empty() {
            let sum: f64 = recent.iter().map(|epoch| epoch.seconds).sum();
            return Some(sum / recent.len() as f64);
        }
        let progress = self.progress.as_ref()?;
        let is_measured = progress.step > 1 && progress.seconds > 0.0;
        is_measured.then(|| progress.seconds / progress.step as f64 * progress.steps as f64)
    }

    /// The time that is left of a run that goes on.
    pub fn left(&self) -> Option<Duration> {
        let progress = self.progress.as_ref()?;
        let completed = progress.before + progress.epoch.saturating_sub(1);
        let epochs = progress.all_epochs.saturating_sub(completed);
        let left = self.seconds_per_epoch()? * epochs as f64 - progress.seconds;
        Duration::try_from_secs_f64(left.max(0.0)).ok()
    }

    /// The time of all epochs of the main phase so far, and of the one that goes on.
    pub fn elapsed(&self) -> Option<Duration> {
        let epochs: f64 = self.history.iter().map(|epoch| epoch.seconds).sum();
        let now = self
            .progress
            .as_ref()
            .map_or(0.0, |progress| progress.seconds);
        Duration::try_from_secs_f64(epochs + now).ok()
    }

    /// The epoch of the best accuracy, the first of several.
    pub fn best(&self) -> Option<&EpochMetrics> {
        let epochs = self.history.iter();
        epochs.reduce(|best, epoch| match epoch.test.top1 > best.test.top1 {
            true => epoch,
            false => best,
        })
    }
}

/// The recipe, if the run has begun.
fn recipe(folder: &Path) -> Option<Result<Recipe, String>> {
    let path = folder.join("recipe.yaml");
    if !path.is_file() {
        return None;
    }
    let recipe = Overlay::read(&path).and_then(Overlay::finish);
    Some(recipe.map_err(|error| error.to_string()))
}

fn state(folder: &Path, progress: Option<&RunProgress>) -> State {
    let far = progress.filter(|progress| !progress.is_from_here());
    match (RunState::of(folder), far) {
        (RunState::Complete(result), _) => State::Complete(result),
        (RunState::Running(_), _) => State::Running,
        (_, Some(_)) => match RunProgress::age(folder) {
            Some(age) if age > SILENT => State::Silent(age),
            _ => State::Running,
        },
        (_, None) => State::Stopped,
    }
}

/// The epochs so far, without a line that is not whole yet.
fn history(folder: &Path) -> Vec<EpochMetrics> {
    let text = fs::read_to_string(folder.join("metrics.jsonl")).unwrap_or_default();
    let lines = text
        .lines()
        .map_while(|line| serde_json::from_str(line).ok());
    lines.collect()
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// The last warnings, without the times of day.
fn last_warnings(folder: &Path) -> Vec<String> {
    let text = fs::read(folder.join(warnings::FILE)).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(LAST)..].iter();
    let message = |line: &&str| match line.split_once(' ') {
        Some((_, message)) => message.trim().to_owned(),
        None => (*line).to_owned(),
    };
    last.map(message).collect()
}
