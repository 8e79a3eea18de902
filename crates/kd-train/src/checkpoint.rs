//! Complete checkpoints, one folder an epoch, that appear whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use serde::{Deserialize, Serialize};

use crate::files::{TEMPORARY, write_json};
use crate::{EpochMetrics, Learner, TrainError};

const LEARNER: &str = "learner.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const STATE: &str = "state.json";
const PREFIX: &str = "epoch-";

/// What a continuation needs besides tensors. Order and augmentation of the images are functions
/// of seed and epoch, so there is no generator to save.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// Mean losses of the preliminary epochs that are complete.
    #[serde(default)]
    pub(crate) preliminary: Vec<f64>,
    /// The epochs that are complete.
    pub(crate) history: Vec<EpochMetrics>,
}

impl State {
    /// Epochs of both phases that are complete.
    fn epochs(&self) -> usize {
        self.preliminary.len() + self.history.len()
    }
}

/// Writes the checkpoint of the last epoch in `state`, then removes earlier ones.
pub(crate) fn save(
    folder: &Path,
    learner: &Learner,
    optimizer: &ModuleOptimizer,
    state: &State,
) -> Result<(), TrainError> {
    let name = format!("{PREFIX}{:04}", state.epochs());
    let temporary = folder.join(format!("{TEMPORARY}-{name}"));
    let place = folder.join(&name);
    remove(&temporary)?;
    fs::create_dir_all(&temporary).map_err(|error| TrainError::io(&temporary, error))?;

    let unusable = |file: &str, error: &dyn std::fmt::Display| TrainError::Checkpoint {
        path: temporary.join(file),
        reason: error.to_string(),
    };
    learner
        .valid()
        .into_record()
        .save(temporary.join(LEARNER))
        .map_err(|error| unusable(LEARNER, &error))?;
    optimizer
        .save(temporary.join(OPTIMIZER))
        .map_err(|error| unusable(OPTIMIZER, &error))?;
    write_json(&temporary.join(STATE), state)?;
    for file in [LEARNER, OPTIMIZER] {
        sync(&temporary.join(file))?;
    }
    sync_folder(&temporary)?;

    // Left by a session that was continued from an earlier epoch.
    remove(&place)?;
    fs::rename(&temporary, &place).map_err(|error| TrainError::io(&place, error))?;
    sync_folder(folder)?;
    for (_, earlier) in checkpoints(folder)? {
        if earlier != place {
            remove(&earlier)?;
        }
    }
    Ok(())
}

/// The latest checkpoint put into a learner and optimiser of the same make, or those as they came
/// if there is none.
pub(crate) fn load(
    folder: &Path,
    learner: Learner,
    optimizer: ModuleOptimizer,
) -> Result<(Learner, ModuleOptimizer, State), TrainError> {
    let Some((_, place)) = checkpoints(folder)?.into_iter().max() else {
        return Ok((learner, optimizer, State::default()));
    };
    let unusable = |file: &str, reason: String| TrainError::Checkpoint {
        path: place.join(file),
        reason,
    };
    let text =
        fs::read(place.join(STATE)).map_err(|error| TrainError::io(place.join(STATE), error))?;
    let state: State =
        serde_json::from_slice(&text).map_err(|error| unusable(STATE, error.to_string()))?;
    let record = ModuleRecord::load(place.join(LEARNER))
        .map_err(|error| unusable(LEARNER, error.to_string()))?;
    let learner = learner
        .try_load_record(record)
        .map_err(|error| unusable(LEARNER, error.to_string()))?;
    let optimizer = optimizer
        .load(place.join(OPTIMIZER))
        .map_err(|error| unusable(OPTIMIZER, error.to_string()))?;
    Ok((learner, optimizer, state))
}

/// All whole checkpoints with their epochs.
fn checkpoints(folder: &Path) -> Result<Vec<(usize, PathBuf)>, TrainError> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).map_err(|error| TrainError::io(folder, error))?;
    Ok(entries
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let name = entry.file_name().into_string().ok()?;
            let epoch = name.strip_prefix(PREFIX)?.parse().ok()?;
            Some((epoch, entry.path()))
        })
        .collect())
}

fn remove(folder: &Path) -> Result<(), TrainError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(TrainError::io(folder, error))
        }
        _ => Ok(()),
    }
}

/// Makes sure that a rename that follows cannot overtake the content.
fn sync(path: &Path) -> Result<(), TrainError> {
    fs::File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| TrainError::io(path, error))
}

/// As [`sync`] for a folder, where the system can open one.
fn sync_folder(path: &Path) -> Result<(), TrainError> {
    if cfg!(unix) { sync(path) } else { Ok(()) }
}
