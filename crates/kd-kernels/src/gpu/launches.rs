//! Counting what is launched on GPUs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use burn_cubecl::cubecl::config::TypeNameFormatLevel;
use burn_cubecl::cubecl::config::type_name_format;
use burn_cubecl::cubecl::logging::{LaunchObservation, LaunchObserver};

/// Launches by the kernel's name, those of autotune included.
pub type Launches = BTreeMap<String, usize>;

/// Runs `work` and counts the launches of the whole process meanwhile. Work that waits in a queue is
/// not launched: `work` has to wait for its device.
pub fn count<T>(work: impl FnOnce() -> T) -> (T, Launches) {
    let counter = Arc::new(Counter::default());
    let observation = LaunchObservation::new(counter.clone());
    let result = work();
    drop(observation);
    let launches = counter.0.lock().unwrap_or_else(PoisonError::into_inner);
    (result, launches.clone())
}

#[derive(Default)]
struct Counter(Mutex<Launches>);

impl LaunchObserver for Counter {
    fn launched(&self, kernel: &'static str) {
        let name = type_name_format(kernel, TypeNameFormatLevel::Balanced);
        let mut launches = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *launches.entry(name).or_default() += 1;
    }
}
