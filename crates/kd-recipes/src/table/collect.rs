//! Finding runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kd_train::{Overlay, Recipe, subfolders};

use super::group::difference;
use crate::recipe;
use crate::sweep::{Cell, CellState, Labels, SweepError, SweepFolder, UNNAMED};

/// A run, or a cell of a sweep that has none yet.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its name: that of its folder.
    pub name: String,
    /// Where it stands in a table.
    pub labels: Labels,
    /// The complete recipe.
    pub recipe: Recipe,
    /// How far it is.
    pub state: CellState,
}

impl Record {
    /// The run in a folder; one of a sweep has its labels from there.
    ///
    /// # Errors
    ///
    /// [`SweepError::Train`] or [`SweepError::File`] naming a file that is absent or cannot be
    /// understood.
    pub fn read(run: &Path) -> Result<Self, SweepError> {
        of_run(run)
    }

    /// Whether two runs repeat each other with different seeds: their recipes are the same but for
    /// the seed and places of files.
    ///
    /// # Errors
    ///
    /// [`SweepError::Train`] if a recipe cannot be compared.
    pub fn repeats(&self, other: &Self) -> Result<bool, SweepError> {
        Ok(difference(&self.recipe, &other.recipe)?.is_none())
    }
}

/// All runs and planned cells in folders: of a run, of a sweep, or of any of them at any depth.
pub(super) fn collect(folders: &[PathBuf]) -> Result<Vec<Record>, SweepError> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for folder in folders {
        let before = found.len();
        walk(folder, &mut seen, &mut found)?;
        if found.len() == before && !seen.contains(&absolute(folder)) {
            return Err(SweepError::NoRuns(folder.clone()));
        }
    }
    Ok(found)
}

fn walk(
    folder: &Path,
    seen: &mut BTreeSet<PathBuf>,
    found: &mut Vec<Record>,
) -> Result<(), SweepError> {
    if folder.join("recipe.yaml").is_file() {
        if seen.insert(absolute(folder)) {
            found.push(of_run(folder)?);
        }
        return Ok(());
    }
    let sweep = SweepFolder::new(folder);
    if sweep.exists() {
        for cell in sweep.cells()? {
            if seen.insert(absolute(&sweep.run(&cell.name))) {
                found.push(of_cell(folder, cell));
            }
        }
    }
    let folders = subfolders(folder).map_err(|error| SweepError::io(folder, error))?;
    folders
        .iter()
        .try_for_each(|folder| walk(folder, seen, found))
}

fn absolute(path: &Path) -> PathBuf {
    std::fs::canonicalize(path)
        .or_else(|_| std::path::absolute(path))
        .unwrap_or_else(|_| path.to_owned())
}

/// A cell that a sweep planned in `out`.
fn of_cell(out: &Path, cell: Cell) -> Record {
    let state = CellState::of(out, &cell);
    let mut labels = cell.labels;
    if let CellState::Complete(result) = &state
        && labels.teacher.as_deref() == Some(UNNAMED)
    {
        labels.teacher.clone_from(&result.teacher);
    }
    Record {
        name: cell.name,
        labels,
        recipe: cell.recipe,
        state,
    }
}

/// A run by itself; one of a sweep has its labels from there.
fn of_run(run: &Path) -> Result<Record, SweepError> {
    let absolute = absolute(run);
    let name = absolute.file_name().unwrap_or_default().to_string_lossy();
    if let Some(out) = absolute.parent()
        && let Ok(cell) = SweepFolder::new(out).cell(&name)
    {
        return Ok(of_cell(out, cell));
    }
    let read = Overlay::read(run.join("recipe.yaml"))?.finish()?;
    let epochs = read.train.epochs.unwrap_or_default();
    let state = CellState::of_run(run, epochs);
    let result = match &state {
        CellState::Complete(result) => Some(&**result),
        _ => None,
    };
    let named = read.name.as_deref().and_then(|name| recipe(name).ok());
    let labels = match named {
        Some(named) => Labels::of_named(&named),
        None => Labels::of_recipe(&read, result),
    };
    Ok(Record {
        name: name.into_owned(),
        labels,
        recipe: read,
        state,
    })
}
