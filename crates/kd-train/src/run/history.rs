//! Reading what a run wrote for people.

use std::path::Path;

use super::RoutingRecord;
use super::folder::RunFolder;
use crate::{EpochMetrics, TrainError};

/// What a run has written so far, be it complete or not.
#[derive(Clone, Debug, PartialEq)]
pub struct RunHistory {
    /// Its epochs.
    pub epochs: Vec<EpochMetrics>,
    /// What was distilled where, if samples are chosen.
    pub routing: Option<RoutingRecord>,
}

impl RunHistory {
    /// Reads the folder of a run.
    ///
    /// # Errors
    ///
    /// [`TrainError::Occupied`] if it is no folder of a run, [`TrainError::Io`] if a file cannot be
    /// read, [`TrainError::RecipeFile`] naming file and line if it is damaged.
    pub fn read(run: &Path) -> Result<Self, TrainError> {
        let folder = RunFolder::existing(run)?;
        let path = folder.metrics();
        let damaged = |path: &Path, reason: String| TrainError::RecipeFile {
            path: path.to_owned(),
            reason,
        };
        let text = std::fs::read_to_string(&path).map_err(|error| TrainError::io(&path, error))?;
        let epochs = text.lines().enumerate().map(|(index, line)| {
            serde_json::from_str(line)
                .map_err(|error| damaged(&path, format!("line {}: {error}", index + 1)))
        });
        let epochs = epochs.collect::<Result<_, _>>()?;
        let path = folder.routing();
        let routing = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| damaged(&path, error.to_string()))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(TrainError::io(&path, error)),
        };
        Ok(Self { epochs, routing })
    }
}
