//! The operations as backends see them.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};
use burn::tensor::Shape;
use burn::tensor::ops::ConvOptions;

/// Convolution, with a gradient of the weight of its own.
#[backend_extension(Cube, Autodiff, Fusion)]
pub trait ConvOps: Backend {
    /// See [`conv2d`](super::conv2d).
    #[fusion(dtype = x, shape = output(x, weight, options))]
    fn kd_gpu_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self>;

    /// Gradient of the weight for that of the output.
    #[fusion(dtype = weight, shape = weight)]
    fn kd_gpu_conv2d_weight_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self>;
}

fn output(x: &Shape, weight: &Shape, options: &ConvOptions<2>) -> Shape {
    let size = |axis: usize| {
        let padded = x[2 + axis] + 2 * options.padding[axis].0;
        (padded - weight[2 + axis]) / options.stride[axis] + 1
    };
    Shape::from([x[0], weight[0], size(0), size(1)])
}
