//! How far a GPU is with compiling and tuning its kernels.

#[cfg(any(feature = "cuda", feature = "wgpu"))]
use std::{
    collections::HashSet,
    sync::{Arc, Mutex},
};

#[cfg(any(feature = "cuda", feature = "wgpu"))]
use cubecl::logging::{LaunchObservation, LaunchObserver};

/// Counts the kernels that this process launches, in tuning as well, for as long as it lives. What is
/// on the CPU is not counted.
#[must_use = "it counts until it is dropped"]
pub struct KernelWatch {
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    seen: (Arc<Seen>, LaunchObservation),
}

impl KernelWatch {
    /// Begins to count.
    #[allow(
        clippy::new_without_default,
        reason = "beginning to count is not a value"
    )]
    pub fn new() -> Self {
        #[cfg(any(feature = "cuda", feature = "wgpu"))]
        let seen = {
            let seen = Arc::new(Seen::default());
            (seen.clone(), LaunchObservation::new(seen))
        };
        Self {
            #[cfg(any(feature = "cuda", feature = "wgpu"))]
            seen,
        }
    }

    /// Kernels that were launched, and launches.
    pub fn counts(&self) -> (usize, usize) {
        #[cfg(any(feature = "cuda", feature = "wgpu"))]
        return self.seen.0.counts();
        #[cfg(not(any(feature = "cuda", feature = "wgpu")))]
        (0, 0)
    }
}

/// Names of the kernels, and launches.
#[cfg(any(feature = "cuda", feature = "wgpu"))]
#[derive(Default)]
struct Seen(Mutex<(HashSet<&'static str>, usize)>);

#[cfg(any(feature = "cuda", feature = "wgpu"))]
impl Seen {
    fn counts(&self) -> (usize, usize) {
        let seen = self.0.lock();
        seen.map_or((0, 0), |seen| (seen.0.len(), seen.1))
    }
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
impl LaunchObserver for Seen {
    fn launched(&self, kernel: &'static str) {
        if let Ok(mut seen) = self.0.lock() {
            seen.0.insert(kernel);
            seen.1 += 1;
        }
    }
}
