//! Errors of sweeps and tables.

use std::path::{Path, PathBuf};

use kd_train::{TrainError, one_line};

use crate::RecipesError;

/// What can stop a sweep or a table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SweepError {
    /// A sweep file cannot be understood.
    #[error("{}: {}", path.display(), one_line(reason))]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// The recipe of a cell cannot be carried out.
    #[error("{}: {source}", one_line(cell))]
    Cell {
        /// The name of the cell.
        cell: String,
        /// What is wrong with it.
        source: Box<TrainError>,
    },
    /// The cells do not fit together.
    #[error("{}", one_line(.0))]
    Plan(String),
    /// A shard that is not there.
    #[error("shard {0}, expected K/N with K from 1 to N")]
    Shard(String),
    /// A folder that holds neither runs nor a sweep.
    #[error("{}: contains no runs (recipe.yaml) and no sweep", .0.display())]
    NoRuns(PathBuf),
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its observer ended it: see [`SweepObserver::stops`](super::SweepObserver::stops).
    #[error("stopped with {complete} of {cells} cells complete")]
    Stopped {
        /// Cells that are complete.
        complete: usize,
        /// All cells.
        cells: usize,
    },
    /// Of a name or a published table.
    #[error(transparent)]
    Recipes(#[from] RecipesError),
    /// Of a recipe.
    #[error(transparent)]
    Train(#[from] TrainError),
}

impl SweepError {
    pub(crate) fn io(path: impl AsRef<Path>, source: impl Into<std::io::Error>) -> Self {
        Self::Io {
            path: path.as_ref().to_owned(),
            source: source.into(),
        }
    }
}
