//! The device under test, and numbers.

use burn::tensor::{Device, Tensor, TensorData};

/// The device that `KD_TEST_DEVICE` names; without one, says that the test is skipped.
#[allow(clippy::print_stderr)]
pub fn device() -> Option<Device> {
    match std::env::var("KD_TEST_DEVICE").as_deref() {
        #[cfg(feature = "wgpu")]
        Ok("wgpu") => Some(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
        #[cfg(feature = "cuda")]
        Ok("cuda") => Some(Device::cuda(0)),
        Ok(other) => panic!("KD_TEST_DEVICE: this build has no device {other:?}"),
        Err(_) => {
            eprintln!("skipped: set KD_TEST_DEVICE to a GPU of this build");
            None
        }
    }
}

/// Numbers between −1 and 1 that repeat nowhere near, different for each seed.
pub fn numbers<const D: usize>(seed: u32, dims: [usize; D]) -> TensorData {
    let count: usize = dims.iter().product();
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    TensorData::new((0..count).map(|_| next()).collect::<Vec<f32>>(), dims)
}

/// A tensor of such numbers.
pub fn tensor<const D: usize>(seed: u32, dims: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(numbers(seed, dims), device)
}

/// Panics unless both are the same but for rounding: to two units in the fifth digit of the largest
/// number.
pub fn assert_close<const D: usize>(found: &Tensor<D>, expected: &Tensor<D>, what: &str) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let [found, expected] = [found, expected].map(|tensor| {
        let numbers = tensor.clone().into_data().try_to_vec::<f32>();
        numbers.expect("f32")
    });
    let largest = expected.iter().fold(1.0f32, |most, x| most.max(x.abs()));
    for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
        let close = (found - expected).abs() <= 2e-5 * largest;
        assert!(close, "{what}, number {index}: {found} is not {expected}");
    }
}
