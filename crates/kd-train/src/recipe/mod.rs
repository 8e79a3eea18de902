//! Everything that a run depends on.

mod compute;
mod data;
mod difference;
mod legacy;
mod networks;
mod one_or_many;
mod overlay;
mod paths;
mod scheduler;
#[cfg(feature = "schema")]
mod schema;
mod shorthand;
mod train;

use kd_data::{Augmentation, Splits};
use kd_losses::{LossConfig, Method, Pretrain, TermConfig};
use kd_spot::{RoutingConfig, RoutingMode};
use serde::{Deserialize, Serialize};

pub use compute::{ComputeConfig, Dtype, GraphMode, Precision};
pub use data::{DataConfig, DataSource};
pub use difference::Difference;
pub use networks::{StudentConfig, TeacherConfig};
pub use one_or_many::OneOrMany;
pub use overlay::Overlay;
pub(crate) use scheduler::default_milestones;
pub use scheduler::{Schedule, SchedulerConfig, SchedulerName};
pub use shorthand::Shorthand;
pub use train::TrainConfig;

use crate::task::{check_logits_are_enough, check_mutual};
use crate::{OptimizerConfig, TaskConfig, TrainError};

/// Everything that a run depends on: repeating it repeats the run.
///
/// Each section is a struct of its own, whose fields are the keys of a file and of
/// [`Overlay::assign`]. Fields that are `None` have a default that depends on others;
/// [`resolved`](Self::resolved) fills it in.
///
/// ```
/// use kd_train::Recipe;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut recipe = Recipe::new("resnet8".parse()?);
/// recipe.train.epochs = Some(8);
/// recipe.optimizer.lr = Some(0.1);
/// let recipe = recipe.resolved()?;
/// assert_eq!(recipe.scheduler.milestones.as_deref(), Some(&[5, 6, 7][..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// The name of the recipe, for tables; does not affect results.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The images.
    pub data: DataConfig,
    /// The network that is trained.
    pub student: StudentConfig,
    /// Further networks, for mutual learning: each learns from the labels and from all others, the
    /// student being the first. Default: none.
    pub peers: Vec<StudentConfig>,
    /// The network that the student learns from.
    pub teacher: TeacherConfig,
    /// The terms of the loss. Default: cross-entropy with the labels, and `dml` if there are peers.
    pub losses: Vec<TermConfig>,
    /// Which samples are distilled where.
    pub routing: RoutingConfig,
    /// The optimizer.
    pub optimizer: OptimizerConfig,
    /// The learning rate over time.
    pub scheduler: SchedulerConfig,
    /// Augmentation of the training images. Default: the standard of the data set.
    pub augmentation: Option<Augmentation>,
    /// Length and seed of the training.
    pub train: TrainConfig,
    /// Device and number types.
    pub compute: ComputeConfig,
}

/// What a run has beside its recipe: see [`run_with`](crate::run_with).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside {
    /// A teacher.
    pub(crate) teacher: bool,
    /// Further networks, for mutual learning.
    pub(crate) peers: bool,
    /// A term that compares with it, with a weight.
    pub(crate) distills: bool,
    /// A term with a phase before the main one.
    pub(crate) pretrains: bool,
}

impl Recipe {
    /// Training of a network on labels alone, on the procedural images.
    pub fn new(student: kd_models::Architecture) -> Self {
        Self {
            student: StudentConfig {
                network: Some(student),
                ..StudentConfig::default()
            },
            ..Self::default()
        }
    }

    /// Sets the teacher's weights and the terms of the loss: the common list of a method, with its
    /// default weights.
    pub fn with_method(mut self, method: Method, teacher: impl Into<std::path::PathBuf>) -> Self {
        self.teacher.weights = Some(OneOrMany::from(teacher.into()));
        self.losses = Shorthand {
            method: Some(method),
            ..Shorthand::default()
        }
        .terms();
        self
    }

    /// The same recipe with all defaults filled in and every value checked. Resolving it again
    /// changes nothing.
    ///
    /// # Errors
    ///
    /// [`TrainError::Value`], [`TrainError::Missing`] or [`TrainError::Conflict`] naming the field.
    pub fn resolved(self) -> Result<Self, TrainError> {
        self.resolved_beside(Beside::default())
    }

    /// The same for a run that has networks and losses of its own.
    pub(crate) fn resolved_beside(self, beside: Beside) -> Result<Self, TrainError> {
        let mutual = beside.peers || !self.peers.is_empty();
        let losses = match self.losses.is_empty() {
            true => Shorthand {
                method: mutual.then(|| Method::Dml(Default::default())),
                ..Shorthand::default()
            }
            .terms(),
            false => self.losses,
        };
        let small = self.data.name == DataSource::Procedural;
        let pretrains = |term: &TermConfig| term.loss.pretrain() != Pretrain::None;
        let pretrains = beside.pretrains || losses.iter().any(pretrains);
        let train = self.train.resolved(small, pretrains)?;
        let epochs = train.epochs.unwrap_or_default();
        let optimizer = self.optimizer.resolved()?;
        let data = self.data.resolved()?;
        let recipe = Self {
            augmentation: self.augmentation.or(data.augmentation()),
            data,
            student: self.student.resolved(),
            peers: self
                .peers
                .into_iter()
                .map(StudentConfig::resolved)
                .collect(),
            teacher: self.teacher.resolved()?,
            routing: self.routing.resolved(optimizer.rate())?,
            scheduler: self.scheduler.resolved(epochs)?,
            compute: self.compute.resolved()?,
            losses,
            optimizer,
            train,
            ..self
        };
        recipe.check(beside)?;
        recipe.check_paths()?;
        Ok(recipe)
    }

