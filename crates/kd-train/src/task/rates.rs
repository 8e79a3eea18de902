//! Learning rates of all that is trained.

use burn::module::ParamGroup;
use burn::optim::lr_scheduler::constant::ConstantLr;
use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};

use kd_spot::RoutingConfig;

use crate::TrainError;

/// Learning rates of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Of the student and the adapters of its losses.
    pub student: f64,
    /// Of policy and adapters of routing.
    pub router: f64,
    /// Of a teacher that is trained too.
    pub teacher: f64,
}

impl From<f64> for Rates {
    /// The student's rate for all.
    fn from(rate: f64) -> Self {
        Self {
            student: rate,
            router: rate,
            teacher: rate,
        }
    }
}

impl Rates {
    /// The rates of a student's rate and a routing that is resolved.
    pub fn of(student: f64, routing: &RoutingConfig) -> Self {
        Self {
            student,
            router: routing.lr.unwrap_or_default(),
            teacher: match routing.is_sakd_joint() {
                true => student,
                false => routing.teacher_lr.unwrap_or_default(),
            },
        }
    }

    /// All rates multiplied by a factor.
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            student: self.student * factor,
            router: self.router * factor,
            teacher: self.teacher * factor,
        }
    }

    /// In the form that Burn's optimizers take.
    pub(crate) fn by_group(self, groups: &Groups) -> ModuleLearningRate {
        ModuleLrScheduler::new(ConstantLr::new(self.student))
            .with_group(groups.router.clone(), ConstantLr::new(self.router))
            .with_group(groups.teacher.clone(), ConstantLr::new(self.teacher))
            .step()
    }
}

/// The parameters of a [`DistillModel`](super::DistillModel) that have rates of their own, by their
/// paths: identities change when a checkpoint is loaded.
#[derive(Clone)]
pub(crate) struct Groups {
    pub(crate) router: ParamGroup,
    pub(crate) teacher: ParamGroup,
}

impl Groups {
    pub(crate) fn new() -> Result<Self, TrainError> {
        let group = |pattern: &str| {
            ParamGroup::from_regex(pattern)
                .map_err(|error| TrainError::Optimizer(format!("{error:?}")))
        };
        Ok(Self {
            router: group(r"^routing\.router\.")?,
            teacher: group(r"^routing\.teacher\.")?,
        })
    }
}
