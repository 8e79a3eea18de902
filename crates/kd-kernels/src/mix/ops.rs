//! The operation as backends see it.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};

/// Mixing by the kernels of this crate.
#[backend_extension(Flex, Autodiff)]
pub trait MixOps: Backend {
    /// `(1 − share) · own + share · other`, sample by sample.
    fn kd_mix(
        own: FloatTensor<Self>,
        other: FloatTensor<Self>,
        share: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

/// What the backward pass needs of a backend.
pub trait MixGradients: MixOps {
    /// The gradients of both tensors, as far as they are needed, and of the shares.
    fn kd_mix_backward(
        inputs: [FloatTensor<Self>; 3],
        gradient: FloatTensor<Self>,
        needed: [bool; 2],
    ) -> [Option<FloatTensor<Self>>; 3];
}
