//! On GPUs.

use burn::backend::ops::ModuleOps;
use burn::backend::tensor::FloatTensor;
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

use super::depthwise;
use super::kernel::{self, ADDERS, THREADS};
use super::ops::ConvOps;
use super::plan::{Plan, place};
use crate::gpu::memory::empty_like;

impl ConvOps for CubeBackend {
    fn kd_gpu_conv2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        Self::conv2d(x, weight, None, options)
    }

    fn kd_gpu_conv2d_weight_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        for tensor in [&x, &weight, &gradient] {
            assert_eq!(tensor.dtype, DType::F32, "the kernels serve f32 tensors");
        }
        let plan = Plan::new(&x, &weight, &gradient, &options);
        let client = x.client.clone();
        let threads = CubeDim::new_1d(THREADS as u32);
        let shape = Shape::from([plan.parts, plan.numbers()]);
        let parts = empty_device_contiguous_dtype(client.clone(), x.device.clone(), shape, x.dtype);
        let (of_x, of_gradient) = (place(&x), place(&gradient));
        let [x, gradient] = [x, gradient].map(CubeTensor::into_tensor_arg);
        let result = parts.clone().into_tensor_arg();
        let (grid, sizes, window) = (plan.grid(), plan.sizes(), plan.window);
        match plan.depthwise {
            false => kernel::weight_parts::launch(
                &client,
                grid,
                threads,
                x,
                gradient,
                result,
                sizes,
                of_x,
                of_gradient,
                window,
            ),
            true => depthwise::weight_parts::launch(
                &client,
                grid,
                threads,
                x,
                gradient,
                result,
                sizes,
                of_x,
                of_gradient,
                window.kernel,
                window.stride,
            ),
        }
        let total = empty_like(&weight);
        let blocks = plan.numbers().div_ceil(THREADS / ADDERS);
        kernel::weight_total::launch(
            &client,
            CubeCount::Static(blocks as u32, 1, 1),
            threads,
            parts.into_tensor_arg(),
            total.clone().into_tensor_arg(),
            plan.sizes(),
            place(&total),
            plan.parts,
            plan.window.kernel,
        );
        total
    }
}
