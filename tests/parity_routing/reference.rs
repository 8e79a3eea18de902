//! Losses with what the reference gives them or does besides.

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use kd_core::{Frozen, Requirements};
use kd_losses::{DistillationLoss, Gate, LossConfig, LossError, Method, MethodLoss, Setup, Step};

/// A method as the reference has it.
#[derive(Clone, Debug)]
pub struct ReferenceConfig(Method);

impl From<Method> for ReferenceConfig {
    fn from(method: Method) -> Self {
        Self(method)
    }
}

/// An initialized [`ReferenceConfig`].
#[derive(Module, Debug)]
pub struct Reference {
    /// The loss.
    pub loss: MethodLoss,
    /// The samples that CRD compares with, which are given instead of drawn.
    pub contrast: Frozen<Option<Tensor<2, Int>>>,
}

impl LossConfig for ReferenceConfig {
    type Loss = Reference;

    fn name(&self) -> &str {
        LossConfig::name(&self.0)
    }

    fn requirements(&self) -> Requirements {
        self.0.requirements()
    }

    fn build(&self, setup: &Setup, device: &Device) -> Result<Reference, LossError> {
        Ok(Reference {
            loss: self.0.build(setup, device)?,
            contrast: Frozen(None),
        })
    }
}

impl DistillationLoss for Reference {
    fn term(&self, step: &Step<'_>) -> Tensor<1> {
        match (&self.loss, &*self.contrast) {
            (MethodLoss::Crd(loss), Some(contrast)) => {
                let pooled = |features: &kd_core::Features| features.pooled.clone();
                let [student, teacher] = [step.student, step.teacher].map(pooled);
                let indices = step.expect_indices("crd");
                let gate = step.gate(0);
                let loss = loss.forward_gated(student, teacher, indices, contrast.clone(), &gate);
                step.scaled(0, loss)
            }
            // Factor transfer keeps its whole batch when nothing is chosen.
            (MethodLoss::Ft(loss), _) if nothing_chosen(&step.gate(0)) => {
                loss.term(&step.with_gates(&[]))
            }
            (loss, _) => loss.term(step),
        }
    }
}

/// Whether a gate chooses no sample.
pub fn nothing_chosen(gate: &Gate) -> bool {
    let share = gate.share().map(|share| share.into_data().convert::<f32>());
    let share = share.map(|share| share.try_into_vec::<f32>().expect("f32"));
    share.is_some_and(|share| share == [0.0])
}
