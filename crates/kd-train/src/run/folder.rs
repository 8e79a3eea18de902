//! The folder of a run.

use std::path::{Path, PathBuf};

use super::files::{TEMPORARY, write_atomically, write_json};
use super::inputs::Inputs;
use super::lock::LOCK;
use super::{RoutingRecord, RunResult};
use crate::{EpochMetrics, Overlay, Recipe, TrainError};

/// The file of what the run was started with.
const INPUTS: &str = "inputs.json";

/// A folder that belongs to one recipe.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// A folder, be it there or not.
    pub(crate) fn at(path: &Path) -> Result<Self, TrainError> {
        if path.exists() && !path.is_dir() {
            return Err(TrainError::Occupied {
                path: path.to_owned(),
                reason: "is not a directory".to_owned(),
            });
        }
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Whether a new run may have it: it is absent or empty, but for what a start left that was cut
    /// off.
    pub(crate) fn check_empty(&self) -> Result<(), TrainError> {
        let rubbish =
            |name: &String| name.starts_with(TEMPORARY) || [LOCK, INPUTS].contains(&name.as_str());
        match self.entries()?.iter().all(rubbish) {
            true => Ok(()),
            false => Err(TrainError::Occupied {
                path: self.path.clone(),
                reason: "is not empty and contains no run; choose another --out".to_owned(),
            }),
        }
    }

    /// The folder of a run that is there.
    pub(crate) fn existing(path: &Path) -> Result<Self, TrainError> {
        let folder = Self {
            path: path.to_owned(),
        };
        if folder.recipe_path().is_file() {
            return Ok(folder);
        }
        Err(TrainError::Occupied {
            path: path.to_owned(),
            reason: "not a run directory (recipe.yaml not found)".to_owned(),
        })
    }

    /// The recipe as it was written.
    pub(crate) fn overlay(&self) -> Result<Overlay, TrainError> {
        Overlay::read(self.recipe_path())
    }

    /// Writes the recipe, with which the folder holds a run.
    pub(crate) fn write_recipe(&self, recipe: &Recipe) -> Result<(), TrainError> {
        let text = serde_saphyr::to_string(recipe).map_err(|error| TrainError::RecipeFile {
            path: self.recipe_path(),
            reason: error.to_string(),
        })?;
        write_atomically(&self.recipe_path(), text.as_bytes())
    }

    /// What the run was started with, if that was written down.
    pub(crate) fn inputs(&self) -> Result<Option<Inputs>, TrainError> {
        let path = self.path.join(INPUTS);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(TrainError::io(path, error)),
        };
        let inputs = serde_json::from_slice(&bytes);
        inputs.map(Some).map_err(|error| TrainError::RecipeFile {
            path,
            reason: error.to_string(),
        })
    }

    pub(crate) fn write_inputs(&self, inputs: &Inputs) -> Result<(), TrainError> {
        write_json(&self.path.join(INPUTS), inputs)
    }

    fn entries(&self) -> Result<Vec<String>, TrainError> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let entries =
            std::fs::read_dir(&self.path).map_err(|error| TrainError::io(&self.path, error))?;
        Ok(entries
            .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
            .collect())
    }

    /// Removes files whose writing was cut off.
    pub(crate) fn sweep(&self) -> Result<(), TrainError> {
        for name in self.entries()? {
            let path = self.path.join(&name);
            if name.starts_with(TEMPORARY) && path.is_file() {
                std::fs::remove_file(&path).map_err(|error| TrainError::io(&path, error))?;
            }
        }
        Ok(())
    }

    pub(crate) fn recipe_path(&self) -> PathBuf {
        self.path.join("recipe.yaml")
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn checkpoints(&self) -> PathBuf {
        self.path.join("checkpoint")
    }

    pub(crate) fn student(&self) -> PathBuf {
        self.path.join("student.safetensors")
    }

    pub(crate) fn best_student(&self) -> PathBuf {
        self.path.join("student-best.safetensors")
    }

    /// The weights of a further network of mutual learning, counted from 2.
    pub(crate) fn peer(&self, number: usize) -> PathBuf {
        self.path.join(format!("peer-{number}.safetensors"))
    }

    pub(crate) fn best_peer(&self, number: usize) -> PathBuf {
        self.path.join(format!("peer-{number}-best.safetensors"))
    }

    pub(crate) fn metrics(&self) -> PathBuf {
        self.path.join("metrics.jsonl")
    }

    pub(crate) fn routing(&self) -> PathBuf {
        self.path.join("routing.json")
    }

    pub(crate) fn teacher(&self) -> PathBuf {
        self.path.join("teacher.safetensors")
    }

    /// The outcome, if the run is complete.
    pub(crate) fn result(&self) -> Option<RunResult> {
        let text = std::fs::read(self.path.join("result.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// The outcome of a run that needs no more work.
    pub(crate) fn complete(&self) -> Option<RunResult> {
        let result = self.result()?;
        tracing::info!(folder = %self.path.display(), "the run is complete already");
        Some(result)
    }

    /// Removes the outcome of a run that goes on.
    pub(crate) fn forget_result(&self) -> Result<(), TrainError> {
        let path = self.path.join("result.json");
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(TrainError::io(path, error))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn write_result(&self, result: &RunResult) -> Result<(), TrainError> {
        write_json(&self.path.join("result.json"), result)
    }

    pub(crate) fn write_routing(&self, record: &RoutingRecord) -> Result<(), TrainError> {
        write_json(&self.routing(), record)
    }

    /// Writes `metrics.jsonl` anew, so that it never holds half a line or an epoch that the
    /// checkpoint does not.
    pub(crate) fn write_metrics(&self, history: &[EpochMetrics]) -> Result<(), TrainError> {
        let path = self.metrics();
        let mut bytes = Vec::new();
        for metrics in history {
            serde_json::to_writer(&mut bytes, metrics)
                .map_err(|error| TrainError::io(&path, error.into()))?;
            bytes.push(b'\n');
        }
        write_atomically(&path, &bytes)
    }
}
