//! The flags that all commands that run have in common.

use std::path::PathBuf;

use clap::Args;
use kd_models::Architecture;
use kd_train::{Draft, RunOptions};

use super::error::CliError;

/// What to run on.
#[derive(Debug, Args)]
pub struct DataFlags {
    /// Data set: procedural, cifar10 or cifar100 [default: procedural]
    #[arg(long, value_name = "NAME")]
    data: Option<String>,
    /// Folder of the data set's files
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Use the first N training images
    #[arg(long, value_name = "N")]
    limit_train: Option<usize>,
    /// Use the first N test images
    #[arg(long, value_name = "N")]
    limit_test: Option<usize>,
    /// Device: flex, ndarray, cuda[:i] or wgpu, as far as this build has them
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Compute with Burn's own operations on the CPU too, and not with the kernels of kd: slower,
    /// and the same but for rounding
    #[arg(long)]
    no_kernels: bool,
}

impl DataFlags {
    /// The flags as a draft. What is not of the recipe takes effect at once.
    pub fn draft(self) -> Result<Draft, CliError> {
        if self.no_kernels {
            kd_kernels::set_enabled(false);
        }
        Ok(Draft {
            data: self.data.map(|name| name.parse()).transpose()?,
            root: self.root,
            limit_train: self.limit_train,
            limit_test: self.limit_test,
            device: self.device,
            ..Draft::default()
        })
    }
}

/// How to run.
#[derive(Debug, Args)]
pub struct RunFlags {
    #[command(flatten)]
    data: DataFlags,
    /// Number of epochs [default: 240, or 7 for the procedural set]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Images in a batch [default: 64, or 32 for the procedural set]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Learning rate [default: 0.05]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    lr: Option<f64>,
    /// Epochs after which the learning rate falls, for example 150,180,210 [default: at 5/8, 6/8
    /// and 7/8 of all epochs]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    milestones: Option<Vec<usize>>,
    /// Factor on the learning rate at each milestone [default: 0.1]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    gamma: Option<f64>,
    /// Momentum [default: 0.9]
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    momentum: Option<f64>,
    /// Weight decay [default: 0.0005]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    weight_decay: Option<f64>,
    /// Use Nesterov's momentum
    #[arg(long)]
    nesterov: bool,
    /// Seed of initial weights, order and augmentation [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Threads that prepare batches; they do not change the numbers [default: 0]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Folder of the run [default: runs/…]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Continue the run that the folder holds
    #[arg(long)]
    resume: bool,
    /// Recipe in YAML; flags win over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Where to run.
#[derive(Debug)]
pub struct Place {
    out: Option<PathBuf>,
    resume: bool,
}

impl Place {
    /// The folder, or `runs/<name>`.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.out
            .clone()
            .unwrap_or_else(|| PathBuf::from("runs").join(name))
    }

    /// The options of a run whose folder is by default `runs/<name>`.
    pub fn options(&self, name: &str) -> RunOptions {
        RunOptions {
            out: self.folder(name),
            resume: self.resume,
        }
    }
}

impl RunFlags {
    /// The flags over the recipe file, under `special` (the command's own flags).
    pub fn draft(self, special: Draft) -> Result<(Draft, Place), CliError> {
        let file = match &self.config {
            Some(path) => Draft::read(path)?,
            None => Draft::default(),
        };
        let flags = Draft {
            epochs: self.epochs,
            batch_size: self.batch_size,
            lr: self.lr,
            milestones: self.milestones,
            gamma: self.gamma,
            momentum: self.momentum,
            weight_decay: self.weight_decay,
            nesterov: self.nesterov.then_some(true),
            seed: self.seed,
            workers: self.workers,
            ..self.data.draft()?
        };
        let place = Place {
            out: self.out,
            resume: self.resume,
        };
        Ok((special.over(flags).over(file), place))
    }
}

/// The architecture of a flag.
pub fn architecture(name: Option<String>) -> Result<Option<Architecture>, CliError> {
    Ok(name.map(|name| Architecture::by_name(&name)).transpose()?)
}
