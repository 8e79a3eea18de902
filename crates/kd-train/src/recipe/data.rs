//! The images.

use std::path::PathBuf;

use kd_data::{Cifar, Limits, ProceduralConfig, Splits};
use serde::{Deserialize, Serialize};

use super::networks::absolute;
use crate::TrainError;

/// The images of a recipe.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// The data set.
    pub name: DataSource,
    /// Folder of the data set's files; required for CIFAR.
    pub root: Option<PathBuf>,
    /// Use the first so many training images. Default: all.
    pub limit_train: Option<usize>,
    /// Use the first so many test images. Default: all.
    pub limit_test: Option<usize>,
    /// Images in a batch. Default: 64, and 32 for the procedural set.
    pub batch_size: Option<usize>,
    /// Threads that prepare batches; they do not change the numbers.
    pub workers: usize,
    /// How to draw the procedural set.
    pub procedural: Option<ProceduralConfig>,
}

impl DataConfig {
    pub(super) fn resolved(self) -> Result<Self, TrainError> {
        let procedural = self.name == DataSource::Procedural;
        if self.procedural.is_some() && !procedural {
            let name = format!("data.name: {}", self.name.name());
            return Err(TrainError::conflict("data.procedural", name));
        }
        TrainError::at_least_one("data.batch_size", self.batch_size)?;
        TrainError::at_least_one("data.limit_train", self.limit_train)?;
        TrainError::at_least_one("data.limit_test", self.limit_test)?;
        Ok(Self {
            root: self.root.map(absolute),
            batch_size: Some(self.batch_size.unwrap_or(if procedural { 32 } else { 64 })),
            procedural: procedural.then(|| self.procedural.unwrap_or_default()),
            ..self
        })
    }
}

/// The data sets that a recipe can name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataSource {
    /// The generated set, which needs no files.
    #[default]
    Procedural,
    /// CIFAR-10 in the official binary layout.
    Cifar10,
    /// CIFAR-100 in the official binary layout.
    Cifar100,
}

impl DataSource {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            DataSource::Procedural => "procedural",
            DataSource::Cifar10 => "cifar10",
            DataSource::Cifar100 => "cifar100",
        }
    }

    /// Reads or draws the images.
    pub(super) fn load(
        self,
        root: Option<&PathBuf>,
        procedural: &ProceduralConfig,
        limits: Limits,
    ) -> Result<Splits, TrainError> {
        let cifar = match self {
            DataSource::Procedural => {
                let mut config = procedural.clone();
                config.train = limits.train.map_or(config.train, |n| n.min(config.train));
                config.test = limits.test.map_or(config.test, |n| n.min(config.test));
                return Ok(config.generate()?);
            }
            DataSource::Cifar10 => Cifar::Cifar10,
            DataSource::Cifar100 => Cifar::Cifar100,
        };
        let root = root.ok_or_else(|| TrainError::Missing {
            field: "data.root",
            hint: format!("name the folder that holds {} with --root", self.name()),
        })?;
        Ok(cifar.read(root, limits)?)
    }
}
