//! The CPU backends that this build holds.

use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::{Device, FloatDType, IntDType, TensorData};
use kd_train::{compiled_devices, device_by_name};

/// Every compiled-in CPU backend, with its name.
pub fn devices() -> Vec<(&'static str, Device)> {
    compiled_devices()
        .into_iter()
        .filter(|name| ["flex", "ndarray"].contains(name))
        .map(|name| (name, device_by_name(name).expect("a CPU is always there")))
        .collect()
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
