//! The loss of one batch, from its parts.

use burn::tensor::{Int, Tensor};
use kd_losses::{KdLoss, LossWeights, MethodLoss, Step, cross_entropy};

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
}

impl BatchLoss {
    /// The loss without a teacher.
    pub fn supervised(ce: Tensor<1>) -> Self {
        Self {
            total: ce.clone(),
            ce,
            kd: None,
            method: None,
        }
    }
}

/// The loss of a student's features with respect to labels and the teacher's features.
///
/// Parts of weight 0 are not computed.
pub fn batch_loss(
    step: &Step<'_>,
    labels: Tensor<1, Int>,
    kd: &KdLoss,
    method: Option<&MethodLoss>,
    weights: &LossWeights,
) -> BatchLoss {
    let (student, teacher) = (step.student, step.teacher);
    let ce = cross_entropy(student.logits.clone(), labels);
    let kd =
        (weights.kd != 0.0).then(|| kd.forward(student.logits.clone(), teacher.logits.clone()));
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
    }
}
