//! The flags that all commands that run have in common, as an overlay on a recipe.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, ValueHint};
use kd_models::Architecture;
use kd_models::weights::ReadOptions;
use kd_recipes::Needs;
use kd_train::{Overlay, Recipe, Resume, RunOptions};

use super::base::Base;
use super::candidates::{self, values_of};
use super::error::CliError;
use super::milestones::Milestones;
use super::text_path::TextPath;

/// What to run on.
#[derive(Debug, Args)]
pub struct DataFlags {
    /// Data set: procedural, cifar10, cifar100, tiny-imagenet, imagenet, or folder (any directory
    /// with train/CLASS/*.jpg and val/CLASS/*.jpg, or .png) [default: procedural]
    #[arg(long, value_name = "NAME", add = values_of("data.name"))]
    data: Option<String>,
    /// Directory of the data set
    #[arg(long, value_name = "DIR", value_parser = TextPath, value_hint = ValueHint::DirPath)]
    root: Option<PathBuf>,
    /// Download the public archive of cifar10, cifar100 or tiny-imagenet if its files are missing
    #[arg(long)]
    download: bool,
    /// Hold out this fraction of the training images and evaluate on it instead of the test images,
    /// for example 0.1: tune with it, report without it
    #[arg(long, value_name = "FRACTION", allow_negative_numbers = true)]
    dev_split: Option<f64>,
    /// Normalization statistics: cifar10, cifar10-zoo, cifar100, cifar100-zoo, tiny-imagenet or
    /// imagenet [default: those of the data set]
    #[arg(long, value_name = "NAME", add = values_of("data.normalization"))]
    normalization: Option<String>,
    /// Use only the first N training images
    #[arg(long, value_name = "N")]
    limit_train: Option<usize>,
    /// Use only the first N test images
    #[arg(long, value_name = "N")]
    limit_test: Option<usize>,
    /// Device: flex, ndarray, cuda[:N] or wgpu[:N]; `kd devices` lists those available
    #[arg(long, value_name = "NAME", add = candidates::devices())]
    device: Option<String>,
    /// Precision of convolutions: f32, or bf16 (GPUs only) [default: f32]
    #[arg(long, value_name = "NAME", add = values_of("compute.precision"))]
    precision: Option<String>,
    /// Number of CPU threads [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Disable kd's own kernels (slower; differs only by rounding)
    #[arg(long)]
    no_kernels: bool,
    /// Record a training step on the GPU and replay it: auto, on or off [default: auto]
    #[arg(long, value_name = "MODE", add = values_of("compute.graph"))]
    graph: Option<String>,
}

impl DataFlags {
    /// The flags as an overlay.
    pub fn overlay(self) -> Overlay {
        let mut overlay = Overlay::default();
        overlay.set_some("data.name", self.data);
        overlay.set_some("data.root", self.root);
        overlay.set_some("data.normalization", self.normalization);
        overlay.set_some("data.download", self.download.then_some(true));
        overlay.set_some("data.dev_split", self.dev_split);
        overlay.set_some("data.limit_train", self.limit_train);
        overlay.set_some("data.limit_test", self.limit_test);
        set_device(&mut overlay, self.device);
        overlay.set_some("compute.precision", self.precision);
        overlay.set_some("compute.threads", self.threads);
        overlay.set_some("compute.kernels", self.no_kernels.then_some(false));
        overlay.set_some("compute.graph", self.graph);
        overlay
    }
}

