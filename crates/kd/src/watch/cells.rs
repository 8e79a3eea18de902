//! The cells of a sweep, or the runs in a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use kd_recipes::sweep::{CellState, planned, time_left};
use kd_train::Overlay;

use super::run::{Run, State};

/// A cell of a sweep, or a run in a folder.
#[derive(Clone, Debug)]
pub struct Cell {
    pub name: String,
    /// The folder of its run.
    pub folder: PathBuf,
    pub state: CellState,
    /// Completed and all epochs.
    pub epoch: usize,
    pub epochs: usize,
    /// The part that is done, in [0, 1].
    pub done: f64,
    /// Top-1 accuracy on the images of evaluation after the last epoch and the best, in percent.
    pub last: Option<f64>,
    pub best: Option<f64>,
    /// What an epoch takes, in seconds.
    pub seconds: Option<f64>,
}

/// All of them, by name.
#[derive(Clone, Debug, Default)]
pub struct Cells {
    pub cells: Vec<Cell>,
    /// Whether all are to be carried out, as those of a sweep.
    planned: bool,
    /// Why they cannot be read.
    pub trouble: Option<String>,
}

impl Cells {
    /// Reads the folder of a sweep, or one with runs; `None` if there are none.
    pub fn read(folder: &Path) -> Option<Self> {
        let plan = planned(folder);
        let is_plan = matches!(plan, Ok(Some(_)));
        let cells: Vec<Cell> = match plan {
            Ok(Some(planned)) => planned
                .into_iter()
                .map(|cell| {
                    let state = CellState::of(folder, &cell);
                    let epochs = cell.recipe.train.epochs.unwrap_or_default();
                    Cell::new(cell.name.clone(), folder.join(&cell.name), state, epochs)
                })
                .collect(),
            Ok(None) => runs(folder),
            Err(error) => {
                return Some(Self {
                    cells: Vec::new(),
                    planned: false,
                    trouble: Some(error.to_string()),
                });
            }
        };
        (!cells.is_empty()).then_some(Self {
            cells,
            planned: is_plan,
            trouble: None,
        })
    }

    /// The time that is left, by the epochs measured so far.
    pub fn left(&self) -> Option<Duration> {
        let runs = |state: &CellState| matches!(state, CellState::Running { .. });
        let running = self.count(runs);
        // Of runs in a folder, those that were stopped need not go on.
        let goes_on = |cell: &&Cell| !cell.is_settled() && (self.planned || runs(&cell.state));
        let open = self.cells.iter().filter(goes_on);
        let remaining: BTreeMap<&str, usize> = open
            .map(|cell| (cell.name.as_str(), cell.epochs.saturating_sub(cell.epoch)))
            .collect();
        let seconds = self.cells.iter();
        let seconds = seconds.filter_map(|cell| Some((cell.name.clone(), cell.seconds?)));
        match running {
            0 => None,
            running => time_left(&remaining, &seconds.collect(), running),
        }
    }

    pub fn count(&self, is: impl Fn(&CellState) -> bool) -> usize {
        self.cells.iter().filter(|cell| is(&cell.state)).count()
    }
}

impl Cell {
    fn new(name: String, folder: PathBuf, state: CellState, epochs: usize) -> Self {
        let mut cell = Self {
            name,
            folder,
            state,
            epoch: 0,
            epochs,
            done: 0.0,
            last: None,
            best: None,
            seconds: None,
        };
        match &cell.state {
            CellState::Complete(result) => {
                (cell.epoch, cell.done) = (result.epochs, 1.0);
                (cell.last, cell.best) = (Some(result.last_top1), Some(result.best_top1));
                cell.seconds = Some(result.seconds_per_epoch);
            }
            CellState::NotStarted => {}
            _ => cell.look_into_run(),
        }
        cell
    }

    fn look_into_run(&mut self) {
        let run = Run::read(&self.folder);
        self.epoch = run.history.len();
        self.done = run.done();
        self.last = run.history.last().map(|epoch| epoch.test.top1);
        self.best = run.best().map(|epoch| epoch.test.top1);
        self.seconds = run.seconds_per_epoch();
        let here = matches!(self.state, CellState::Running { .. });
        // On another computer, locks may not be seen.
        let there = matches!(self.state, CellState::Stopped { .. }) && run.state == State::Running;
        if here || there {
            let (epoch, epochs) = (self.epoch, self.epochs);
            self.state = CellState::Running { epoch, epochs };
        }
    }

    /// Whether nothing will come of it any more, in this sweep at least.
    pub fn is_settled(&self) -> bool {
        matches!(
            self.state,
            CellState::Complete(_) | CellState::Failed(_) | CellState::TeacherFailed(_)
        )
    }
}

/// The runs directly in a folder.
fn runs(folder: &Path) -> Vec<Cell> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut folders: Vec<PathBuf> = folders
        .filter(|path| path.join("recipe.yaml").is_file())
        .collect();
    folders.sort();
    let run = |folder: PathBuf| {
        let recipe = Overlay::read(folder.join("recipe.yaml")).and_then(Overlay::finish);
        let epochs = recipe.ok().and_then(|recipe| recipe.train.epochs);
        let epochs = epochs.unwrap_or_default();
        let name = folder.file_name().unwrap_or_default().to_string_lossy();
        let state = CellState::of_run(&folder, epochs);
        Cell::new(name.into_owned(), folder.clone(), state, epochs)
    };
    folders.into_iter().map(run).collect()
}
