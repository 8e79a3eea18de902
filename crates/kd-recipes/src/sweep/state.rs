//! How far a cell is.

use std::fmt;
use std::path::Path;

use kd_train::{RunResult, RunState};

use super::cell::Cell;
use super::folder::SweepFolder;

/// How far a cell is, seen from outside.
#[derive(Clone, Debug, PartialEq)]
pub enum CellState {
    /// Nothing has been done.
    NotStarted,
    /// A process is at it.
    Running {
        /// Epochs that are complete.
        epoch: usize,
        /// All epochs.
        epochs: usize,
    },
    /// It was stopped, and can be continued.
    Stopped {
        /// Epochs that are complete.
        epoch: usize,
        /// All epochs.
        epochs: usize,
    },
    /// It failed, for this reason.
    Failed(String),
    /// The cell that trains its teacher failed.
    TeacherFailed(String),
    /// It is complete.
    Complete(Box<RunResult>),
}

impl CellState {
    /// The state of a run by itself, of so many epochs.
    pub fn of_run(run: &Path, epochs: usize) -> Self {
        match RunState::of(run) {
            RunState::Complete(result) => Self::Complete(result),
            RunState::Running(epoch) => Self::Running { epoch, epochs },
            RunState::Stopped(epoch) => Self::Stopped { epoch, epochs },
            RunState::Absent => Self::NotStarted,
        }
    }

    /// The state of a cell in the folder `out` of a sweep.
    pub fn of(out: &Path, cell: &Cell) -> Self {
        let folder = SweepFolder::new(out);
        let epochs = cell.recipe.train.epochs.unwrap_or_default();
        let (epoch, running) = match RunState::of(&folder.run(&cell.name)) {
            RunState::Complete(result) => return Self::Complete(result),
            RunState::Running(epoch) => (Some(epoch), true),
            RunState::Stopped(epoch) => (Some(epoch), false),
            RunState::Absent => (None, false),
        };
        if running || folder.is_claimed(&cell.name) {
            let epoch = epoch.unwrap_or_default();
            return Self::Running { epoch, epochs };
        }
        if let Some((reason, _)) = folder.failed(&cell.name) {
            return Self::Failed(reason);
        }
        if let Some(epoch) = epoch {
            return Self::Stopped { epoch, epochs };
        }
        match &cell.needs {
            Some(needs) if failed(&folder, needs) => Self::TeacherFailed(needs.clone()),
            _ => Self::NotStarted,
        }
    }
}

/// Whether a cell failed and nobody tries it again.
fn failed(folder: &SweepFolder, cell: &str) -> bool {
    folder.failed(cell).is_some() && !folder.is_claimed(cell)
}

impl fmt::Display for CellState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted => f.write_str("not started"),
            Self::Running { epoch, epochs } => write!(f, "running (epoch {epoch} of {epochs})"),
            Self::Stopped { epoch, epochs } => {
                write!(f, "stopped after epoch {epoch} of {epochs}")
            }
            Self::Failed(reason) => write!(f, "failed: {reason}"),
            Self::TeacherFailed(needs) => write!(f, "needs {needs}, which failed"),
            Self::Complete(_) => f.write_str("complete"),
        }
    }
}