/// Where images are and what computes, for commands whose runs say the rest.
#[derive(Debug, Args)]
pub struct PlaceFlags {
    /// Folder of the data set's files, if it is another than the runs had
    #[arg(long, value_name = "DIR", value_parser = TextPath)]
    root: Option<PathBuf>,
    /// Device: flex, ndarray, cuda[:i] or wgpu, as far as this build has them [default: that of the
    /// runs]
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Number of CPU threads [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

impl PlaceFlags {
    /// The flags as an overlay.
    pub fn overlay(self) -> Overlay {
        let mut overlay = Overlay::default();
        overlay.set_some("data.root", self.root);
        set_device(&mut overlay, self.device);
        overlay.set_some("compute.threads", self.threads);
        overlay
    }
}

/// One device, instead of several of a recipe.
pub fn set_device(overlay: &mut Overlay, device: Option<String>) {
    if let Some(device) = device {
        overlay.set("compute.device", device);
        overlay.set("compute.devices", Vec::<String>::new());
    }
}

/// Which weights of a file to take.
#[derive(Debug, Args)]
pub struct ReadFlags {
    /// Set of weights to load from the file, for example state_dict_ema or student [default: the
    /// most likely one, with a note if there are others]
    #[arg(long, value_name = "NAME")]
    weights_set: Option<String>,
    /// Ignore keys of the file that match a pattern, for example 'aux_head.*'; may be repeated
    #[arg(long, value_name = "PATTERN")]
    ignore_keys: Vec<String>,
}

impl ReadFlags {
    pub fn options(self) -> ReadOptions {
        ReadOptions {
            set: self.weights_set,
            ignore: self.ignore_keys,
        }
    }
}

/// How to run.
#[derive(Debug, Args)]
pub struct RunFlags {
    #[command(flatten)]
    data: DataFlags,
    /// Train on several devices, each on its part of every batch, for example cuda:0,cuda:1
    #[arg(long, value_name = "LIST", value_delimiter = ',', action = ArgAction::Set, conflicts_with = "device", add = candidates::devices())]
    devices: Option<Vec<String>>,
    /// Number of epochs [default: 240, or 7 for the procedural set]
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Batch size [default: 64, or 32 for the procedural set]
    #[arg(long, value_name = "N")]
    batch_size: Option<usize>,
    /// Optimizer: sgd, adam or adamw [default: sgd]
    #[arg(long, value_name = "NAME", add = values_of("optimizer.name"))]
    optimizer: Option<String>,
    /// Learning rate [default: 0.05, or 0.001 for Adam]
    #[arg(long, value_name = "RATE", allow_negative_numbers = true)]
    lr: Option<f64>,
    /// Learning rate schedule: multistep, cosine, linear, onecycle or constant [default: multistep]
    #[arg(long, value_name = "NAME", add = values_of("scheduler.name"))]
    scheduler: Option<String>,
    /// Epochs after which the learning rate drops, for example 150,180,210, or none [default: after
    /// 5/8, 6/8 and 7/8 of all epochs]
    #[arg(long, value_name = "LIST")]
    milestones: Option<Milestones>,
    /// Factor applied to the learning rate at each milestone [default: 0.1]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    gamma: Option<f64>,
    /// Momentum of SGD [default: 0.9]
    #[arg(long, value_name = "M", allow_negative_numbers = true)]
    momentum: Option<f64>,
    /// Weight decay [default: 0.0005, or 0.01 for AdamW]
    #[arg(long, value_name = "DECAY", allow_negative_numbers = true)]
    weight_decay: Option<f64>,
    /// Use Nesterov momentum
    #[arg(long)]
    nesterov: bool,
    /// Start from these weights: safetensors or a PyTorch checkpoint
    #[arg(long, value_name = "FILE", value_parser = TextPath, value_hint = ValueHint::FilePath)]
    student_weights: Option<PathBuf>,
    /// Seed of the initial weights, the order of images and augmentation [default: 0]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Number of threads that prepare batches; does not affect results [default: 0]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Run directory [default: runs/NAME, by the name of the recipe]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
    /// Continue the run in the run directory; with =auto, start it if there is none. Images and
    /// weights may have moved if they are unchanged
    #[arg(
        long,
        value_name = "auto",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "required",
        hide_possible_values = true
    )]
    resume: Option<ResumeFlag>,
    /// With --resume: train for more epochs than the run was started with. Milestones stay unless
    /// --milestones moves them; other schedules become those of the longer run
    #[arg(long, requires = "resume")]
    extend: bool,
    /// Recipe in YAML, or a config file of spot-adaptive-pytorch, ASKD or mdistiller; flags take
    /// precedence
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    config: Option<PathBuf>,
    /// Recipe of a published experiment; `kd recipes` lists them. --config and flags take precedence
    #[arg(long, value_name = "NAME", add = candidates::recipes())]
    recipe: Option<String>,
    /// What the recipe file is laid over.
    #[arg(skip)]
    pub base: Base,
    /// Set any key of the recipe, for example optimizer.clip_norm=5 or losses.1.temperature=2; may
    /// be repeated (`kd recipe` shows all keys)
    #[arg(long = "set", value_name = "KEY=VALUE", add = candidates::assignments())]
    assignments: Vec<String>,
}

