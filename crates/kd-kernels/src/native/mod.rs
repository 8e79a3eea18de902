//! Kernels for the `flex` backend.

mod buffer;
pub(crate) mod conv;
pub(crate) mod mix;
pub(crate) mod norm;
mod optional;
pub(crate) mod pool;
mod record;
mod tensors;

use std::sync::OnceLock;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Flex};
use pulp::{Arch, Simd, WithSimd};

/// The instructions to compute with: the best that this machine has, or AVX2 if `KD_SIMD=avx2` is in
/// the environment, which is for tests.
pub(crate) fn arch() -> Arch {
    static ARCH: OnceLock<Arch> = OnceLock::new();
    *ARCH.get_or_init(|| {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if std::env::var("KD_SIMD").is_ok_and(|name| name == "avx2")
            && let Some(avx2) = pulp::x86::V3::try_new()
        {
            return Arch::V3(avx2);
        }
        Arch::new()
    })
}

/// Whether this machine has vectors that the kernels know.
pub(crate) fn has_vectors() -> bool {
    struct Lanes;

    impl WithSimd for Lanes {
        type Output = usize;

        fn with_simd<S: Simd>(self, _simd: S) -> usize {
            S::F32_LANES
        }
    }

    arch().dispatch(Lanes) > 1
}

/// What a ReLU cuts off at; nothing is below it without one.
#[inline(always)]
fn lowest(relu: bool) -> f32 {
    if relu { 0.0 } else { f32::NEG_INFINITY }
}

/// The larger one; NaN if `x` is.
#[inline(always)]
fn at_least(lowest: f32, x: f32) -> f32 {
    if x < lowest { lowest } else { x }
}

/// A backend whose tensors can be brought into one piece.
pub trait Contiguous: Backend {
    /// The same tensor, row by row.
    fn contiguous(tensor: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl Contiguous for Flex {
    fn contiguous(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        tensor.to_contiguous()
    }
}
