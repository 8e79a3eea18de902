//! The CPU backends that this build holds.

use burn::tensor::Device;
use kd_train::{compiled_devices, device_by_name};

/// Every compiled-in CPU backend, with its name.
pub fn devices() -> Vec<(&'static str, Device)> {
    compiled_devices()
        .into_iter()
        .filter(|name| ["flex", "ndarray"].contains(name))
        .map(|name| (name, device_by_name(name).expect("a CPU is always there")))
        .collect()
}
