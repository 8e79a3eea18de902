//! Errors of the command line.

use kd_losses::LossError;
use kd_models::ModelError;
use kd_recipes::RecipesError;
use kd_recipes::sweep::SweepError;
use kd_train::TrainError;

use crate::figures::PlotError;

/// What can stop a command.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// Of the run.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// Of a recipe by name, or of another program's file or flags.
    #[error(transparent)]
    Recipes(#[from] RecipesError),
    /// Of a network's name or weights.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Of a method's name.
    #[error(transparent)]
    Loss(#[from] LossError),
    /// Of two recipes at once.
    #[error("--recipe cannot be used with another program's file or flags: each is a whole recipe")]
    TwoRecipes,
    /// Of a method written with parameters.
    #[error("--method: {0}")]
    Method(String),
    /// Of an image that is not there.
    #[error("--images: {index} is not below {count}, the number of images")]
    Image {
        /// The index that was given.
        index: usize,
        /// The number of images.
        count: usize,
    },
    /// Of a sweep or a table.
    #[error(transparent)]
    Sweep(#[from] SweepError),
    /// Of cells of a sweep.
    #[error("{failed} of {cells} cells failed, first {first}")]
    Incomplete {
        /// The number of cells that failed.
        failed: usize,
        /// The number of all cells.
        cells: usize,
        /// The first that failed, and why.
        first: String,
    },
    /// Of drawing.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// Of writing JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
}
