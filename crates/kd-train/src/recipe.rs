//! Everything that a run depends on.

use std::path::{Path, PathBuf};

use kd_data::{Augmentation, Limits, ProceduralConfig, Splits};
use kd_losses::{LossWeights, Method, Preliminary};
use kd_models::Architecture;
use kd_spot::Routing;
use serde::{Deserialize, Serialize};

use crate::schedule::default_milestones;
use crate::{CachePlace, DataSource, RoutingCuts, TeacherCacheConfig, TrainError, default_device};

/// A complete recipe: repeating it repeats the run. Made by [`Draft::finish`].
///
/// Its YAML form is what [`Draft::read`] reads, with the same keys as the flags of the command
/// line.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recipe {
    /// The data set.
    pub data: DataSource,
    /// Folder of the data set's files.
    pub root: Option<PathBuf>,
    /// How to draw the procedural set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub procedural: Option<ProceduralConfig>,
    /// Use the first so many training images.
    pub limit_train: Option<usize>,
    /// Use the first so many test images.
    pub limit_test: Option<usize>,
    /// The network that is trained.
    pub student: Architecture,
    /// The teacher's architecture; may be absent if its weights file names it or tells it.
    pub teacher: Option<Architecture>,
    /// The teacher's weights; without them there is no teacher.
    pub teacher_weights: Option<PathBuf>,
    /// Whether the teacher's batch norms are folded into its convolutions: faster, and the same
    /// but for rounding.
    pub fold_teacher: bool,
    /// Where the teacher's outputs are kept, for methods that read only logits or pooled features;
    /// absent if they are computed each time. On the CPU it does not change the numbers.
    pub teacher_cache: Option<CachePlace>,
    /// MiB that the kept outputs may take.
    pub teacher_cache_mb: u64,
    /// The method.
    pub method: Option<Method>,
    /// Weight of the cross-entropy with the labels.
    pub weight_ce: f64,
    /// Weight of the distillation of logits.
    pub weight_kd: f64,
    /// Weight of the method's own term.
    pub weight_method: f64,
    /// Temperature of the distillation of logits.
    pub temperature: f64,
    /// Multiplier of the standardised logits in the distillation of logits; absent if they are
    /// taken as they are.
    pub standardise: Option<f64>,
    /// How the samples to distil are chosen.
    pub routing: Routing,
    /// Where routing cuts the networks, for all but `always`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_cuts: Option<RoutingCuts>,
    /// Probability of being distilled, for `random`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_probability: Option<f64>,
    /// Whether to distil at each spot, for `fixed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_gates: Option<Vec<bool>>,
    /// Temperature of the policy's choices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_temperature: Option<f64>,
    /// Factor of the routing objective.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_gamma: Option<f64>,
    /// Added to the policy's initial logits in favour of the teacher.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_bias: Option<f64>,
    /// Learning rate of policy and adapters; it falls at the milestones too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_lr: Option<f64>,
    /// Weight decay of policy and adapters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_weight_decay: Option<f64>,
    /// Learning rate of the teacher, for `joint`; it falls at the milestones too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub routing_teacher_lr: Option<f64>,
    /// Number of epochs.
    pub epochs: usize,
    /// Number of epochs of the method's preliminary phase, before the others.
    pub preliminary_epochs: usize,
    /// Images in a batch.
    pub batch_size: usize,
    /// Learning rate of SGD.
    pub lr: f64,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Weight decay of SGD.
    pub weight_decay: f64,
    /// Whether the momentum is Nesterov's.
    pub nesterov: bool,
    /// Epochs after which the learning rate is multiplied by `gamma`.
    pub milestones: Vec<usize>,
    /// Factor on the learning rate at each milestone.
    pub gamma: f64,
    /// What happens to the training images.
    pub augmentation: Augmentation,
    /// Seed of initial weights, order of images and augmentation.
    pub seed: u64,
    /// Threads that prepare batches; they do not change the numbers.
    pub workers: usize,
    /// The device.
    pub device: String,
}

