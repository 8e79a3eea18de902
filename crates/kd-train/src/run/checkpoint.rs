//! Complete checkpoints, one folder an epoch, that appear whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use burn::tensor::Bytes;
use kd_core::Network;
use kd_losses::DistillationLoss;
use serde::{Deserialize, Serialize};

use super::files::{TEMPORARY, write_json};
use crate::{DistillModel, DistillTask, Ema, EpochMetrics, TrainError};

const MODEL: &str = "model.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const EMA: &str = "ema.bpk";
/// What the first version called the model.
const LEARNER: &str = "learner.bpk";
const STATE: &str = "state.json";
const PREFIX: &str = "epoch-";

/// What a continuation needs besides tensors. Order and augmentation of the images are functions
/// of seed and epoch, so there is no generator to save.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    /// For each phase before the main one, the mean losses of its epochs that are complete.
    #[serde(default)]
    pub(crate) pretrain: Vec<Vec<f64>>,
    /// The epochs of the main phase that are complete.
    pub(crate) history: Vec<EpochMetrics>,
    /// By class and spot, the share of samples that were distilled in the last epoch.
    #[serde(default)]
    pub(crate) by_class: Vec<Option<Vec<f64>>>,
}

impl State {
    /// Epochs of all phases that are complete.
    fn epochs(&self) -> usize {
        self.pretrain.iter().map(Vec::len).sum::<usize>() + self.history.len()
    }

    /// Epochs of a phase that are complete.
    pub(crate) fn completed(&self, phase: usize, main: bool) -> usize {
        match main {
            true => self.history.len(),
            false => self.pretrain.get(phase).map_or(0, Vec::len),
        }
    }

    /// Adds an epoch of a phase before the main one.
    pub(crate) fn add_pretrain(&mut self, phase: usize, loss: f64) {
        if self.pretrain.len() <= phase {
            self.pretrain.resize(phase + 1, Vec::new());
        }
        self.pretrain[phase].push(loss);
    }
}

/// Writes the checkpoint of the last epoch in `state`, then removes earlier ones.
pub(crate) fn save<S: Network, T: Network, L: DistillationLoss>(
    folder: &Path,
    task: &DistillTask<S, T, L>,
    state: &State,
) -> Result<(), TrainError> {
    let name = format!("{PREFIX}{:04}", state.epochs());
    let temporary = folder.join(format!("{TEMPORARY}-{name}"));
    let place = folder.join(&name);
    remove(&temporary)?;
    if let Err(error) = write(&temporary, &place, task, state) {
        // Half a checkpoint is of no use, least of all on a full disk.
        let _ = fs::remove_dir_all(&temporary);
        return Err(error);
    }

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

/// Writes the files of a checkpoint into `temporary`, which becomes `place`.
fn write<S: Network, T: Network, L: DistillationLoss>(
    temporary: &Path,
    place: &Path,
    task: &DistillTask<S, T, L>,
    state: &State,
) -> Result<(), TrainError> {
    fs::create_dir_all(temporary).map_err(|error| TrainError::io(place, error))?;
    let save = |file: &str, save: &dyn Fn(PathBuf) -> Result<(), String>| {
        let path = temporary.join(file);
        let written = save(path.clone()).map_err(std::io::Error::other);
        // The name of the temporary folder says nothing to a reader.
        written.map_err(|error| TrainError::io(place.join(file), error))?;
        sync(&path)
    };
    save(MODEL, &|path| record(&task.model, path))?;
    save(OPTIMIZER, &|path| optimizer(&task.saved_optimizer(), path))?;
    if let Some(ema) = &task.ema {
        save(EMA, &|path| record(&ema.network, path))?;
    }
    write_json(&temporary.join(STATE), state)?;
    sync_folder(temporary)
}

fn record<M: Module>(module: &M, path: PathBuf) -> Result<(), String> {
    let record = module.valid().into_record();
    record.save(path).map_err(|error| error.to_string())
}

fn optimizer(optimizer: &ModuleOptimizer, path: PathBuf) -> Result<(), String> {
    optimizer.save(path).map_err(|error| error.to_string())
}

/// The latest checkpoint put into what was made by the same recipe, or that as it came if there is
/// no checkpoint.
pub(crate) fn load<S: Network, T: Network, L: DistillationLoss>(
    folder: &Path,
    mut task: DistillTask<S, T, L>,
) -> Result<(DistillTask<S, T, L>, State), TrainError> {
    let Some((_, place)) = checkpoints(folder)?.into_iter().max() else {
        return Ok((task, State::default()));
    };
    if place.join(LEARNER).exists() {
        return Err(TrainError::Checkpoint {
            path: place,
            reason: "it was written by the first version of kd, whose runs cannot be continued: start over with --config on its recipe.yaml and another --out"
                .to_owned(),
        });
    }
    let path = place.join(STATE);
    let text = fs::read(&path).map_err(|error| TrainError::io(&path, error))?;
    let state: State = serde_json::from_slice(&text).map_err(|error| TrainError::Checkpoint {
        path,
        reason: error.to_string(),
    })?;
    task.model = load_module(&place, MODEL, task.model)?;
    task.optimizer = load_optimizer(&place, OPTIMIZER, task.optimizer)?;
    task.ema = match task.ema {
        Some(ema) => Some(Ema {
            network: load_module(&place, EMA, ema.network)?,
            ..ema
        }),
        None => None,
    };
    Ok((task, state))
}

/// The model of the latest checkpoint, put into one of the same make.
pub(crate) fn load_model<S: Network, T: Network, L: DistillationLoss>(
    folder: &Path,
    model: DistillModel<S, T, L>,
) -> Result<DistillModel<S, T, L>, TrainError> {
    match checkpoints(folder)?.into_iter().max() {
        Some((_, place)) => load_module(&place, MODEL, model),
        None => Err(TrainError::Checkpoint {
            path: folder.to_owned(),
            reason: "there is none: the run has not completed an epoch".to_owned(),
        }),
    }
}

fn load_module<M: Module>(place: &Path, file: &str, module: M) -> Result<M, TrainError> {
    let path = place.join(file);
    let unusable = |reason: String| TrainError::Checkpoint {
        path: path.clone(),
        reason,
    };
    let record = ModuleRecord::from_bytes(whole(&path)?);
    let record = record.map_err(|error| unusable(error.to_string()))?;
    let module = module.try_load_record(record);
    module.map_err(|error| unusable(error.to_string()))
}

fn load_optimizer(
    place: &Path,
    file: &str,
    optimizer: ModuleOptimizer,
) -> Result<ModuleOptimizer, TrainError> {
    let path = place.join(file);
    optimizer
        .from_bytes(whole(&path)?)
        .map_err(|error| TrainError::Checkpoint {
            path: path.clone(),
            reason: error.to_string(),
        })
}

/// The bytes of a file. Burn would read it bit by bit while it is used, and panic if it goes meanwhile.
fn whole(path: &Path) -> Result<Bytes, TrainError> {
    let bytes = fs::read(path).map_err(|error| TrainError::io(path, error))?;
    Ok(Bytes::from_bytes_vec(bytes))
}

/// Whether there is a checkpoint.
pub(crate) fn exists(folder: &Path) -> Result<bool, TrainError> {
    Ok(!checkpoints(folder)?.is_empty())
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
