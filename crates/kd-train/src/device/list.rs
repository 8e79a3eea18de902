//! The devices of this build on this machine.

use serde::Serialize;

#[cfg(any(feature = "cuda", feature = "wgpu"))]
use super::gpu;
use super::{compiled_devices, is_gpu};

/// A device that can be named, or why a backend has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceInfo {
    /// The name to give, for example `cuda:0`.
    pub name: String,
    /// What it is.
    pub what: String,
    /// Its memory in bytes; absent for a CPU, and for a GPU that does not say it.
    #[serde(rename = "memory_bytes")]
    pub memory: Option<u64>,
    /// Why it cannot be used.
    pub trouble: Option<String>,
}

/// All devices of this build on this machine, the default one first. GPUs are opened to ask for their
/// names; a backend without any is listed with the reason.
pub fn devices() -> Vec<DeviceInfo> {
    let backends = compiled_devices().into_iter();
    backends
        .flat_map(|backend| match is_gpu(backend) {
            true => gpus(backend),
            false => vec![cpu(backend)],
        })
        .collect()
}

fn cpu(backend: &str) -> DeviceInfo {
    let threads = rayon::current_num_threads();
    DeviceInfo {
        name: backend.to_owned(),
        what: format!("CPU, {threads} threads"),
        memory: None,
        trouble: None,
    }
}

#[cfg(not(any(feature = "cuda", feature = "wgpu")))]
fn gpus(_backend: &str) -> Vec<DeviceInfo> {
    Vec::new()
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn gpus(backend: &str) -> Vec<DeviceInfo> {
    let found = match gpu::all(backend) {
        Ok(found) => found,
        Err(error) => {
            return vec![DeviceInfo {
                name: backend.to_owned(),
                what: "GPU".to_owned(),
                memory: None,
                trouble: Some(error.to_string()),
            }];
        }
    };
    let numbers = 0..found.len();
    numbers.map(|index| one(backend, index)).collect()
}

#[cfg(any(feature = "cuda", feature = "wgpu"))]
fn one(backend: &str, index: usize) -> DeviceInfo {
    let name = format!("{backend}:{index}");
    let unknown = |trouble: Option<String>| DeviceInfo {
        name: name.clone(),
        what: "GPU".to_owned(),
        memory: None,
        trouble,
    };
    match gpu::open(backend, Some(index)) {
        Ok(device) => DeviceInfo {
            what: gpu::card(&device),
            memory: gpu::memory(&device),
            ..unknown(None)
        },
        Err(error) => unknown(Some(error.to_string())),
    }
}
