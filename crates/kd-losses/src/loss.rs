//! What a loss is: the traits that every one here implements, and every one of yours.

use std::fmt::Debug;

use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Device, Tensor};
use kd_core::Requirements;
use serde::Serialize;

use crate::{LossError, Setup, Step};

/// What a phase of training before the main one trains, by the loss
/// [`DistillationLoss::pretrain`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Pretrain {
    /// There is no such phase.
    #[default]
    None,
    /// The adapters only: the student is not changed.
    Adapters,
    /// The student, together with the adapters.
    Student,
}

/// The parameters of a loss: what it needs is known before it is initialized.
///
/// Together with [`DistillationLoss`] this is all that a loss of your own implements:
///
/// ```
/// use burn::module::Module;
/// use burn::tensor::{Device, Tensor};
/// use kd_losses::{DistillationLoss, LossConfig, LossError, Requirements, Setup, Site, Step};
///
/// /// The mean squared difference of the pooled features' lengths.
/// #[derive(Clone, Debug)]
/// struct LengthConfig;
///
/// #[derive(Module, Debug)]
/// struct Length;
///
/// impl LossConfig for LengthConfig {
///     type Loss = Length;
///
///     fn name(&self) -> &str {
///         "length"
///     }
///
///     fn requirements(&self) -> Requirements {
///         Requirements::at(Site::Pooled)
///     }
///
///     fn build(&self, _setup: &Setup, _device: &Device) -> Result<Length, LossError> {
///         Ok(Length)
///     }
/// }
///
/// impl DistillationLoss for Length {
///     fn term(&self, step: &Step<'_>) -> Tensor<1> {
///         let length = |pooled: Tensor<2>| pooled.square().sum_dim(1).squeeze_dim::<1>(1);
///         let student = length(step.student.pooled.clone());
///         let teacher = length(step.teacher.pooled.clone().inner());
///         // One value a sample: the gate chooses those that count.
///         step.mean_over_chosen(0, (student - teacher).square())
///     }
/// }
/// ```
pub trait LossConfig: Clone + Debug + Send + Sync + 'static {
    /// The loss with its adapters.
    type Loss: DistillationLoss;

    /// The name in metrics and messages, which is the name in recipes for those of this crate.
    fn name(&self) -> &str;

    /// Where the loss acts and what it reads.
    fn requirements(&self) -> Requirements;

    /// What its phase before the main one trains.
    fn pretrain(&self) -> Pretrain {
        Pretrain::None
    }

    /// Checks shapes and parameters, and initializes the adapters.
    ///
    /// The device is the one that the student trains on; adapters are trained if it is an autodiff
    /// device.
    ///
    /// # Errors
    ///
    /// If the loss cannot compare features of these shapes, if a parameter is out of range, or if
    /// the setup lacks something that the loss needs.
    fn build(&self, setup: &Setup, device: &Device) -> Result<Self::Loss, LossError>;
}

/// A loss, initialized: its adapters are the parameters of the module, which are trained and
/// checkpointed together with the student and thrown away afterwards.
pub trait DistillationLoss: Module + ModuleDisplay + 'static {
    /// The loss of a step, unweighted, of shape `[1]`.
    ///
    /// The teacher's features are constants, unless the loss can train the teacher
    /// ([`Requirements::teacher_gradient`]) and the [step asks for it](Step::training_teacher). A loss should give each spot the gate of the step
    /// ([`Step::gate`], [`Step::scaled`]), and read nothing back from the device.
    ///
    /// # Panics
    ///
    /// If the features have not the shapes that the loss was initialized for, or if the step lacks
    /// what the requirements ask for.
    fn term(&self, step: &Step<'_>) -> Tensor<1>;

    /// The loss that the phase before the main one minimizes, of shape `[1]`; `None` for a loss
    /// without one ([`LossConfig::pretrain`]).
    ///
    /// # Panics
    ///
    /// As [`term`](Self::term).
    fn pretrain(&self, step: &Step<'_>) -> Option<Tensor<1>> {
        let _ = step;
        None
    }
}
