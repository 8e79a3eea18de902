//! What a device is.

use burn::backend::DispatchDevice;
use burn::tensor::Device;

/// Whether this is the `flex` device, plain or autodiff.
pub fn is_flex(device: &Device) -> bool {
    match plain(device.as_dispatch()) {
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(_) => true,
        #[allow(unreachable_patterns)]
        _ => false,
    }
}

/// Whether this is a device that computes on the CPU, plain or autodiff: there, a new shape costs
/// nothing, because no kernel is compiled for it.
pub fn is_cpu(device: &Device) -> bool {
    is_flex(device)
        || match plain(device.as_dispatch()) {
            #[cfg(feature = "ndarray")]
            DispatchDevice::NdArray(_) => true,
            #[allow(unreachable_patterns)]
            _ => false,
        }
}

/// Whether this is a GPU, plain or autodiff: any device of CubeCL's.
pub fn is_gpu(device: &Device) -> bool {
    match plain(device.as_dispatch()) {
        #[cfg(feature = "cube")]
        DispatchDevice::Cube(_) => true,
        #[allow(unreachable_patterns)]
        _ => false,
    }
}

/// The device below autodiff.
fn plain(device: &DispatchDevice) -> &DispatchDevice {
    match device {
        DispatchDevice::Autodiff(device) => plain(device),
        device => device,
    }
}
