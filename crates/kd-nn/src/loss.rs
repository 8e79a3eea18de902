//! Losses of logits, sample by sample.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

/// `−log softmax(logits)[target]` of each sample: by `kd-kernels` where it serves on a GPU, and by
/// Burn elsewhere.
///
/// # Shapes
///
/// - logits: `[batch, classes]`
/// - targets: `[batch]`, each below `classes`
/// - output: `[batch]`
///
/// # Panics
///
/// If the batches differ.
pub fn cross_entropy(logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
    #[cfg(feature = "cube")]
    if kd_kernels::serves_gpu(&logits) && targets.dtype() == burn::tensor::DType::I32 {
        return kd_kernels::gpu::loss::cross_entropy(logits, targets);
    }
    let targets = targets.unsqueeze_dim(1);
    log_softmax(logits, 1)
        .gather(1, targets)
        .squeeze_dim::<1>(1)
        .neg()
}

/// `KL(softmax(teacher / T) ‖ softmax(student / T))` of each sample for a temperature `T`: by
/// `kd-kernels` where it serves on a GPU and the teacher's logits are plain, and by Burn elsewhere.
///
/// # Shapes
///
/// - student, teacher: `[batch, classes]`
/// - output: `[batch]`
///
/// # Panics
///
/// If the shapes differ.
pub fn divergence(student: Tensor<2>, teacher: Tensor<2>, temperature: f64) -> Tensor<1> {
    #[cfg(feature = "cube")]
    if kd_kernels::serves_gpu(&student) && !teacher.is_autodiff() {
        return kd_kernels::gpu::loss::divergence(student, teacher, temperature);
    }
    let student = log_softmax(student / temperature, 1);
    let teacher = log_softmax(teacher / temperature, 1);
    let divergence = teacher.clone().exp() * (teacher - student);
    divergence.sum_dim(1).squeeze_dim::<1>(1)
}
