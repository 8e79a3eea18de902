//! Convolution on GPUs: Burn's own, but for the gradient of the weight.
//!
//! That gradient has few numbers and is a sum over all positions of all images: what is cut into tiles
//! of the result alone leaves most of a GPU idle. Here the positions are cut too, and a second launch
//! adds up the parts, in an order that depends on the shape alone.

mod autodiff;
mod cube;
mod kernel;
mod ops;
mod plan;

use burn::backend::Dispatch;
use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;

use ops::ConvOps;

/// Elements of a filter that one thread keeps sums of.
const ELEMENTS: usize = 9;

/// Whether [`conv2d`] serves filters of this shape, `[outputs, inputs / groups, height, width]`: of two
/// to nine elements, without groups and dilation. A filter of one element is a product of matrices.
pub fn serves(weight: [usize; 4], options: &ConvOptions<2>) -> bool {
    let elements = weight[2] * weight[3];
    (2..=ELEMENTS).contains(&elements)
        && options.groups == 1
        && options.dilation == [1, 1]
        && !options.is_asymmetric()
}

/// Convolution of `x` with `weight`.
///
/// # Shapes
///
/// - x: `[batch, inputs, height, width]`
/// - weight: `[outputs, inputs, kernel height, kernel width]`
/// - output: `[batch, outputs, output height, output width]`
///
/// # Panics
///
/// If the kernels do not [serve](crate::serves_gpu) a tensor, do not [serve](serves()) the filters, or
/// if the shapes do not fit each other.
pub fn conv2d(x: Tensor<4>, weight: Tensor<4>, options: ConvOptions<2>) -> Tensor<4> {
    let shape = weight.dims();
    assert!(serves(shape, &options), "filters of {shape:?}");
    Tensor::from_dispatch(<Dispatch as ConvOps>::kd_gpu_conv2d(
        x.into_dispatch(),
        weight.into_dispatch(),
        options,
    ))
}
