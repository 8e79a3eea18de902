//! The devices that tests run on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Once, OnceLock};

use burn::tensor::{Device, FloatDType, IntDType, TensorData};
use kd_train::{compiled_devices, device_by_name};

/// The variable that names a GPU to test instead of the CPU, for example `wgpu`.
const GPU: &str = "KD_TEST_DEVICE";

/// Every compiled-in CPU backend, with its name; or the GPU that `KD_TEST_DEVICE` names, alone.
pub fn devices() -> Vec<(&'static str, Device)> {
    if let Some(gpu) = gpu() {
        return vec![gpu];
    }
    compiled_devices()
        .into_iter()
        .filter(|name| ["flex", "ndarray"].contains(name))
        .map(|name| (name, device_by_name(name).expect("a CPU is always there")))
        .collect()
}

/// The GPU that `KD_TEST_DEVICE` names, with the name of its backend.
///
/// # Panics
///
/// If it cannot be opened: it was asked for.
pub fn gpu() -> Option<(&'static str, Device)> {
    // Looking for it takes a while.
    static FOUND: OnceLock<Option<(&'static str, Device)>> = OnceLock::new();
    let found = FOUND.get_or_init(|| {
        let name = std::env::var(GPU).ok()?;
        let device = device_by_name(&name).unwrap_or_else(|error| panic!("{GPU}: {error}"));
        let backends = compiled_devices().into_iter();
        let backend = backends.rev().find(|backend| name.starts_with(backend));
        Some((backend.unwrap_or_default(), device))
    });
    found.clone()
}

/// The same for a test of a GPU alone, which says so where it is skipped.
// A test that is skipped is to be seen.
#[allow(clippy::print_stderr)]
pub fn gpu_or_skip(test: &str) -> Option<Device> {
    let gpu = gpu().map(|(_, device)| device);
    if gpu.is_none() {
        eprintln!("skipped: {test}: set {GPU} to a GPU, for example wgpu");
    }
    gpu
}

static DOUBLE: AtomicBool = AtomicBool::new(false);

/// Makes the default device compute in f64, from now on and for the whole process: to be called
/// before any tensor is made.
pub fn in_f64() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        Device::default()
            .configure((FloatDType::F64, IntDType::I32))
            .expect("a CPU has f64, and no tensor was made before");
        DOUBLE.store(true, Ordering::SeqCst);
    });
}

/// Data in the precision of the process.
pub fn float_data(values: Vec<f32>, shape: Vec<usize>) -> TensorData {
    let data = TensorData::new(values, shape);
    match DOUBLE.load(Ordering::SeqCst) {
        true => data.convert::<f64>(),
        false => data,
    }
}
