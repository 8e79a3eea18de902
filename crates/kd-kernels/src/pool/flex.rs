//! On the `flex` backend.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};

use super::Window;
use super::kernel;
use super::ops::{PoolGradients, PoolOps};
use crate::tensors::{slice, tensor};

impl PoolOps for Flex {
    fn kd_max_pool2d(x: FloatTensor<Self>, window: Window) -> FloatTensor<Self> {
        let [batch, channels, height, width] = x.shape().dims();
        let x = x.to_contiguous();
        let [rows, columns] = window.outputs([height, width]);
        let out = kernel::forward(slice(&x), [height, width], window);
        tensor(out, [batch, channels, rows, columns])
    }
}

impl PoolGradients for Flex {
    fn kd_max_pool2d_backward(
        x: FloatTensor<Self>,
        output: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        window: Window,
    ) -> FloatTensor<Self> {
        let dims: [usize; 4] = x.shape().dims();
        let [_, _, height, width] = dims;
        let [x, output, gradient] = [x, output, gradient].map(|tensor| tensor.to_contiguous());
        let [x, output, gradient] = [&x, &output, &gradient].map(slice);
        let dx = kernel::backward(x, output, gradient, [height, width], window);
        tensor(dx, dims)
    }
}