    /// Whether the student has a teacher.
    pub fn distills(&self) -> bool {
        self.teacher.weights.is_some()
    }

    /// The terms of a distillation: all but those of the labels, with a weight.
    pub(crate) fn distilling(&self) -> impl Iterator<Item = &TermConfig> {
        use kd_losses::Site;
        let terms = self.losses.iter();
        terms.filter(|term| term.loss.requirements().site != Site::Labels)
    }

    /// What the task is made of, for losses of this crate or any kind that holds them.
    pub fn task<C: LossConfig + From<Method>>(&self) -> TaskConfig<C> {
        let term = |term: &TermConfig| TermConfig {
            loss: term.loss.clone().into(),
            weight: term.weight,
            label: term.label.clone(),
        };
        TaskConfig {
            losses: self.losses.iter().map(term).collect(),
            routing: self.routing.clone(),
            optimizer: self.optimizer.clone(),
            fold_teacher: self.teacher.fold,
            ema_decay: self.train.ema_decay,
        }
    }

    /// Reads or draws the images; see [`DataConfig`].
    ///
    /// # Errors
    ///
    /// [`TrainError::Data`] naming the file, or [`TrainError::Missing`] if the root is.
    pub fn load_data(&self) -> Result<Splits, TrainError> {
        self.data.load(self.train.seed)
    }

    /// Images of the shape and number of those that the recipe names, which need not be there.
    pub(crate) fn load_sample(&self) -> Result<Splits, TrainError> {
        self.data.load_sample(self.train.seed)
    }

    /// What happens to training images of a size `[H, W]`.
    pub(crate) fn augmentation(&self, size: [usize; 2]) -> Augmentation {
        let standard = || self.data.augmentation();
        let augmentation = self.augmentation.or_else(standard);
        augmentation.unwrap_or_else(|| Augmentation::crop_flip(size[0].min(size[1]).div_ceil(8)))
    }

    /// What concerns more than one section.
    fn check(&self, beside: Beside) -> Result<(), TrainError> {
        let mutual = beside.peers || !self.peers.is_empty();
        if mutual {
            self.check_mutual(beside)?;
        }
        let hint = "train a teacher with `kd train` and specify its student.safetensors here";
        if !(self.distills() || beside.teacher) {
            let names = [
                (self.teacher.network.is_some(), "teacher.network"),
                (self.teacher.ensemble.is_some(), "teacher.ensemble"),
                (self.teacher.fold, "teacher.fold"),
                (self.teacher.cache.is_some(), "teacher.cache"),
                (self.routing.mode != RoutingMode::Always, "routing"),
            ];
            let alone = self.distilling().next().filter(|_| !mutual);
            let term = alone.map(|term| format!("the loss `{}`", term.label()));
            let named = names.into_iter().find(|(given, _)| *given);
            if let Some(what) = term.or(named.map(|(_, name)| name.to_owned())) {
                return Err(TrainError::Missing {
                    field: "teacher.weights",
                    hint: format!("{what} needs a teacher; {hint}"),
                });
            }
        }
        if self.teacher.is_ensemble() {
            check_logits_are_enough("an ensemble of teachers", &self.losses, &self.routing)?;
        }
        let active = beside.distills || self.distilling().any(|term| term.weight != 0.0);
        if self.routing.mode != RoutingMode::Always && !active {
            let mode = self.routing.mode.name();
            return Err(TrainError::Missing {
                field: "losses",
                hint: format!(
                    "routing.mode: {mode} needs a distillation term with a weight above 0"
                ),
            });
        }
        if self.routing.is_sakd_joint() && self.scheduler.name != SchedulerName::MultiStep {
            return Err(TrainError::conflict(
                "routing.convention: sakd in routing.mode: joint",
                "a scheduler without milestones, which the policy's learning rate follows",
            ));
        }
        if let (Some(augmentation), Some(_)) = (self.augmentation, &self.teacher.cache)
            && augmentation.views().is_none()
        {
            let kind = format!("augmentation.kind: {}", augmentation.name());
            return Err(TrainError::conflict("teacher.cache", kind));
        }
        if self.routing.mode == RoutingMode::Joint && self.teacher.cache.is_some() {
            return Err(TrainError::conflict("teacher.cache", "routing.mode: joint"));
        }
        Ok(())
    }

    /// Whether networks can learn from each other as the recipe says.
    fn check_mutual(&self, beside: Beside) -> Result<(), TrainError> {
        if self.distills() || beside.teacher {
            return Err(TrainError::conflict("teacher.weights", "mutual learning"));
        }
        check_mutual(&self.losses, &self.routing, self.train.ema_decay)?;
        let compares = beside.distills || self.distilling().any(|term| term.weight != 0.0);
        match compares {
            true => Ok(()),
            false => Err(TrainError::Missing {
                field: "losses",
                hint: "mutual learning needs a term that compares networks, such as dml, with a weight above 0"
                    .to_owned(),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
