//! Errors of this crate.

use std::path::{Path, PathBuf};

/// What can stop a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A value in the recipe cannot be used.
    #[error("{field}: {found} is not {expected}")]
    Value {
        /// The recipe's field.
        field: &'static str,
        /// The value.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// A recipe lacks a field that has no default.
    #[error("{field}: missing; {hint}")]
    Missing {
        /// The recipe's field.
        field: &'static str,
        /// How to give it.
        hint: String,
    },
    /// A recipe file, or a record of a run, cannot be understood.
    #[error("{}: {reason}", path.display())]
    RecipeFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        reason: String,
    },
    /// The device is unknown or not part of this build.
    #[error("device: {0}")]
    Device(String),
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
    #[error("{}: unusable checkpoint: {reason}", path.display())]
    Checkpoint {
        /// The checkpoint.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A loss became infinite or NaN.
    #[error(
        "the loss part `{part}` is {value} at epoch {epoch}, step {step}: try a lower learning rate or weight"
    )]
    NonFinite {
        /// The epoch, from 1.
        epoch: usize,
        /// The step in the epoch, from 1.
        step: usize,
        /// `ce`, `kd`, `method`, `total`, `routing`, or `test ce`.
        part: &'static str,
        /// The value.
        value: f32,
    },
}

impl TrainError {
    /// An input or output error at `path`.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.as_ref().to_owned(),
            source,
        }
    }

    /// Says that a loss that is not finite was one on the test images after `epoch`.
    pub(crate) fn at_test(self, epoch: usize) -> Self {
        match self {
            Self::NonFinite { step, value, .. } => Self::NonFinite {
                epoch,
                step,
                part: "test ce",
                value,
            },
            other => other,
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
