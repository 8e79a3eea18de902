//! On GPUs.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::tensor::{DType, Shape};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::prelude::*;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;

use super::kernel::{self, THREADS};
use super::ops::LossOps;
use crate::gpu::memory::empty_like;

impl LossOps for CubeBackend {
    fn kd_cross_entropy(logits: FloatTensor<Self>, targets: IntTensor<Self>) -> FloatTensor<Self> {
        let (rows, losses) = rows(&logits);
        kernel::cross_entropy::launch(
            &losses.client,
            rows,
            CubeDim::new_1d(THREADS as u32),
            logits.into_tensor_arg(),
            into_contiguous(targets).into_tensor_arg(),
            losses.clone().into_tensor_arg(),
        );
        losses
    }

    fn kd_cross_entropy_backward(
        logits: FloatTensor<Self>,
        targets: IntTensor<Self>,
        gradient: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let rows = blocks(&logits);
        let of_logits = empty_like(&logits);
        kernel::cross_entropy_gradient::launch(
            &of_logits.client,
            rows,
            CubeDim::new_1d(THREADS as u32),
            logits.into_tensor_arg(),
            into_contiguous(targets).into_tensor_arg(),
            gradient.into_tensor_arg(),
            of_logits.clone().into_tensor_arg(),
        );
        of_logits
    }

    fn kd_divergence(
        student: FloatTensor<Self>,
        teacher: FloatTensor<Self>,
        temperature: f64,
    ) -> FloatTensor<Self> {
        let (rows, divergences) = rows(&student);
        kernel::divergence::launch(
            &divergences.client,
            rows,
            CubeDim::new_1d(THREADS as u32),
            student.into_tensor_arg(),
            teacher.into_tensor_arg(),
            divergences.clone().into_tensor_arg(),
            temperature.recip() as f32,
        );
        divergences
    }

    fn kd_divergence_backward(
        student: FloatTensor<Self>,
        teacher: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        temperature: f64,
    ) -> FloatTensor<Self> {
        let rows = blocks(&student);
        let of_student = empty_like(&student);
        kernel::divergence_gradient::launch(
            &of_student.client,
            rows,
            CubeDim::new_1d(THREADS as u32),
            student.into_tensor_arg(),
            teacher.into_tensor_arg(),
            gradient.into_tensor_arg(),
            of_student.clone().into_tensor_arg(),
            temperature.recip() as f32,
        );
        of_student
    }
}

/// A block for each row of logits, and memory for a number of each.
fn rows(logits: &CubeTensor) -> (CubeCount, CubeTensor) {
    let shape = Shape::from([logits.meta.shape()[0]]);
    let (client, device) = (logits.client.clone(), logits.device.clone());
    let numbers = empty_device_contiguous_dtype(client, device, shape, logits.dtype);
    (blocks(logits), numbers)
}

/// A block for each row of logits.
fn blocks(logits: &CubeTensor) -> CubeCount {
    assert_eq!(logits.dtype, DType::F32, "the kernels serve f32 tensors");
    CubeCount::Static(logits.meta.shape()[0] as u32, 1, 1)
}
