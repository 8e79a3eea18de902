//! Devices by name.

#[cfg(any(feature = "cuda", feature = "wgpu"))]
mod gpu;
mod gpu_cache;
mod list;
mod trouble;
mod watch;

use burn::tensor::Device;

pub use gpu_cache::{GPU_CACHE_VARIABLE, GpuCache, default_gpu_cache};
pub use list::{DeviceInfo, devices};
pub use trouble::{guard_device, quiet_device_panics};
pub use watch::KernelWatch;

use crate::TrainError;

/// All backends, with the feature that brings each in.
const BACKENDS: &[(&str, bool)] = &[
    ("flex", cfg!(feature = "flex")),
    ("ndarray", cfg!(feature = "ndarray")),
    ("cuda", cfg!(feature = "cuda")),
    ("wgpu", cfg!(feature = "wgpu")),
];

/// Names of the devices that this build holds.
pub fn compiled_devices() -> Vec<&'static str> {
    BACKENDS
        .iter()
        .filter(|(_, compiled)| *compiled)
        .map(|(name, _)| *name)
        .collect()
}

/// Name of the first device that this build holds: the CPU, unless it was left out; `none` if it
/// holds none.
pub fn default_device() -> &'static str {
    compiled_devices().first().copied().unwrap_or("none")
}

/// The plain (non-autodiff) device of a name: `flex`, `ndarray`, `cuda`, `cuda:1`, `wgpu`, `wgpu:1`.
///
/// A GPU is looked for and opened here, and here only: its tuned and compiled kernels are kept in the
/// [default folder](default_gpu_cache), unless [`GpuCache::start`] said another one before.
///
/// # Errors
///
/// [`TrainError::Device`] if there is no such device or it is not part of this build; it lists
/// what is, and names the feature to add. The same if the machine has no driver, no such GPU, or
/// lacks what its kernels are compiled with.
pub fn device_by_name(name: &str) -> Result<Device, TrainError> {
    let (backend, index) = parse(name)?;
    open(backend, index)
}

/// Whether this build has the device of a name; nothing is opened, and whether there is such a GPU is
/// not looked at.
///
/// # Errors
///
/// As [`device_by_name`], as far as that is about the build.
pub fn check_device_name(name: &str) -> Result<(), TrainError> {
    parse(name).map(|_| ())
}

/// The backend of a device's name, which this build has, and the number of a GPU.
fn parse(name: &str) -> Result<(&str, Option<usize>), TrainError> {
    let (backend, index) = match name.split_once(':') {
        Some((backend, index)) => (backend, Some(index)),
        None => (name, None),
    };
    let available = compiled_devices().join(", ");
    let Some((_, compiled)) = BACKENDS.iter().find(|(known, _)| *known == backend) else {
        return Err(TrainError::Device(format!(
            "unknown device `{name}`; this build has {available}"
        )));
    };
    if !compiled {
        return Err(TrainError::Device(format!(
            "this build has no `{backend}`, only {available}; build with `--features {backend}`"
        )));
    }
    let index = match index {
        None => None,
        Some(text) if is_gpu(backend) => Some(text.parse::<usize>().map_err(|_| {
            TrainError::Device(format!("`{name}`: expected a number after `{backend}:`"))
        })?),
        Some(_) => {
            return Err(TrainError::Device(format!(
                "`{name}`: only GPUs have a number"
            )));
        }
    };
    Ok((backend, index))
}

/// The name of the card of a GPU that is open; `None` for a CPU.
pub fn gpu_name(device: &Device) -> Option<String> {
    if kd_kernels::is_cpu(device) {
        return None;
    }
    #[cfg(any(feature = "cuda", feature = "wgpu"))]
    return Some(gpu::card(device));
    #[cfg(not(any(feature = "cuda", feature = "wgpu")))]
    None
}

/// Whether a backend is one of GPUs.
fn is_gpu(backend: &str) -> bool {
    ["cuda", "wgpu"].contains(&backend)
}

// Burn deprecates `ndarray`; it stays a second opinion for tests.
#[allow(deprecated, unused_variables)]
fn open(backend: &str, index: Option<usize>) -> Result<Device, TrainError> {
    match backend {
        #[cfg(feature = "flex")]
        "flex" => Ok(Device::flex()),
        #[cfg(feature = "ndarray")]
        "ndarray" => Ok(Device::ndarray()),
        #[cfg(any(feature = "cuda", feature = "wgpu"))]
        _ if is_gpu(backend) => gpu::open(backend, index),
        _ => Err(TrainError::Device(format!("`{backend}` cannot be opened"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_device_is_answered_with_those_of_this_build() {
        let message = device_by_name("tpu")
            .expect_err("no such device")
            .to_string();
        assert_eq!(
            message,
            format!(
                "device: unknown device `tpu`; this build has {}",
                compiled_devices().join(", ")
            )
        );
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_device_that_is_not_compiled_in_names_its_feature() {
        let message = device_by_name("cuda:1").expect_err("no cuda").to_string();
        assert!(
            message.ends_with("build with `--features cuda`"),
            "{message}"
        );
    }

    #[test]
    fn the_cpu_is_known_by_its_devices() {
        for name in compiled_devices() {
            if is_gpu(name) {
                continue;
            }
            let device = device_by_name(name).expect("a device of this build");
            assert!(kd_kernels::is_cpu(&device), "{name}");
        }
    }

    #[cfg(feature = "flex")]
    #[test]
    fn a_cpu_has_no_number() {
        assert!(device_by_name("flex").is_ok());
        assert!(device_by_name("flex:1").is_err());
    }
}
