//! The operations as backends see them.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, backend_extension};
use burn::tensor::Shape;

/// Losses of logits.
#[backend_extension(Cube, Autodiff, Fusion)]
pub trait LossOps: Backend {
    /// See [`cross_entropy`](super::cross_entropy).
    #[fusion(dtype = logits, shape = Shape::from([logits[0]]))]
    fn kd_cross_entropy(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self>;

    /// Gradient of the logits for that of each sample's loss.
    #[fusion(dtype = logits, shape = logits)]
    fn kd_cross_entropy_backward(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self>;

    /// See [`divergence`](super::divergence).
    #[fusion(dtype = student, shape = Shape::from([student[0]]))]
    fn kd_divergence(
        student: FloatTensor<Self>,
        teacher: FloatTensor<Self>,
        temperature: f64,
    ) -> FloatTensor<Self>;

    /// Gradient of the student's logits for that of each sample's divergence.
    #[fusion(dtype = student, shape = student)]
    fn kd_divergence_backward(
        student: FloatTensor<Self>,
        teacher: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        temperature: f64,
    ) -> FloatTensor<Self>;
}
