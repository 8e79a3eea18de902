//! The loss of one batch, from its parts.

use burn::tensor::{Int, Tensor};
use kd_losses::{Gate, KdLoss, LossWeights, MethodLoss, Step, cross_entropy};
use kd_spot::Choices;

/// The parts of a batch's loss, each unweighted and of shape `[1]`, and their weighted sum.
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
    /// The routing objective, of which no other part depends; absent if no policy chooses.
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
/// Parts of weight 0 are not computed. With choices, each spot's loss is that of the chosen samples
/// times their share, and the distillation of logits takes the last spot: the gates of the step are
/// theirs.
pub fn batch_loss(
    step: &Step<'_>,
    labels: Tensor<1, Int>,
    kd: &KdLoss,
    method: Option<&MethodLoss>,
    weights: &LossWeights,
    choices: Option<&Choices>,
) -> BatchLoss {
    let (student, teacher) = (step.student, step.teacher);
    let ce = cross_entropy(student.logits.clone(), labels);
    let last = choices.map_or_else(Gate::all, Choices::last);
    let kd = (weights.kd != 0.0).then(|| {
        let loss = kd.forward_gated(student.logits.clone(), teacher.logits.clone(), &last);
        match last.share() {
            Some(share) => loss * share,
            None => loss,
        }
    });
    let method = method.filter(|_| weights.method != 0.0);
    let method = method.and_then(|method| {
        let Some(choices) = choices else {
            return method.forward(step);
        };
        let stages = student.maps.len().saturating_sub(1);
        let gates = choices.gates(method.spots(stages));
        method.forward(&step.with_gates(&gates).scaled_by_share())
    });

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
