//! Tensors that take no gradient.

use burn::tensor::Tensor;

/// The tensor as a constant: on the device of a graph if `tracked`, and on the plain one otherwise.
pub(crate) fn constant<const D: usize>(tensor: Tensor<D>, tracked: bool) -> Tensor<D> {
    let plain = tensor.inner();
    match tracked {
        true => Tensor::from_inner(plain),
        false => plain,
    }
}
