//! How far a run is, seen from outside.

use std::path::Path;

use super::RunResult;
use super::folder::RunFolder;
use super::lock::is_running;

/// How far the run in a folder is.
#[derive(Clone, Debug, PartialEq)]
pub enum RunState {
    /// There is none.
    Absent,
    /// A process runs it, and has completed so many epochs of the main phase.
    Running(usize),
    /// It was stopped after so many epochs of the main phase, and can be continued.
    Stopped(usize),
    /// It is complete.
    Complete(Box<RunResult>),
}

impl RunState {
    /// The state of the run in the folder `run`. What cannot be read counts as not there.
    pub fn of(run: &Path) -> Self {
        let Ok(folder) = RunFolder::existing(run) else {
            return Self::Absent;
        };
        if let Some(result) = folder.result() {
            return Self::Complete(Box::new(result));
        }
        let epochs = std::fs::read_to_string(folder.metrics());
        let epochs = epochs.map_or(0, |text| text.lines().count());
        match is_running(run) {
            true => Self::Running(epochs),
            false => Self::Stopped(epochs),
        }
    }
}
