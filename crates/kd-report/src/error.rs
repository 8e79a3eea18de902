//! Why there is no report.

use std::path::PathBuf;

use kd_recipes::sweep::SweepError;
use kd_train::{TrainError, one_line};

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A folder that is neither a run nor holds one.
    #[error("{}: no runs (recipe.yaml) in it", .0.display())]
    NoRuns(PathBuf),
    /// Nothing of what was found can be read.
    #[error("none of the {runs} runs can be read, first {first}")]
    Unreadable {
        /// The number of runs.
        runs: usize,
        /// Why the first cannot.
        first: String,
    },
    /// The run that others are to be compared with has a teacher.
    #[error("--baseline: {} has a teacher; name a student alone", .0.display())]
    Baseline(PathBuf),
    /// Predictions that do not fit together.
    #[error("{}", one_line(.0))]
    Predictions(String),
    /// A folder cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Of a run's recipe.
    #[error(transparent)]
    Recipe(#[from] SweepError),
    /// Of images, networks or their device.
    #[error(transparent)]
    Train(#[from] TrainError),
}
