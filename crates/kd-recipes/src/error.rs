//! Errors of this crate.

use kd_train::one_line;

/// Why a recipe cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipesError {
    /// No recipe has this name.
    #[error("no recipe is named `{}`{}; `kd recipes` lists them", one_line(name), suggestion.as_ref().map_or_else(String::new, |name| format!("; did you mean `{name}`?")))]
    Unknown {
        /// The name.
        name: String,
        /// The nearest known name.
        suggestion: Option<String>,
    },
    /// A table of this crate cannot be read.
    #[error("{table}: {reason}")]
    Table {
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// A file or command line of another program says something unknown, or something that kd
    /// cannot do.
    #[error("{}: {} {}", one_line(origin), one_line(key), one_line(reason))]
    Foreign {
        /// The file, or `command line`.
        origin: String,
        /// The key or flag.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be read.
    #[error("{}: {}", path.display(), one_line(reason))]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        reason: String,
    },
    /// The recipe is wrong.
    #[error(transparent)]
    Train(#[from] kd_train::TrainError),
}
