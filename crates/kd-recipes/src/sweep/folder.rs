//! What a sweep keeps of its cells, beside their runs.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use kd_models::files::write_atomically;
use kd_train::Overlay;

use super::cell::Cell;
use super::error::SweepError;

/// The folder of records in the folder of a sweep.
const RECORDS: &str = ".sweep";

/// The folder of a sweep: a run a cell, and in `.sweep` a folder a cell with its plan, the recipe
/// for its process, that process's output, why it failed, and a lock.
#[derive(Clone, Debug)]
pub(crate) struct SweepFolder {
    out: PathBuf,
}

/// Whether data set and weights are where a run had them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InPlace(pub(crate) bool);

/// The right to run a cell. It goes with the processes that hold it, however they end.
#[derive(Debug)]
pub(crate) struct Claim(pub(crate) File);

impl SweepFolder {
    pub(crate) fn new(out: &Path) -> Self {
        Self {
            out: out.to_owned(),
        }
    }

    /// The folder of a cell's run.
    pub(crate) fn run(&self, cell: &str) -> PathBuf {
        self.out.join(cell)
    }

    fn records(&self, cell: &str) -> PathBuf {
        self.out.join(RECORDS).join(cell)
    }

    /// The recipe that the cell's process reads.
    pub(crate) fn recipe(&self, cell: &str) -> PathBuf {
        self.records(cell).join("config.yaml")
    }

    /// What the cell's process printed.
    pub(crate) fn log(&self, cell: &str) -> PathBuf {
        self.records(cell).join("log.txt")
    }

    fn planned(&self, cell: &str) -> PathBuf {
        self.records(cell).join("cell.json")
    }

    fn lock(&self, cell: &str) -> PathBuf {
        self.records(cell).join("lock")
    }

    fn failure(&self, cell: &str) -> PathBuf {
        self.records(cell).join("failure.txt")
    }

    /// Whether a sweep was planned here.
    pub(crate) fn exists(&self) -> bool {
        self.out.join(RECORDS).is_dir()
    }

    /// Whether the run of a cell, if there is one, is that of the plan; whether its data set and weights
    /// are where they were. Of a run whose are not, only the run itself can tell if they are the same.
    pub(crate) fn check(&self, cell: &Cell) -> Result<InPlace, SweepError> {
        let run = self.run(&cell.name);
        let path = run.join("recipe.yaml");
        if !path.is_file() {
            return Ok(InPlace(true));
        }
        let earlier = Overlay::read(path)?.finish()?;
        match cell.recipe.difference_but_places(&earlier)? {
            None => Ok(InPlace(cell.recipe.difference(&earlier)?.is_none())),
            Some(difference) => Err(SweepError::Plan(format!(
                "{}: contains a run of another recipe: {difference}; choose another --out",
                run.display()
            ))),
        }
    }

    /// Writes down what is planned, for tables.
    pub(crate) fn write(&self, cell: &Cell) -> Result<(), SweepError> {
        let folder = self.records(&cell.name);
        std::fs::create_dir_all(&folder).map_err(|error| SweepError::io(&folder, error))?;
        let path = self.planned(&cell.name);
        let bytes =
            serde_json::to_vec_pretty(cell).map_err(|error| SweepError::io(&path, error))?;
        let same = std::fs::read(&path).is_ok_and(|earlier| earlier == bytes);
        match same {
            true => Ok(()),
            false => write_atomically(&path, &bytes).map_err(|error| SweepError::io(&path, error)),
        }
    }

    /// Writes the recipe for the cell's process, and forgets an earlier failure.
    pub(crate) fn prepare(&self, cell: &Cell) -> Result<(), SweepError> {
        let path = self.recipe(&cell.name);
        let text = serde_saphyr::to_string(&cell.recipe)
            .map_err(|error| SweepError::io(&path, std::io::Error::other(error)))?;
        write_atomically(&path, text.as_bytes()).map_err(|error| SweepError::io(&path, error))?;
        let path = self.failure(&cell.name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(SweepError::io(&path, error))
            }
            _ => Ok(()),
        }
    }

    /// The cells that were planned here, by name.
    pub(crate) fn cells(&self) -> Result<Vec<Cell>, SweepError> {
        let folder = self.out.join(RECORDS);
        let entries = std::fs::read_dir(&folder).map_err(|error| SweepError::io(&folder, error))?;
        let mut names: Vec<_> = entries
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .filter(|name| self.planned(name).is_file())
            .collect();
        names.sort();
        names.iter().map(|name| self.cell(name)).collect()
    }

    /// A cell that was planned here.
    pub(crate) fn cell(&self, name: &str) -> Result<Cell, SweepError> {
        let path = self.planned(name);
        let bytes = std::fs::read(&path).map_err(|error| SweepError::io(&path, error))?;
        serde_json::from_slice(&bytes).map_err(|error| SweepError::File {
            path,
            reason: error.to_string(),
        })
    }

    /// Writes down why a cell failed.
    pub(crate) fn fail(&self, cell: &str, reason: &str) -> Result<(), SweepError> {
        let path = self.failure(cell);
        write_atomically(&path, reason.as_bytes()).map_err(|error| SweepError::io(&path, error))
    }

    /// Why a cell failed, and when.
    pub(crate) fn failed(&self, cell: &str) -> Option<(String, SystemTime)> {
        let path = self.failure(cell);
        let time = std::fs::metadata(&path).and_then(|data| data.modified());
        let reason = std::fs::read_to_string(&path).ok()?;
        Some((reason.trim().to_owned(), time.ok()?))
    }

    /// Whether a sweep has a cell.
    pub(crate) fn is_claimed(&self, cell: &str) -> bool {
        let held = |file: File| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock));
        File::open(self.lock(cell)).is_ok_and(held)
    }

    /// Takes a cell for this process, unless another has it.
    pub(crate) fn claim(&self, cell: &str) -> Result<Option<Claim>, SweepError> {
        let path = self.lock(cell);
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(|error| SweepError::io(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Claim(file))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(SweepError::io(&path, error)),
        }
    }
}
