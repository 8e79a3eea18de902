//! Files and command lines of the programs that researchers have experiments of.

mod arguments;
mod askd;
mod keys;
mod mdistiller;
mod repdistiller;
mod sakd;
mod terms;
mod zoo;

use std::path::{Path, PathBuf};

use kd_train::Overlay;
use serde_json::{Value, json};

pub use self::arguments::{Translated, translate};
use self::keys::Keys;
use crate::{RecipesError, Report};

/// A program whose files or command lines are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Program {
    /// spot-adaptive-pytorch.
    Sakd,
    /// ASKD.
    Askd,
    /// mdistiller, and logit-standardization-KD, which is built on it.
    Mdistiller,
    /// RepDistiller.
    RepDistiller,
    /// KDrefine.
    KdRefine,
    /// Knowledge-Distillation-Zoo.
    Zoo,
}

impl Program {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sakd => "spot-adaptive-pytorch",
            Self::Askd => "ASKD",
            Self::Mdistiller => "mdistiller",
            Self::RepDistiller => "RepDistiller",
            Self::KdRefine => "KDrefine",
            Self::Zoo => "Knowledge-Distillation-Zoo",
        }
    }
}

/// What a file or command line of another program says.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreign {
    /// The program.
    pub program: Program,
    /// The recipe that it makes.
    pub overlay: Overlay,
    /// Where the program would write.
    pub out: Option<PathBuf>,
    /// The epoch whose figure the program reports.
    pub report: Report,
    /// What the reader should know: keys without effect, choices that were made.
    pub notes: Vec<String>,
}

/// What is said beside a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Beside {
    /// The routing mode, as `adaptive`: files of spot-adaptive-pytorch are for any.
    pub routing: Option<String>,
    /// Overrides `KEY VALUE` of mdistiller's files.
    pub overrides: Vec<(String, Value)>,
    /// Temperature and weight of logit-standardization-KD, if `--logit-stand` is given.
    pub logit_stand: Option<[f64; 2]>,
}

/// Reads a YAML file of spot-adaptive-pytorch, ASKD, mdistiller or logit-standardization-KD; `None`
/// if it is none of theirs, as kd's own recipes.
///
/// # Errors
///
/// [`RecipesError::Train`] if the file cannot be read, [`RecipesError::Foreign`] naming the file and
/// the key if it says something unknown, or something that kd cannot do.
pub fn read(path: impl AsRef<Path>, beside: &Beside) -> Result<Option<Foreign>, RecipesError> {
    let path = path.as_ref();
    let text = std::fs::read_to_string(path).map_err(|source| RecipesError::File {
        path: path.to_owned(),
        reason: source.to_string(),
    })?;
    // What is no YAML at all is left to the reader of recipes, which says where.
    let Ok(file @ Value::Object(_)) = serde_saphyr::from_str(&text) else {
        return Ok(None);
    };
    let (origin, has) = (path.display().to_string(), |key: &str| {
        file.get(key).is_some()
    });
    let foreign = if has("DISTILLER") || has("SOLVER") {
        let stand = beside
            .logit_stand
            .map(|[temperature, weight]| mdistiller::LogitStand {
                temperature,
                weight,
            });
        mdistiller::read(&origin, &file, &beside.overrides, stand)?
    } else if has("dataset") && has("training") {
        let mode = beside.routing.as_deref().unwrap_or("always");
        sakd::read(&origin, &file, mode)?
    } else if has("model_s") || has("model_t") || has("lr_decay_epochs") || has("save_folder") {
        askd::read(&origin, &file)?
    } else {
        return Ok(None);
    };
    Ok(Some(foreign))
}

/// The rate of networks that RepDistiller and ASKD train with another one, whatever is asked for.
fn slow_rate(keys: &Keys, student: &str, lr: f64) -> f64 {
    const SLOW: f64 = 0.01;
    if !["MobileNetV2", "ShuffleV1", "ShuffleV2"].contains(&student) {
        return lr;
    }
    if lr != SLOW && keys.has("learning_rate") {
        keys.note(format!(
            "learning_rate: {student} is trained with {SLOW}, whatever it says"
        ));
    }
    SLOW
}

/// What the programs that came out of RepDistiller have in common.
fn crd_family(keys: &Keys, overlay: &mut Overlay) -> Result<(), RecipesError> {
    overlay.set("train.epochs", keys.count_or("epochs", 240)?);
    overlay.set("data.batch_size", keys.count_or("batch_size", 64)?);
    overlay.set("augmentation", json!({ "kind": "crop_flip", "pad": 4 }));
    overlay.set("optimizer.name", "sgd");
    overlay.set("optimizer.nesterov", false);
    overlay.set("optimizer.momentum", keys.number_or("momentum", 0.9)?);
    overlay.set(
        "optimizer.weight_decay",
        keys.number_or("weight_decay", 5e-4)?,
    );
    overlay.set("scheduler.name", "multistep");
    let milestones = keys.counts("lr_decay_epochs")?;
    overlay.set(
        "scheduler.milestones",
        milestones.unwrap_or_else(|| vec![150, 180, 210]),
    );
    overlay.set("scheduler.gamma", keys.number_or("lr_decay_rate", 0.1)?);
    Ok(())
}