/// Declares [`Draft`] with the merge that would otherwise repeat every field.
macro_rules! draft {
    ($($(#[$meta:meta])* $field:ident: $type:ty,)*) => {
        /// A recipe in the making: fields that are absent get their defaults in
        /// [`finish`](Draft::finish).
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Draft {
            $($(#[$meta])* pub $field: Option<$type>,)*
        }

        impl Draft {
            /// The fields of this draft, and those of `base` where this one has none.
            pub fn over(self, base: Self) -> Self {
                Self {
                    $($field: self.$field.or(base.$field),)*
                }
            }
        }
    };
}

draft! {
    /// The data set. Default: `procedural`.
    data: DataSource,
    /// Folder of the data set's files; required for CIFAR.
    root: PathBuf,
    /// How to draw the procedural set.
    procedural: ProceduralConfig,
    /// Use the first so many training images. Default: all.
    limit_train: usize,
    /// Use the first so many test images. Default: all.
    limit_test: usize,
    /// The network that is trained; required.
    student: Architecture,
    /// The teacher's architecture. Default: what its weights file says, or what its keys and shapes
    /// tell.
    teacher: Architecture,
    /// The teacher's weights, safetensors or a PyTorch checkpoint; required for distillation.
    teacher_weights: PathBuf,
    /// Fold the teacher's batch norms into its convolutions. Default: no.
    fold_teacher: bool,
    /// Keep the teacher's outputs in `memory` or in a folder. Default: no.
    teacher_cache: CachePlace,
    /// MiB that the kept outputs may take. Default: 4096.
    teacher_cache_mb: u64,
    /// The method. Default: none.
    method: Method,
    /// Weight of the cross-entropy (`-r`). Default: the method's.
    weight_ce: f64,
    /// Weight of the distillation of logits (`-a`). Default: the method's.
    weight_kd: f64,
    /// Weight of the method's term (`-b`). Default: the method's.
    weight_method: f64,
    /// Temperature of the distillation of logits. Default: 4.
    temperature: f64,
    /// Standardise the logits in the distillation of logits, with this multiplier. Default: no.
    standardise: f64,
    /// How the samples to distil are chosen. Default: `always`.
    routing: Routing,
    /// Where routing cuts the networks. Default: `auto`, where the method acts.
    routing_cuts: RoutingCuts,
    /// Probability of being distilled, for `random`. Default: 0.5.
    routing_probability: f64,
    /// Whether to distil at each spot, for `fixed`; required for it.
    routing_gates: Vec<bool>,
    /// Temperature of the policy's choices. Default: 5.
    routing_temperature: f64,
    /// Factor of the routing objective. Default: 1.
    routing_gamma: f64,
    /// Added to the policy's initial logits in favour of the teacher. Default: 0.
    routing_bias: f64,
    /// Learning rate of policy and adapters. Default: half of `lr`.
    routing_lr: f64,
    /// Weight decay of policy and adapters. Default: 1e-3.
    routing_weight_decay: f64,
    /// Learning rate of the teacher, for `joint`. Default: a hundredth of `lr`.
    routing_teacher_lr: f64,
    /// Number of epochs. Default: 240 for CIFAR, 7 for the procedural set.
    epochs: usize,
    /// Number of epochs of the method's preliminary phase. Default: an eighth of `epochs` (30 of
    /// 240, as in RepDistiller), rounded up, for methods that have one.
    preliminary_epochs: usize,
    /// Images in a batch. Default: 64 for CIFAR, 32 for the procedural set.
    batch_size: usize,
    /// Learning rate. Default: 0.05.
    lr: f64,
    /// Momentum, in `[0, 1)`. Default: 0.9.
    momentum: f64,
    /// Weight decay. Default: 5e-4.
    weight_decay: f64,
    /// Whether the momentum is Nesterov's. Default: false.
    nesterov: bool,
    /// Epochs after which the learning rate falls. Default: 5/8, 6/8 and 7/8 of all epochs.
    milestones: Vec<usize>,
    /// Factor on the learning rate at each milestone. Default: 0.1.
    gamma: f64,
    /// What happens to the training images. Default: crop with a padding of 4, and flip.
    augmentation: Augmentation,
    /// Seed. Default: 0.
    seed: u64,
    /// Threads that prepare batches. Default: 0.
    workers: usize,
    /// The device. Default: the first that this build has.
    device: String,
}

impl Draft {
    /// Reads a draft from a YAML file.
    ///
    /// # Errors
    ///
    /// [`TrainError::Io`] if the file cannot be read, [`TrainError::RecipeFile`] with the line and
    /// the key if it cannot be understood.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, TrainError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(|error| TrainError::io(path, error))?;
        serde_saphyr::from_str(&text).map_err(|error| TrainError::RecipeFile {
            path: path.to_owned(),
            reason: one_line(&error.without_snippet().to_string()),
        })
    }

    /// The same with all samples distilled.
    pub(crate) fn without_routing(self) -> Self {
        Self {
            routing: None,
            routing_cuts: None,
            routing_probability: None,
            routing_gates: None,
            routing_temperature: None,
            routing_gamma: None,
            routing_bias: None,
            routing_lr: None,
            routing_weight_decay: None,
            routing_teacher_lr: None,
            ..self
        }
    }

    /// Fills in the defaults and checks every value.
    ///
    /// # Errors
    ///
    /// [`TrainError::Value`] or [`TrainError::Missing`] naming the field.
    pub fn finish(self) -> Result<Recipe, TrainError> {
        let data = self.data.unwrap_or_default();
        let student = self.student.ok_or_else(|| TrainError::Missing {
            field: "student",
            hint: "name the network to train; `kd models` lists them".to_owned(),
        })?;
        let default_weights = match &self.method {
            Some(method) => method.info().weights,
            None => LossWeights::SUPERVISED,
        };
        let procedural = data == DataSource::Procedural;
        let epochs = self.epochs.unwrap_or(if procedural { 7 } else { 240 });
        let phase = self.method.as_ref().map(|method| method.info().preliminary);
        let preliminary = match phase {
            None | Some(Preliminary::None) => 0,
            Some(_) => epochs.div_ceil(8),
        };
        let lr = self.lr.unwrap_or(0.05);
        let routing = self.routing.unwrap_or_default();
        // A value that is not given has its default where it has a meaning.
        let policy =
            |value: Option<f64>, default: f64| value.or(routing.has_policy().then_some(default));
        let only = |mode: Routing, value: Option<f64>, default: f64| {
            value.or((routing == mode).then_some(default))
        };
        let recipe = Recipe {
            data,
            root: self.root.map(absolute),
            procedural: procedural.then(|| self.procedural.unwrap_or_default()),
            limit_train: self.limit_train,
            limit_test: self.limit_test,
            student,
            teacher: self.teacher,
            teacher_weights: self.teacher_weights.map(absolute),
            fold_teacher: self.fold_teacher.unwrap_or(false),
            teacher_cache: self.teacher_cache.map(|place| match place {
                CachePlace::Folder(path) => CachePlace::Folder(absolute(path)),
                CachePlace::Memory => CachePlace::Memory,
            }),
            teacher_cache_mb: self.teacher_cache_mb.unwrap_or(4096),
            method: self.method,
            weight_ce: self.weight_ce.unwrap_or(default_weights.ce),
            weight_kd: self.weight_kd.unwrap_or(default_weights.kd),
            weight_method: self.weight_method.unwrap_or(default_weights.method),
            temperature: self.temperature.unwrap_or(4.0),
            standardise: self.standardise,
            routing,
            routing_cuts: match routing {
                Routing::Always => self.routing_cuts,
                _ => Some(self.routing_cuts.unwrap_or_default()),
            },
            routing_probability: only(Routing::Random, self.routing_probability, 0.5),
            routing_gates: self.routing_gates,
            routing_temperature: policy(self.routing_temperature, 5.0),
            routing_gamma: policy(self.routing_gamma, 1.0),
            routing_bias: policy(self.routing_bias, 0.0),
            routing_lr: policy(self.routing_lr, lr / 2.0),
            routing_weight_decay: policy(self.routing_weight_decay, 1e-3),
            routing_teacher_lr: only(Routing::Joint, self.routing_teacher_lr, lr / 100.0),
            epochs,
            preliminary_epochs: self.preliminary_epochs.unwrap_or(preliminary),
            batch_size: self.batch_size.unwrap_or(if procedural { 32 } else { 64 }),
            lr,
            momentum: self.momentum.unwrap_or(0.9),
            weight_decay: self.weight_decay.unwrap_or(5e-4),
            nesterov: self.nesterov.unwrap_or(false),
            milestones: self
                .milestones
                .unwrap_or_else(|| default_milestones(epochs)),
            gamma: self.gamma.unwrap_or(0.1),
            augmentation: self.augmentation.unwrap_or(Augmentation::CIFAR),
            seed: self.seed.unwrap_or(0),
            workers: self.workers.unwrap_or(0),
            device: match self.device {
                Some(device) => device,
                None => default_device().to_owned(),
            },
        };
        recipe.check()?;
        Ok(recipe)
    }
}

impl Recipe {
    /// The weights of the loss parts.
    pub fn weights(&self) -> LossWeights {
        LossWeights {
            ce: self.weight_ce,
            kd: self.weight_kd,
            method: self.weight_method,
        }
    }

    /// The cache of the teacher's outputs, if there is to be one.
    pub fn cache(&self) -> Option<TeacherCacheConfig> {
        let place = self.teacher_cache.clone()?;
        let limit = self.teacher_cache_mb.saturating_mul(1 << 20);
        Some(TeacherCacheConfig { place, limit })
    }

    /// Reads or draws the images.
    ///
    /// # Errors
    ///
    /// [`TrainError::Data`] naming the file, or [`TrainError::Missing`] if the root is.
    pub fn load_data(&self) -> Result<Splits, TrainError> {
        let limits = Limits {
            train: self.limit_train,
            test: self.limit_test,
        };
        let procedural = self.procedural.clone().unwrap_or_default();
        self.data.load(self.root.as_ref(), &procedural, limits)
    }

    fn check(&self) -> Result<(), TrainError> {
        let at_least_one = |field, value: usize| match value {
            0 => Err(TrainError::value(field, 0, "at least 1")),
            _ => Ok(()),
        };
        at_least_one("epochs", self.epochs)?;
        at_least_one("batch_size", self.batch_size)?;
        at_least_one("limit_train", self.limit_train.unwrap_or(1))?;
        at_least_one("limit_test", self.limit_test.unwrap_or(1))?;
        for (field, value) in [
            ("lr", self.lr),
            ("temperature", self.temperature),
            ("gamma", self.gamma),
            ("standardise", self.standardise.unwrap_or(1.0)),
        ] {
            if !(value.is_finite() && value > 0.0) {
                return Err(TrainError::value(field, value, "a finite number above 0"));
            }
        }
        for (field, value) in [
            ("weight_ce", self.weight_ce),
            ("weight_kd", self.weight_kd),
            ("weight_method", self.weight_method),
            ("weight_decay", self.weight_decay),
        ] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(TrainError::value(
                    field,
                    value,
                    "a finite number, at least 0",
                ));
            }
        }
        if !(0.0..1.0).contains(&self.momentum) {
            return Err(TrainError::value(
                "momentum",
                self.momentum,
                "at least 0 and below 1",
            ));
        }
        if self.nesterov && self.momentum == 0.0 {
            return Err(TrainError::value(
                "nesterov",
                true,
                "possible without momentum",
            ));
        }
        if !self.milestones.is_sorted_by(|a, b| a < b) {
            let found = format!("{:?}", self.milestones);
            return Err(TrainError::value(
                "milestones",
                found,
                "an increasing list of epochs",
            ));
        }
        if let Some(method) = &self.method
            && matches!(method, Method::Kd(_))
            && self.weight_method != 0.0
        {
            let expected = format!("0, as `{}` has no term of its own", method.name());
            return Err(TrainError::value(
                "weight_method",
                self.weight_method,
                expected,
            ));
        }
        let phase = self.method.as_ref().map(|method| method.info().preliminary);
        if self.preliminary_epochs > 0 && matches!(phase, None | Some(Preliminary::None)) {
            return Err(TrainError::value(
                "preliminary_epochs",
                self.preliminary_epochs,
                "0, as the method has no preliminary phase",
            ));
        }
        self.check_routing()?;
        if self.teacher_weights.is_none() {
            let hint = "train a teacher with `kd train` and name its student.safetensors here";
            let cache = self.teacher_cache.is_some();
            let routed = self.routing != Routing::Always;
            let teacher = self.teacher.is_some() || self.fold_teacher || cache || routed;
            if self.method.is_some() || teacher {
                return Err(TrainError::Missing {
                    field: "teacher_weights",
                    hint: hint.to_owned(),
                });
            }
            if self.weight_kd != 0.0 || self.weight_method != 0.0 {
                return Err(TrainError::Missing {
                    field: "teacher_weights",
                    hint: format!("weight_kd and weight_method need a teacher; {hint}"),
                });
            }
        }
        Ok(())
    }

    /// Checks that the options of routing are those of its kind, and their values.
    fn check_routing(&self) -> Result<(), TrainError> {
        let routing = self.routing;
        let policy = routing.has_policy();
        for (field, given, meant) in [
            (
                "routing_cuts",
                self.routing_cuts.is_some(),
                routing != Routing::Always,
            ),
            (
                "routing_probability",
                self.routing_probability.is_some(),
                routing == Routing::Random,
            ),
            (
                "routing_gates",
                self.routing_gates.is_some(),
                routing == Routing::Fixed,
            ),
            (
                "routing_temperature",
                self.routing_temperature.is_some(),
                policy,
            ),
            ("routing_gamma", self.routing_gamma.is_some(), policy),
            ("routing_bias", self.routing_bias.is_some(), policy),
            ("routing_lr", self.routing_lr.is_some(), policy),
            (
                "routing_weight_decay",
                self.routing_weight_decay.is_some(),
                policy,
            ),
            (
                "routing_teacher_lr",
                self.routing_teacher_lr.is_some(),
                routing == Routing::Joint,
            ),
        ] {
            if given && !meant {
                let expected = format!("possible with the routing `{}`", routing.name());
                return Err(TrainError::value(field, "a value", expected));
            }
        }
        for (field, value) in [
            ("routing_temperature", self.routing_temperature),
            ("routing_gamma", self.routing_gamma),
            ("routing_lr", self.routing_lr),
            ("routing_teacher_lr", self.routing_teacher_lr),
        ] {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                return Err(TrainError::value(field, value, "a finite number above 0"));
            }
        }
        let decay = self.routing_weight_decay;
        if let Some(value) = decay.filter(|value| !(value.is_finite() && *value >= 0.0)) {
            let expected = "a finite number, at least 0";
            return Err(TrainError::value("routing_weight_decay", value, expected));
        }
        if let Some(value) = self.routing_bias.filter(|value| !value.is_finite()) {
            return Err(TrainError::value("routing_bias", value, "a finite number"));
        }
        let probability = self.routing_probability;
        if let Some(value) = probability.filter(|value| !(0.0..=1.0).contains(value)) {
            return Err(TrainError::value(
                "routing_probability",
                value,
                "between 0 and 1",
            ));
        }
        if routing == Routing::Fixed && self.routing_gates.is_none() {
            return Err(TrainError::Missing {
                field: "routing_gates",
                hint: "say for each spot whether to distil there, as in [true, false]".to_owned(),
            });
        }
        let distils = self.weight_kd != 0.0 || self.weight_method != 0.0;
        if routing != Routing::Always && self.teacher_weights.is_some() && !distils {
            let expected = "possible without distillation: give -a or -b a weight";
            return Err(TrainError::value("routing", routing.name(), expected));
        }
        if routing == Routing::Joint && self.teacher_cache.is_some() {
            let expected = "possible with a teacher that is trained";
            return Err(TrainError::value("teacher_cache", "a cache", expected));
        }
        Ok(())
    }
}

fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn student() -> Draft {
        Draft {
            student: Architecture::by_name("resnet8").ok(),
            ..Draft::default()
        }
    }

    fn message(draft: Draft) -> String {
        draft.finish().expect_err("a bad recipe").to_string()
    }

    #[test]
    fn flags_win_over_the_file() {
        let file: Draft =
            serde_saphyr::from_str("student: resnet20\nepochs: 3\nlr: 0.1").expect("a draft");
        let flags = Draft {
            epochs: Some(7),
            ..Draft::default()
        };
        let recipe = flags.over(file).finish().expect("a recipe");
        assert_eq!((recipe.epochs, recipe.lr), (7, 0.1));
        assert_eq!(recipe.milestones, [4, 5, 6]);
    }

    #[test]
    fn a_recipe_written_is_the_recipe_read() {
        let draft = Draft {
            method: Method::by_name("at").ok(),
            teacher_weights: Some("/weights/teacher.safetensors".into()),
            teacher_cache: Some(CachePlace::Folder("/outputs".into())),
            nesterov: Some(true),
            limit_train: Some(100),
            seed: Some(u64::MAX),
            ..student()
        };
        let recipe = draft.finish().expect("a recipe");
        let text = serde_saphyr::to_string(&recipe).expect("YAML");
        let again: Draft = serde_saphyr::from_str(&text).expect("the same YAML");
        assert_eq!(again.finish().expect("a recipe"), recipe, "{text}");
    }

    #[test]
    fn the_method_brings_its_weights() {
        let recipe = Draft {
            method: Method::by_name("kd").ok(),
            teacher_weights: Some("t".into()),
            weight_ce: Some(0.5),
            ..student()
        }
        .finish()
        .expect("a recipe");
        assert_eq!((recipe.weight_ce, recipe.weight_kd), (0.5, 0.9));
    }

    #[test]
    fn bad_values_name_their_field() {
        let lr = |lr| Draft {
            lr: Some(lr),
            ..student()
        };
        assert_eq!(
            message(lr(f64::NAN)),
            "lr: NaN is not a finite number above 0"
        );
        assert!(message(lr(-1.0)).starts_with("lr: -1"));
        assert_eq!(
            message(Draft {
                batch_size: Some(0),
                ..student()
            }),
            "batch_size: 0 is not at least 1"
        );
        assert!(
            message(Draft {
                milestones: Some(vec![3, 2]),
                ..student()
            })
            .starts_with("milestones: [3, 2]")
        );
        assert!(message(Draft::default()).starts_with("student: missing"));
        assert_eq!(
            message(Draft {
                method: Method::by_name("kd").ok(),
                teacher_weights: Some("t".into()),
                weight_method: Some(5.0),
                ..student()
            }),
            "weight_method: 5 is not 0, as `kd` has no term of its own"
        );
        assert!(
            message(Draft {
                method: Method::by_name("at").ok(),
                ..student()
            })
            .starts_with("teacher_weights: missing")
        );
    }
}
