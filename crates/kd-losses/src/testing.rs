//! Random numbers for unit tests: other ones at each call, the same in each run.
//!
//! Burn's generator is one for all tests, which run side by side: what a test drew from it
//! would depend on the others, and a tolerance would be missed once in many runs.

use std::cell::Cell;

use burn::tensor::{Device, Distribution, Shape, Tensor, TensorData};

thread_local! {
    /// State of a SplitMix64. A test has a thread of its own.
    static STATE: Cell<u64> = const { Cell::new(1) };
}

/// A number in `(0, 1)`.
fn uniform() -> f64 {
    let state = STATE.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
    STATE.set(state);
    let z = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    (((z ^ (z >> 31)) >> 11) as f64 + 0.5) / (1u64 << 53) as f64
}

/// As [`Tensor::random`].
pub(crate) fn random<const D: usize>(
    shape: impl Into<Shape>,
    distribution: Distribution,
    device: &Device,
) -> Tensor<D> {
    let shape = shape.into();
    let values: Vec<f32> = (0..shape.num_elements())
        .map(|_| match distribution {
            Distribution::Uniform(low, high) => (low + (high - low) * uniform()) as f32,
            // Box and Muller.
            Distribution::Normal(mean, std) => {
                let radius = (-2.0 * uniform().ln()).sqrt();
                (mean + std * radius * (std::f64::consts::TAU * uniform()).cos()) as f32
            }
            _ => uniform() as f32,
        })
        .collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}
