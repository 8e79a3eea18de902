//! Complete checkpoints, one folder an epoch, that appear whole or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::store::ModuleRecord;
use serde::{Deserialize, Serialize};

use crate::files::{TEMPORARY, write_json};
use crate::routing::{Agent, AgentTraining};
use crate::{EpochMetrics, Learner, TrainError};

/// All that a run trains, with its optimisers.
pub(crate) struct Trained {
    pub(crate) learner: Learner,
    pub(crate) optimizer: ModuleOptimizer,
    /// What routing learns, if a policy chooses.
    pub(crate) agent: Option<AgentTraining>,
}

const LEARNER: &str = "learner.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const AGENT: &str = "agent.bpk";
const AGENT_OPTIMIZER: &str = "agent-optimizer.bpk";
const TEACHER_OPTIMIZER: &str = "teacher-optimizer.bpk";
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
    /// By class and spot, the share of samples that were distilled in the last epoch.
    #[serde(default)]
    pub(crate) by_class: Vec<Option<Vec<f64>>>,
}

impl State {
    /// Epochs of both phases that are complete.
    fn epochs(&self) -> usize {
        self.preliminary.len() + self.history.len()
    }
}

/// Writes the checkpoint of the last epoch in `state`, then removes earlier ones.
pub(crate) fn save(folder: &Path, trained: &Trained, state: &State) -> Result<(), TrainError> {
    let name = format!("{PREFIX}{:04}", state.epochs());
    let temporary = folder.join(format!("{TEMPORARY}-{name}"));
    let place = folder.join(&name);
    remove(&temporary)?;
    fs::create_dir_all(&temporary).map_err(|error| TrainError::io(&temporary, error))?;

    let save = |file: &str, save: &dyn Fn(PathBuf) -> Result<(), String>| {
        let path = temporary.join(file);
        save(path.clone()).map_err(|reason| TrainError::Checkpoint {
            path: path.clone(),
            reason,
        })?;
        sync(&path)
    };
    save(LEARNER, &|path| record(&trained.learner, path))?;
    save(OPTIMIZER, &|path| optimizer(&trained.optimizer, path))?;
    if let Some(training) = &trained.agent {
        save(AGENT, &|path| record(&training.agent, path))?;
        save(AGENT_OPTIMIZER, &|path| {
            optimizer(&training.optimizer, path)
        })?;
        if training.agent.teacher.is_some() {
            save(TEACHER_OPTIMIZER, &|path| {
                optimizer(&training.teacher_optimizer, path)
            })?;
        }
    }
    write_json(&temporary.join(STATE), state)?;
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

fn record<M: Module>(module: &M, path: PathBuf) -> Result<(), String> {
    let record = module.valid().into_record();
    record.save(path).map_err(|error| error.to_string())
}

fn optimizer(optimizer: &ModuleOptimizer, path: PathBuf) -> Result<(), String> {
    optimizer.save(path).map_err(|error| error.to_string())
}

/// The latest checkpoint put into what was made by the same recipe, or that as it came if there is
/// no checkpoint.
pub(crate) fn load(folder: &Path, trained: Trained) -> Result<(Trained, State), TrainError> {
    let Some((_, place)) = checkpoints(folder)?.into_iter().max() else {
        return Ok((trained, State::default()));
    };
    let path = place.join(STATE);
    let text = fs::read(&path).map_err(|error| TrainError::io(&path, error))?;
    let state: State = serde_json::from_slice(&text).map_err(|error| TrainError::Checkpoint {
        path,
        reason: error.to_string(),
    })?;
    let agent = match trained.agent {
        Some(training) => Some(AgentTraining {
            optimizer: load_optimizer(&place, AGENT_OPTIMIZER, training.optimizer)?,
            teacher_optimizer: match &training.agent.teacher {
                Some(_) => load_optimizer(&place, TEACHER_OPTIMIZER, training.teacher_optimizer)?,
                None => training.teacher_optimizer,
            },
            agent: load_module(&place, AGENT, training.agent)?,
        }),
        None => None,
    };
    let trained = Trained {
        learner: load_module(&place, LEARNER, trained.learner)?,
        optimizer: load_optimizer(&place, OPTIMIZER, trained.optimizer)?,
        agent,
    };
    Ok((trained, state))
}

/// The agent of the latest checkpoint, put into one of the same make.
pub(crate) fn load_agent(folder: &Path, agent: Agent) -> Result<Agent, TrainError> {
    match checkpoints(folder)?.into_iter().max() {
        Some((_, place)) => load_module(&place, AGENT, agent),
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
    let record = ModuleRecord::load(&path).map_err(|error| unusable(error.to_string()))?;
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
        .load(&path)
        .map_err(|error| TrainError::Checkpoint {
            path: path.clone(),
            reason: error.to_string(),
        })
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
