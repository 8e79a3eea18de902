//! The networks.

use std::path::PathBuf;

use kd_models::Architecture;
use serde::{Deserialize, Serialize};

use crate::CachePlace;

/// The network that is trained.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StudentConfig {
    /// The network; required, unless the weights tell it.
    pub network: Option<Architecture>,
    /// Weights to start from. Default: drawn from the seed.
    pub weights: Option<PathBuf>,
}

impl StudentConfig {
    pub(super) fn resolved(self) -> Self {
        Self {
            weights: self.weights.map(absolute),
            ..self
        }
    }
}

/// The network that the student learns from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TeacherConfig {
    /// The network. Default: what its weights file says, or what its keys and shapes tell.
    pub network: Option<Architecture>,
    /// Its weights, safetensors or a PyTorch checkpoint; without them there is no teacher.
    pub weights: Option<PathBuf>,
    /// Whether its batch norms are folded into its convolutions: faster, and the same but for
    /// rounding.
    pub fold: bool,
    /// Where its outputs are kept, `memory` or a folder, for losses that read only logits or pooled
    /// features. On the CPU it does not change the numbers. Default: nowhere.
    pub cache: Option<CachePlace>,
    /// MiB that the kept outputs may take.
    pub cache_mib: u64,
}

impl Default for TeacherConfig {
    fn default() -> Self {
        Self {
            network: None,
            weights: None,
            fold: false,
            cache: None,
            cache_mib: 4096,
        }
    }
}

impl TeacherConfig {
    pub(super) fn resolved(self) -> Self {
        Self {
            weights: self.weights.map(absolute),
            cache: self.cache.map(|place| match place {
                CachePlace::Folder(path) => CachePlace::Folder(absolute(path)),
                CachePlace::Memory => CachePlace::Memory,
            }),
            ..self
        }
    }
}

/// A path that stays right in another working directory.
pub(super) fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}
