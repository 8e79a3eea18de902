//! What convolutions compute with.

use std::sync::atomic::{AtomicBool, Ordering};

static BF16: AtomicBool = AtomicBool::new(false);

/// Turns convolutions in bf16 on or off (as they are at the start), for the whole process.
///
/// The layers of `kd-nn` then convolve bf16 copies of their inputs and weights, which stay f32
/// themselves, and sum up and return f32. Kernels of this crate are for f32: what they serve is
/// computed so all the same.
pub fn set_bf16(bf16: bool) {
    BF16.store(bf16, Ordering::Relaxed);
}

/// Whether convolutions are to compute in bf16.
pub fn bf16() -> bool {
    BF16.load(Ordering::Relaxed)
}
