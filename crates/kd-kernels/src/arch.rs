//! The instructions of this machine.

use std::sync::OnceLock;

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
    vector_lanes() > 1
}

/// How many numbers of 32 bits the kernels' vectors hold: 16 with AVX-512, 8 with AVX2, 1 where this
/// machine has no vectors that they know. `KD_SIMD=avx2` limits it to AVX2.
pub fn vector_lanes() -> usize {
    struct Lanes;

    impl WithSimd for Lanes {
        type Output = usize;

        fn with_simd<S: Simd>(self, _simd: S) -> usize {
            S::F32_LANES
        }
    }

    arch().dispatch(Lanes)
}
