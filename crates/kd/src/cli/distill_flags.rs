//! The flags of everything with a student and a teacher.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use kd_losses::Method;
use kd_train::{CachePlace, OneOrMany, Overlay, Shorthand, from_yaml};

use super::candidates;
use super::error::CliError;
use super::flags::{Place, RunFlags};
use super::routing_flags::RoutingFlags;
use super::text_path::TextPath;

/// Networks, terms of the loss, routing, and how to run.
#[derive(Debug, Args)]
pub struct DistillFlags {
    /// Teacher network [default: inferred from its weights]; may be repeated, once for each
    /// --teacher-weights
    #[arg(long, value_name = "NAME", add = candidates::networks())]
    teacher: Vec<String>,
    /// Teacher weights: safetensors or a PyTorch checkpoint; may be repeated for an ensemble, which
    /// averages logits and needs methods that read no features (--set
    /// teacher.ensemble.average=probabilities averages probabilities)
    #[arg(long, value_name = "FILE", value_parser = TextPath, value_hint = ValueHint::FilePath)]
    teacher_weights: Vec<PathBuf>,
    /// Set of weights to load from the teacher's file, for example state_dict_ema [default: the most
    /// likely one, with a note if there are others]
    #[arg(long, value_name = "NAME")]
    teacher_weights_set: Option<String>,
    /// Ignore keys of the teacher's file that match a pattern, for example 'aux_head.*'; may be
    /// repeated
    #[arg(long, value_name = "PATTERN")]
    teacher_ignore_keys: Vec<String>,
    /// Student network; `kd models` lists them
    #[arg(long, value_name = "NAME", add = candidates::networks())]
    student: Option<String>,
    /// Distillation method, by name or with parameters as in `{ name: at, p: 4 }`; `kd methods`
    /// lists them. To combine several, list them under `losses` in a recipe
    #[arg(long, value_name = "METHOD", add = candidates::methods())]
    method: Option<String>,
    /// Weight of the cross-entropy with the labels [default: depends on the method]
    #[arg(
        short = 'r',
        long,
        value_name = "WEIGHT",
        allow_negative_numbers = true
    )]
    weight_ce: Option<f64>,
    /// Weight of logit distillation (the kd term) [default: depends on the method]
    #[arg(
        short = 'a',
        long,
        value_name = "WEIGHT",
        allow_negative_numbers = true
    )]
    weight_kd: Option<f64>,
    /// Weight of the method's own term [default: depends on the method]
    #[arg(
        short = 'b',
        long,
        value_name = "WEIGHT",
        allow_negative_numbers = true
    )]
    weight_method: Option<f64>,
    /// Temperature of logit distillation [default: 4]
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    temperature: Option<f64>,
    /// Standardize logits for logit distillation and multiply them by this factor [default: off]
    #[arg(
        long,
        alias = "standardise",
        value_name = "FACTOR",
        allow_negative_numbers = true
    )]
    standardize: Option<f64>,
    /// Fold the teacher's batch norms into its convolutions (faster; differs only by rounding)
    #[arg(long)]
    fold_teacher: bool,
    /// Cache the teacher's outputs in `memory`, or in a directory that later runs share: an image
    /// augmented the same way is computed only once. For methods that read only logits or pooled
    /// features; on the CPU, results do not change
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    teacher_cache: Option<String>,
    /// Size limit of the teacher cache in MiB [default: 4096]
    #[arg(long, alias = "teacher-cache-mb", value_name = "N")]
    teacher_cache_mib: Option<u64>,
    /// Number of epochs of each pretraining phase, for methods that have one [default: 1/8 of all
    /// epochs]
    #[arg(long, alias = "preliminary-epochs", value_name = "N")]
    pretrain_epochs: Option<usize>,
    #[command(flatten)]
    routing: RoutingFlags,
    #[command(flatten)]
    pub run: RunFlags,
}

impl DistillFlags {
    /// The flags over the recipe file.
    pub fn overlay(self) -> Result<(Overlay, Place), CliError> {
        let mut flags = Overlay::default();
        flags.set_some("teacher.network", list(self.teacher));
        flags.set_some("teacher.weights", list(self.teacher_weights));
        flags.set_some("teacher.weights_set", self.teacher_weights_set);
        let ignored = Some(self.teacher_ignore_keys).filter(|patterns| !patterns.is_empty());
        flags.set_some("teacher.ignore_keys", ignored);
        flags.set_some("teacher.fold", self.fold_teacher.then_some(true));
        flags.set_some("teacher.cache", self.teacher_cache.map(CachePlace::from));
        flags.set_some("teacher.cache_mib", self.teacher_cache_mib);
        flags.set_some("student.network", self.student);
        flags.set_some("train.pretrain_epochs", self.pretrain_epochs);
        self.routing.apply(&mut flags)?;
        let shorthand = Shorthand {
            method: self.method.map(|method| parse(&method)).transpose()?,
            ce: self.weight_ce,
            kd: self.weight_kd,
            own: self.weight_method,
            temperature: self.temperature,
            standardize: self.standardize,
        };
        self.run.overlay(|base| {
            let mut overlay = flags.over(base);
            overlay.shorthand(&shorthand)?;
            Ok(overlay)
        })
    }
}

/// What was given, if anything was.
fn list<T>(values: Vec<T>) -> Option<OneOrMany<T>> {
    (!values.is_empty()).then(|| values.into_iter().collect())
}

/// A method by its name, or with parameters as in a recipe.
fn parse(method: &str) -> Result<Method, CliError> {
    if !method.trim_start().starts_with('{') {
        return Ok(Method::by_name(method)?);
    }
    from_yaml(method).map_err(CliError::Method)
}
