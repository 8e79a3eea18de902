//! Random numbers on GPUs: one launch.

mod cube;
mod kernel;
mod ops;

use burn::backend::Dispatch;
use burn::tensor::{DType, FloatDType, Int, Tensor};

use crate::device::is_gpu;
use crate::switch::enabled;
use ops::RandomOps;

/// Whether [`units`] serves a tensor of steps: the kernels are on, it is of 32 bits on a GPU, and numbers
/// are of f32 there.
pub fn serves(step: &Tensor<1, Int>) -> bool {
    let device = step.device();
    enabled()
        && step.dtype() == DType::I32
        && is_gpu(&device)
        && device.settings().float_dtype == FloatDType::F32
}

/// `count` numbers in `[0, 1)`, multiples of 2⁻²⁴, of Philox 4x32-10 (Salmon et al. 2011, Parallel random
/// numbers: as easy as 1, 2, 3, <https://doi.org/10.1145/2063384.2063405>): the four words of the counter
/// `[n, step, stream, place]` are the numbers `4n` to `4n + 3`.
///
/// # Shapes
///
/// - step: `[1]`
/// - output: `[count]`
///
/// # Panics
///
/// If it does not [serve](serves) the step, or if that is not one number.
pub fn units(
    count: usize,
    step: Tensor<1, Int>,
    [stream, place]: [u32; 2],
    key: [u32; 2],
) -> Tensor<1> {
    assert!(serves(&step), "a step of 32 bits on a GPU");
    assert_eq!(step.dims(), [1], "one step");
    let words = [stream, place, key[0], key[1]];
    Tensor::from_dispatch(<Dispatch as RandomOps>::kd_units(
        step.into_dispatch(),
        count,
        words,
    ))
}
