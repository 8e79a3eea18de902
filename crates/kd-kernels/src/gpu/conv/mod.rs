//! Convolution on GPUs: Burn's own, but for the gradient of the weight.
//!
//! That gradient has few numbers and is a sum over all positions of all images: what is cut into tiles
//! of the result alone leaves most of a GPU idle. Here the positions are cut too, and a second launch
//! adds up the parts, in an order that depends on the shape alone.

mod autodiff;
mod cube;
mod depthwise;
mod kernel;
mod ops;
mod plan;

use burn::backend::Dispatch;
use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;

use ops::ConvOps;

/// Elements of a filter that one thread keeps sums of: for several outputs, or for one channel.
const ELEMENTS: usize = 9;
const ELEMENTS_OF_CHANNEL: usize = 25;

/// Whether [`conv2d`] serves filters of this shape, `[outputs, inputs / groups, height, width]`: of two
/// to nine elements without groups, of two to 25 where each channel has its own, and without dilation. A
/// filter of one element is a product of matrices.
pub fn serves(weight: [usize; 4], options: &ConvOptions<2>) -> bool {
    let elements = weight[2] * weight[3];
    let most = match (options.groups, is_depthwise(weight, options)) {
        (_, true) => ELEMENTS_OF_CHANNEL,
        (1, _) => ELEMENTS,
        _ => return false,
    };
    (2..=most).contains(&elements) && options.dilation == [1, 1] && !options.is_asymmetric()
}

/// Whether each channel has a filter of its own. Burn's gradient of such filters has a thread for each of
/// its few numbers, which sums up all positions of all images.
pub fn is_depthwise(weight: [usize; 4], options: &ConvOptions<2>) -> bool {
    options.groups > 1 && weight[1] == 1 && weight[0] == options.groups
}

/// Convolution of `x` with `weight`.
///
/// # Shapes
///
/// - x: `[batch, inputs, height, width]`
/// - weight: `[outputs, inputs / groups, kernel height, kernel width]`
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
