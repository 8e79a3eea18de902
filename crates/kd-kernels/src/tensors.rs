//! Tensors of the `flex` backend as slices.

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{Shape, TensorData};

/// The numbers of a contiguous tensor.
///
/// # Panics
///
/// If it is not contiguous, or not of f32.
pub(crate) fn slice(tensor: &FloatTensor<Flex>) -> &[f32] {
    match tensor.as_slice::<f32>() {
        Some(slice) => slice,
        None => panic!("the kernels were given a tensor that they do not serve: {tensor:?}"),
    }
}

/// A tensor of these numbers.
pub(crate) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FloatTensor<Flex> {
    FloatTensor::<Flex>::from_data(TensorData::new(values, shape.into()))
}
