//! The CPU backends that this build holds.

use burn::tensor::Device;

/// Every compiled-in CPU backend, with its name.
pub fn devices() -> Vec<(&'static str, Device)> {
    let mut devices = Vec::new();
    #[cfg(feature = "flex")]
    devices.push(("flex", Device::flex()));
    // Deprecated upstream, still the second opinion that the tests want.
    #[cfg(feature = "ndarray")]
    #[allow(deprecated)]
    devices.push(("ndarray", Device::ndarray()));
    devices
}
