//! Whether the kernels of this crate are used.

use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::{DType, Tensor};

use crate::device::{is_flex, is_gpu};
use crate::precision::bf16;

static ENABLED: AtomicBool = AtomicBool::new(true);

/// Turns the kernels of this crate on (as they are at the start) or off, for the whole process.
///
/// They serve f32 tensors on the `flex` device. Everything else, and everything when they are off,
/// is computed by Burn's own operations.
pub fn set_enabled(enabled: bool) {
    ENABLED.store(enabled, Ordering::Relaxed);
}

/// Whether the kernels of this crate are on.
pub fn enabled() -> bool {
    ENABLED.load(Ordering::Relaxed)
}

/// Changes whenever a change to the kernels changes digits.
const REVISION: u32 = 2;

/// What the digits of a result depend on besides its inputs and the device: the kernels' revision and
/// the instructions of this machine, or that the kernels are off; and whether convolutions are in
/// bf16. For keys of results that are kept.
pub fn signature() -> String {
    let kernels = kernels();
    match bf16() {
        true => format!("{kernels}, bf16"),
        false => kernels,
    }
}

fn kernels() -> String {
    #[cfg(feature = "flex")]
    if enabled() {
        return format!("kernels {REVISION}, {:?}", crate::arch::arch());
    }
    "without kernels".to_owned()
}

/// Whether the kernels serve this tensor: they are on, it is of f32 on the `flex` device, it is not
/// empty, and the machine has vectors (AVX2 and later, NEON).
pub fn serves<const D: usize>(tensor: &Tensor<D>) -> bool {
    enabled()
        && tensor.dtype() == DType::F32
        && tensor.shape().num_elements() > 0
        && is_flex(&tensor.device())
        && has_vectors()
}

/// Whether the kernels for GPUs serve this tensor: the kernels are on, it is of f32 on a GPU, and it
/// is not empty.
pub fn serves_gpu<const D: usize>(tensor: &Tensor<D>) -> bool {
    enabled()
        && tensor.dtype() == DType::F32
        && tensor.shape().num_elements() > 0
        && is_gpu(&tensor.device())
}

fn has_vectors() -> bool {
    #[cfg(feature = "flex")]
    return crate::arch::has_vectors();
    #[cfg(not(feature = "flex"))]
    false
}