/// Whether a run is continued.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum ResumeFlag {
    /// It has to be there.
    Required,
    /// If it is there.
    Auto,
}

impl From<ResumeFlag> for Resume {
    fn from(flag: ResumeFlag) -> Self {
        match flag {
            ResumeFlag::Required => Self::Required,
            ResumeFlag::Auto => Self::IfThere,
        }
    }
}

/// Where to run.
#[derive(Debug)]
pub struct Place {
    out: Option<PathBuf>,
    resume: Resume,
    extend: bool,
    /// The recipe that trains the teacher.
    needs: Option<Needs>,
    /// Epochs, if a flag says how many.
    epochs: Option<usize>,
}

impl Place {
    /// The folder, or `runs/<name>`.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.out
            .clone()
            .unwrap_or_else(|| PathBuf::from("runs").join(name))
    }

    /// The options of a run. Its folder is by default `runs/<name>`, by the recipe's name, or what
    /// it is called if it has none.
    pub fn options(&self, recipe: &Recipe, called: fn(&Recipe) -> String) -> RunOptions {
        let name = recipe.name.clone().unwrap_or_else(|| called(recipe));
        RunOptions {
            out: self.folder(&name),
            resume: self.resume,
            extend: self.extend,
        }
    }

    /// The options of a run that is needed for this one: its folder is beside.
    pub fn beside(&self, name: &str) -> RunOptions {
        let parent = self.out.as_deref().and_then(Path::parent);
        RunOptions::new(match parent {
            Some(parent) => parent.join(name),
            None => PathBuf::from("runs").join(name),
        })
    }

    /// The teacher that has to be there, unless the recipe names its weights.
    pub fn needs(&self, overlay: &Overlay) -> Option<(&Needs, Option<usize>)> {
        let needs = self.needs.as_ref()?;
        (!overlay.has("teacher.weights")).then_some((needs, self.epochs))
    }
}

impl RunFlags {
    /// The flags over the recipe file, under `special` (the command's own flags), with assignments
    /// on top of all.
    pub fn overlay(
        self,
        special: impl FnOnce(Overlay) -> Result<Overlay, CliError>,
    ) -> Result<(Overlay, Place), CliError> {
        let base = match &self.recipe {
            Some(_) if self.base.is_foreign() => return Err(CliError::TwoRecipes),
            Some(name) => Base::named(name)?,
            None => self.base,
        };
        let base = base.shortened(self.epochs);
        let file = match &self.config {
            Some(path) => Overlay::read(path)?.over(base.overlay),
            None => base.overlay,
        };
        let mut flags = self.data.overlay();
        if let Some(devices) = self.devices {
            flags.set_some("compute.device", devices.first().cloned());
            flags.set("compute.devices", devices);
        }
        flags.set_some("train.epochs", self.epochs);
        flags.set_some("train.seed", self.seed);
        flags.set_some("data.batch_size", self.batch_size);
        flags.set_some("data.workers", self.workers);
        flags.set_some("student.weights", self.student_weights);
        flags.set_some("optimizer.name", self.optimizer);
        flags.set_some("optimizer.lr", self.lr);
        flags.set_some("optimizer.momentum", self.momentum);
        flags.set_some("optimizer.weight_decay", self.weight_decay);
        flags.set_some("optimizer.nesterov", self.nesterov.then_some(true));
        flags.set_some("scheduler.name", self.scheduler);
        flags.set_some("scheduler.milestones", self.milestones.map(|list| list.0));
        flags.set_some("scheduler.gamma", self.gamma);
        let mut overlay = special(flags.over(file))?;
        for assignment in &self.assignments {
            overlay.assign(assignment)?;
        }
        let place = Place {
            out: self.out.or(base.out),
            resume: self.resume.map_or(Resume::No, Resume::from),
            extend: self.extend,
            needs: base.needs,
            epochs: self.epochs,
        };
        Ok((overlay, place))
    }
}

/// The architecture of a flag.
pub fn architecture(name: Option<String>) -> Result<Option<Architecture>, CliError> {
    Ok(name.map(|name| Architecture::by_name(&name)).transpose()?)
}
