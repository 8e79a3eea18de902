//! The loss of one batch, from its parts.

use burn::tensor::{Int, Tensor};
use kd_losses::{Gate, KdLoss, LossWeights, MethodLoss, Step, cross_entropy};

/// The parts of a batch's loss, each of shape `[1]` and without its weight in the recipe, and their
/// weighted sum. Where samples are chosen, a part contains the shares of those that are.
#[derive(Clone, Debug)]
pub struct BatchLoss {
    /// Cross-entropy with the labels.
    pub ce: Tensor<1>,
    /// Distillation of logits; absent if its weight is 0.
    pub kd: Option<Tensor<1>>,
    /// The method's own term; absent if there is none or its weight is 0.
    pub method: Option<Tensor<1>>,
    /// `r · ce + a · kd + b · method`.
    pub total: Tensor<1>,
    /// The routing objective, on which no other part depends; absent if no policy chooses.
    pub routing: Option<Tensor<1>>,
}

impl BatchLoss {
    /// The loss without a teacher.
    pub fn supervised(ce: Tensor<1>) -> Self {
        Self {
            total: ce.clone(),
            ce,
            kd: None,
            method: None,
            routing: None,
        }
    }

    /// What the backward pass starts from: the total, and the routing objective.
    pub fn root(&self) -> Tensor<1> {
        match &self.routing {
            Some(routing) => self.total.clone() + routing.clone(),
            None => self.total.clone(),
        }
    }
}

/// The loss of a student's features with respect to labels and the teacher's features.
///
/// Parts of weight 0 are not computed. The distillation of logits is that of the samples that `gate`
/// chooses, times their share; the method takes the gates of the step.
pub fn batch_loss(
    step: &Step<'_>,
    labels: Tensor<1, Int>,
    kd: &KdLoss,
    method: Option<&MethodLoss>,
    weights: &LossWeights,
    gate: &Gate,
) -> BatchLoss {
    let (student, teacher) = (step.student, step.teacher);
    let ce = cross_entropy(student.logits.clone(), labels);
    let kd = (weights.kd != 0.0).then(|| {
        let loss = kd.forward_gated(student.logits.clone(), teacher.logits.clone(), gate);
        gate.times_share(loss)
    });
    let method = method
        .filter(|_| weights.method != 0.0)
        .and_then(|method| method.forward(step));

    let mut total = ce.clone() * weights.ce;
    if let Some(kd) = &kd {
        total = total + kd.clone() * weights.kd;
    }
    if let Some(method) = &method {
        total = total + method.clone() * weights.method;
    }
    BatchLoss {
        ce,
        kd,
        method,
        total,
        routing: None,
    }
}
