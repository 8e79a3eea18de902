//! GPUs: looking for them before anything opens one.

#[cfg(feature = "cuda")]
use std::path::Path;

use burn::backend::DispatchDevice;
use burn::tensor::{Device, DeviceType};

use super::{default_gpu_cache, gpu_cache, guard_device};
use crate::TrainError;

/// A GPU that there is, by its number or the best one. It is opened, and its kernels are kept by its
/// name.
pub(super) fn open(backend: &str, index: Option<usize>) -> Result<Device, TrainError> {
    let mut found = all(backend)?;
    let number = index.unwrap_or(0);
    if number >= found.len() {
        let names: Vec<String> = (0..found.len()).map(|i| format!("{backend}:{i}")).collect();
        return Err(TrainError::Device(format!(
            "there is no `{backend}:{number}`: this machine has {}",
            names.join(", ")
        )));
    }
    check_tools(backend)?;
    default_gpu_cache().start();
    let device = match index {
        // By Vulkan, Metal or WebGPU, the first is not always the best.
        None => best(backend).unwrap_or_else(|| found.swap_remove(number)),
        Some(_) => found.swap_remove(number),
    };
    // The first to open it.
    let card = guard_device(None, || Ok::<_, TrainError>(card(&device)))?;
    gpu_cache::name_after(&card);
    Ok(device)
}

/// All GPUs of a backend, at least one. Nothing is opened.
pub(super) fn all(backend: &str) -> Result<Vec<Device>, TrainError> {
    let (found, missing) = match backend {
        #[cfg(feature = "cuda")]
        "cuda" => (
            Device::enumerate(DeviceType::Cuda).into_vec(),
            "no NVIDIA GPU, or no driver for it (libcuda)",
        ),
        #[cfg(feature = "wgpu")]
        "wgpu" => (
            Device::enumerate(DeviceType::Wgpu).into_vec(),
            "no GPU that has a driver for Vulkan, Metal or WebGPU",
        ),
        _ => (Vec::new(), "no such GPU"),
    };
    match found.is_empty() {
        true => Err(TrainError::Device(format!(
            "`{backend}` cannot be used: this machine has {missing}"
        ))),
        false => Ok(found),
    }
}

fn best(backend: &str) -> Option<Device> {
    match backend {
        #[cfg(feature = "wgpu")]
        "wgpu" => Some(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
        _ => None,
    }
}

/// What kernels are compiled with, besides the driver.
fn check_tools(backend: &str) -> Result<(), TrainError> {
    match backend {
        #[cfg(feature = "cuda")]
        "cuda" if !has_libdevice() => Err(TrainError::Device(
            "`cuda` cannot be used: no nvvm/libdevice/libdevice.10.bc, part of the CUDA toolkit; install it, or set CUDA_PATH to its location"
                .to_owned(),
        )),
        _ => Ok(()),
    }
}

/// Whether NVIDIA's mathematical functions are where CubeCL looks for them.
#[cfg(feature = "cuda")]
fn has_libdevice() -> bool {
    let has = |root: &Path| root.join("nvvm/libdevice/libdevice.10.bc").is_file();
    match std::env::var_os("CUDA_PATH") {
        Some(root) => has(root.as_ref()),
        None => ["/usr/local/cuda", "/opt/cuda", "/usr/lib/cuda", "/usr"]
            .iter()
            .any(|root| has(root.as_ref())),
    }
}

/// The card's name, as its driver says it. Opens the device.
pub(super) fn card(device: &Device) -> String {
    let identity = device.identity();
    identity.map_or_else(|| "unknown GPU".to_owned(), |identity| identity.name)
}

/// The memory of a GPU in bytes, if it says so. Opens the device.
pub(super) fn memory(device: &Device) -> Option<u64> {
    match device.as_dispatch() {
        DispatchDevice::Cube(device) => device.client().properties().memory.max_memory(),
        #[allow(unreachable_patterns)]
        _ => None,
    }
}
