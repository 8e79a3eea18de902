//! The kernels are turned off for the whole process, so that this is a process of its own.
#![cfg(feature = "flex")]

use burn::tensor::{DType, Device, Tensor};
use kd_kernels::{enabled, serves, set_enabled};

#[test]
fn the_kernels_serve_f32_on_flex_until_they_are_turned_off() {
    let device = Device::flex();
    let x = Tensor::<2>::ones([2, 3], &device);
    assert!(enabled() && serves(&x));
    assert!(serves(&Tensor::<2>::ones(
        [2, 3],
        &device.clone().autodiff()
    )));
    assert!(!serves(&x.clone().cast(DType::F64)));
    assert!(!serves(&Tensor::<2>::zeros([2, 0], &device)));
    // Deprecated upstream, and a second opinion all the same.
    #[cfg(feature = "ndarray")]
    #[allow(deprecated)]
    let ndarray = Device::ndarray();
    #[cfg(feature = "ndarray")]
    assert!(!serves(&Tensor::<2>::ones([2, 3], &ndarray)));

    set_enabled(false);
    assert!(!enabled() && !serves(&x));
    set_enabled(true);
    assert!(serves(&x));
}
