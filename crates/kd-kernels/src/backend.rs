//! What kernels need of a backend.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex};

/// A backend whose tensors can be brought into one piece.
pub trait Contiguous: Backend {
    /// The same tensor, row by row.
    fn contiguous(tensor: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl Contiguous for Flex {
    fn contiguous(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        tensor.to_contiguous()
    }
}
