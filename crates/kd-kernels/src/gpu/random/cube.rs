//! On GPUs.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::calculate_cube_count_elemwise;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;

use super::kernel;
use super::ops::RandomOps;

impl RandomOps for CubeBackend {
    fn kd_units(step: IntTensor<Self>, count: usize, words: [u32; 4]) -> FloatTensor<Self> {
        let (client, device) = (step.client.clone(), step.device.clone());
        let shape = Shape::from([count]);
        let numbers = empty_device_contiguous_dtype(client.clone(), device, shape, DType::F32);
        let blocks = count.div_ceil(4);
        if blocks == 0 {
            return numbers;
        }
        let threads = CubeDim::new(&client, blocks);
        let [stream, place, first, second] = words;
        kernel::units::launch(
            &client,
            calculate_cube_count_elemwise(&client, blocks, threads),
            threads,
            step.into_tensor_arg(),
            numbers.clone().into_tensor_arg(),
            stream,
            place,
            first,
            second,
        );
        numbers
    }
}
