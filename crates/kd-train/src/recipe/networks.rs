//! The networks.

use std::path::PathBuf;

use kd_models::Architecture;
use kd_models::weights::ReadOptions;
use serde::{Deserialize, Serialize};

use super::OneOrMany;
use crate::{CachePlace, EnsembleConfig, TrainError};

/// The network that is trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct StudentConfig {
    /// The network; required unless it can be inferred from the weights.
    pub network: Option<Architecture>,
    /// Weights to start from. Default: drawn from the seed.
    pub weights: Option<PathBuf>,
    /// Set of weights to load from that file, for example `state_dict_ema`. Default: the most likely
    /// one; see [`ReadOptions::set`].
    pub weights_set: Option<String>,
    /// Keys of that file to ignore, as patterns such as `aux_head.*`; see [`ReadOptions::ignore`].
    pub ignore_keys: Vec<String>,
}

impl StudentConfig {
    /// How its weights file is read.
    pub fn read_options(&self) -> ReadOptions {
        ReadOptions {
            set: self.weights_set.clone(),
            ignore: self.ignore_keys.clone(),
        }
    }

    pub(super) fn resolved(self) -> Self {
        Self {
            weights: self.weights.map(absolute),
            ..self
        }
    }
}

/// The network that the student learns from, or several: an ensemble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct TeacherConfig {
    /// The network, or one for each weights file. Default: inferred from the weights.
    pub network: Option<OneOrMany<Architecture>>,
    /// Its weights, safetensors or a PyTorch checkpoint; without them there is no teacher. A list is
    /// an ensemble, for losses that read logits alone.
    pub weights: Option<OneOrMany<PathBuf>>,
    /// Set of weights to load from these files, for example `state_dict_ema`. Default: the most likely
    /// one; see [`ReadOptions::set`].
    pub weights_set: Option<String>,
    /// Keys of these files to ignore, as patterns such as `aux_head.*`; see [`ReadOptions::ignore`].
    pub ignore_keys: Vec<String>,
    /// How an ensemble is averaged. Default: the plain mean of the logits.
    pub ensemble: Option<EnsembleConfig>,
    /// Whether to fold its batch norms into its convolutions (faster; differs only by rounding).
    pub fold: bool,
    /// Where to cache its outputs, `memory` or a directory, for losses that read only logits or pooled
    /// features. On the CPU, results do not change. Default: nowhere.
    pub cache: Option<CachePlace>,
    /// Size limit of the cached outputs in MiB.
    pub cache_mib: u64,
}

impl Default for TeacherConfig {
    fn default() -> Self {
        Self {
            network: None,
            weights: None,
            weights_set: None,
            ignore_keys: Vec::new(),
            ensemble: None,
            fold: false,
            cache: None,
            cache_mib: 4096,
        }
    }
}

impl TeacherConfig {
    /// How its weights files are read.
    pub fn read_options(&self) -> ReadOptions {
        ReadOptions {
            set: self.weights_set.clone(),
            ignore: self.ignore_keys.clone(),
        }
    }

    /// Whether there are several teachers.
    pub fn is_ensemble(&self) -> bool {
        self.weights.as_ref().is_some_and(|files| files.len() > 1)
    }

    pub(super) fn resolved(self) -> Result<Self, TrainError> {
        self.check()?;
        let ensemble = self.is_ensemble().then(Default::default);
        Ok(Self {
            weights: self.weights.map(|files| files.map(absolute)),
            ensemble: self.ensemble.or(ensemble),
            cache: self.cache.map(|place| match place {
                CachePlace::Folder(path) => CachePlace::Folder(absolute(path)),
                CachePlace::Memory => CachePlace::Memory,
            }),
            ..self
        })
    }

    fn check(&self) -> Result<(), TrainError> {
        let files = self.weights.as_ref().map_or(0, OneOrMany::len);
        if self.weights.as_ref().is_some_and(OneOrMany::is_empty) {
            let expected = "a file, or a list of files for an ensemble";
            return Err(TrainError::value("teacher.weights", "[]", expected));
        }
        let names = self.network.as_ref().map_or(0, OneOrMany::len);
        if files > 0 && self.network.is_some() && names != files {
            let expected = format!("one for each of the {files} files in teacher.weights");
            let found = format!("a list of {names}");
            return Err(TrainError::value("teacher.network", found, expected));
        }
        match &self.ensemble {
            Some(_) if files == 1 => Err(TrainError::conflict(
                "teacher.ensemble",
                "a single file in teacher.weights",
            )),
            Some(ensemble) if files > 1 => ensemble.shares(files).map(|_| ()),
            _ => Ok(()),
        }
    }
}

/// A path that stays right in another working directory.
pub(super) fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}
