//! The device of what is done ahead of a computation, and its random numbers.

use burn::tensor::Device;

/// The CPU: where initial values are drawn, so that they are the same on every device, and where
/// what needs no device in particular is made. Burn's default device is the GPU of a build that has
/// one, driver or not; in a build without a CPU's backend, there is no other.
// Burn deprecates `ndarray`; it stays a second opinion for tests.
#[allow(deprecated, unreachable_code)]
pub fn host() -> Device {
    #[cfg(feature = "flex")]
    return Device::flex();
    #[cfg(feature = "ndarray")]
    return Device::ndarray();
    Device::default()
}

/// Seeds what is drawn for a run on a device: initial values, by the generator of the [`host`], and
/// what is drawn on the device itself.
pub fn seed(seed: u64, device: &Device) {
    host().seed(seed);
    device.seed(seed);
}
