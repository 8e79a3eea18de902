//! Where the images come from.

use std::path::PathBuf;

use kd_data::{Cifar, Limits, ProceduralConfig, Splits};
use serde::{Deserialize, Serialize};

use crate::TrainError;

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
    /// All sources by their names.
    pub const NAMES: &[(&str, DataSource)] = &[
        ("procedural", DataSource::Procedural),
        ("cifar10", DataSource::Cifar10),
        ("cifar100", DataSource::Cifar100),
    ];

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            DataSource::Procedural => "procedural",
            DataSource::Cifar10 => "cifar10",
            DataSource::Cifar100 => "cifar100",
        }
    }

    /// Reads or draws the images.
    pub(crate) fn load(
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
            field: "root",
            hint: format!("name the folder that holds {} with --root", self.name()),
        })?;
        Ok(cifar.read(root, limits)?)
    }
}

impl std::str::FromStr for DataSource {
    type Err = TrainError;

    fn from_str(name: &str) -> Result<Self, TrainError> {
        Self::NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, source)| *source)
            .ok_or_else(|| {
                let known: Vec<&str> = Self::NAMES.iter().map(|(name, _)| *name).collect();
                TrainError::value("data", format!("`{name}`"), known.join(", "))
            })
    }
}
