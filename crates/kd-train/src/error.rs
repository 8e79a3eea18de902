//! Errors of this crate.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use crate::non_finite::{Moment, NonFinite};
use crate::yaml::one_line;

/// What can stop a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A value in the recipe cannot be used.
    #[error("{field} is {}, expected {expected}", one_line(found))]
    Value {
        /// The recipe's field.
        field: &'static str,
        /// The value.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// Two settings of a recipe exclude each other.
    #[error("{field} cannot be used with {}", one_line(other))]
    Conflict {
        /// The one.
        field: &'static str,
        /// The other.
        other: String,
    },
    /// A key that no recipe has.
    #[error("{}: unknown key{}", one_line(path), suggestion.as_ref().map_or_else(String::new, |name| format!("; did you mean `{name}`?")))]
    UnknownKey {
        /// The key, with those that lead to it.
        path: String,
        /// The nearest known key.
        suggestion: Option<String>,
    },
    /// A key's value cannot be understood.
    #[error("{}: {}", one_line(path), one_line(reason))]
    Key {
        /// The key, with those that lead to it.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The optimizer cannot be made.
    #[error("optimizer: {0}")]
    Optimizer(String),
    /// A recipe lacks a field that has no default.
    #[error("{field} is missing: {}", one_line(hint))]
    Missing {
        /// The recipe's field.
        field: &'static str,
        /// How to give it.
        hint: String,
    },
    /// A recipe file, or a record of a run, cannot be understood.
    #[error("{}: {}", path.display(), one_line(reason))]
    RecipeFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// The device is unknown or not part of this build.
    #[error("device: {}", one_line(.0))]
    Device(String),
    /// The memory of a device is used up.
    #[error(
        "device memory cannot hold {}: reduce {}",
        batch.map_or_else(|| "this computation".to_owned(), |images| format!("batches of {images} images")),
        if batch.is_some() { "data.batch_size (--batch-size)" } else { "the batch size" }
    )]
    Memory {
        /// The number of images in a batch, if there is one.
        batch: Option<usize>,
    },
    /// The data cannot be used.
    #[error(transparent)]
    Data(#[from] kd_data::DataError),
    /// A network or its weights cannot be used.
    #[error(transparent)]
    Model(#[from] kd_models::ModelError),
    /// The method does not fit the networks.
    #[error(transparent)]
    Loss(#[from] kd_losses::LossError),
    /// The networks cannot be cut or joined.
    #[error(transparent)]
    Spot(#[from] kd_spot::SpotError),
    /// A file or folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder holds something else.
    #[error("{}: {reason}", path.display())]
    Occupied {
        /// The folder.
        path: PathBuf,
        /// What is in the way, and what to do.
        reason: String,
    },
    /// A checkpoint cannot be used.
    #[error("{}: unusable checkpoint: {}", path.display(), one_line(reason))]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The observer ended the run: see [`Observer::stops`](crate::Observer::stops).
    #[error("stopped with {completed} of {epochs} epochs complete")]
    Stopped {
        /// Epochs of all phases that are complete, and in the checkpoint.
        completed: usize,
        /// Epochs of all phases.
        epochs: usize,
    },
    /// A loss became infinite or NaN.
    #[error("{0}")]
    NonFinite(Box<NonFinite>),
}

impl TrainError {
    /// An input or output error at `path`.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.as_ref().to_owned(),
            source,
        }
    }

    /// Completes what is known of a loss that is not finite.
    pub(crate) fn non_finite(mut self, complete: impl FnOnce(&mut NonFinite)) -> Self {
        if let Self::NonFinite(found) = &mut self {
            complete(found);
        }
        self
    }

    /// Says that a loss that is not finite was one on the test images after `epoch`.
    pub(crate) fn at_test(self, epoch: usize) -> Self {
        self.non_finite(|found| found.moment = Moment::Test(epoch))
    }

    pub(crate) fn conflict(field: &'static str, other: impl Into<String>) -> Self {
        Self::Conflict {
            field,
            other: other.into(),
        }
    }

    /// Whether a number that is given is positive and finite.
    pub(crate) fn positive(field: &'static str, value: Option<f64>) -> Result<(), Self> {
        match value {
            Some(value) if !(value.is_finite() && value > 0.0) => {
                Err(Self::value(field, value, "a positive finite number"))
            }
            _ => Ok(()),
        }
    }

    /// Whether a number that is given is finite and not negative.
    pub(crate) fn not_negative(field: &'static str, value: Option<f64>) -> Result<(), Self> {
        match value {
            Some(value) if !(value.is_finite() && value >= 0.0) => {
                Err(Self::value(field, value, "a finite number, at least 0"))
            }
            _ => Ok(()),
        }
    }

    /// Whether a number that is given is in a range, whose end keeps what follows from it small
    /// enough to count.
    pub(crate) fn within(
        field: &'static str,
        value: Option<usize>,
        range: RangeInclusive<usize>,
    ) -> Result<(), Self> {
        let expected = match value {
            Some(value) if value < *range.start() => format!("at least {}", range.start()),
            Some(value) if value > *range.end() => format!("at most {}", range.end()),
            _ => return Ok(()),
        };
        Err(Self::value(field, value.unwrap_or_default(), expected))
    }

    /// Whether a number that is given is at least 1.
    pub(crate) fn at_least_one(field: &'static str, value: Option<usize>) -> Result<(), Self> {
        match value {
            Some(0) => Err(Self::value(field, 0, "at least 1")),
            _ => Ok(()),
        }
    }

    pub(crate) fn value(
        field: &'static str,
        found: impl ToString,
        expected: impl ToString,
    ) -> Self {
        Self::Value {
            field,
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }
}
