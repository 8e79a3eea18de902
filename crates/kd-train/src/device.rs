//! Devices by name.

use burn::tensor::Device;

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

/// Name of the first device that this build holds; `none` if it holds none.
pub fn default_device() -> &'static str {
    compiled_devices().first().copied().unwrap_or("none")
}

/// The plain (non-autodiff) device of a name: `flex`, `ndarray`, `cuda`, `cuda:1`, `wgpu`.
///
/// # Errors
///
/// [`TrainError::Device`] if there is no such device or it is not part of this build; it lists
/// what is, and names the feature to add.
pub fn device_by_name(name: &str) -> Result<Device, TrainError> {
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
        None => 0,
        Some(text) if backend == "cuda" => text.parse::<usize>().map_err(|_| {
            TrainError::Device(format!("`{name}`: expected a number after `cuda:`"))
        })?,
        Some(_) => {
            return Err(TrainError::Device(format!(
                "`{name}`: only cuda devices have a number"
            )));
        }
    };
    open(backend, index).ok_or_else(|| TrainError::Device(format!("`{name}` cannot be opened")))
}

// Burn deprecates `ndarray`; it stays a second opinion for tests.
#[allow(deprecated, unused_variables)]
fn open(backend: &str, index: usize) -> Option<Device> {
    match backend {
        #[cfg(feature = "flex")]
        "flex" => Some(Device::flex()),
        #[cfg(feature = "ndarray")]
        "ndarray" => Some(Device::ndarray()),
        #[cfg(feature = "cuda")]
        "cuda" => Some(Device::cuda(index)),
        #[cfg(feature = "wgpu")]
        "wgpu" => Some(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
        _ => None,
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
            let device = device_by_name(name).expect("a device of this build");
            let expected = ["flex", "ndarray"].contains(&name);
            assert_eq!(kd_kernels::is_cpu(&device), expected, "{name}");
        }
    }

    #[cfg(feature = "flex")]
    #[test]
    fn a_cpu_has_no_number() {
        assert!(device_by_name("flex").is_ok());
        assert!(device_by_name("flex:1").is_err());
    }
}
