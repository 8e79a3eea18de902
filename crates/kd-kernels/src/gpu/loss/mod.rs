//! Losses of logits on GPUs: one launch forward, one backward.

mod autodiff;
mod cube;
mod kernel;
mod ops;

use burn::backend::Dispatch;
use burn::tensor::{DType, Int, Tensor};

use ops::LossOps;

/// `−log softmax(logits)[target]` of each sample.
///
/// # Shapes
///
/// - logits: `[batch, classes]`
/// - targets: `[batch]`, of 32 bits, each below `classes`
/// - output: `[batch]`
///
/// # Panics
///
/// If the kernels do not [serve](crate::serves_gpu) the logits, or if the shapes or the type of the
/// targets do not fit.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    assert_eq!(targets.dims(), [logits.dims()[0]], "a target for each row");
    assert_eq!(targets.dtype(), DType::I32, "targets of 32 bits");
    Tensor::from_dispatch(<Dispatch as LossOps>::kd_cross_entropy(
        logits.into_dispatch(),
        targets.into_dispatch(),
    ))
}

/// `KL(softmax(teacher / temperature) ‖ softmax(student / temperature))` of each sample; the teacher's
/// logits are a constant.
///
/// # Shapes
///
/// - student, teacher: `[batch, classes]`
/// - output: `[batch]`
///
/// # Panics
///
/// If the kernels do not [serve](crate::serves_gpu) the logits, or if the shapes differ.
pub fn divergence(student: Tensor<2>, teacher: Tensor<2>, temperature: f64) -> Tensor<1> {
    assert_eq!(student.dims(), teacher.dims(), "logits of the same shape");
    Tensor::from_dispatch(<Dispatch as LossOps>::kd_divergence(
        student.into_dispatch(),
        teacher.into_dispatch(),
        temperature,
    ))
}
