//! What several tests need.

#![allow(dead_code)] // Every test file uses a part of it.

use burn::tensor::{DType, Device, Tensor};
use kd_data::{ImageSet, Normalization};

/// The CPU devices this build has.
pub fn devices() -> Vec<Device> {
    vec![
        #[cfg(feature = "flex")]
        Device::flex(),
        #[cfg(feature = "ndarray")]
        ndarray(),
    ]
}

#[cfg(feature = "ndarray")]
#[allow(deprecated)] // It is there as a second opinion.
fn ndarray() -> Device {
    Device::ndarray()
}

/// Deterministic bytes which are neither periodic in a row nor equal in two images.
pub fn bytes(count: usize) -> Vec<u8> {
    (0..count as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect()
}

/// A set of `n` images of `[3, h, w]` in 7 classes.
pub fn set(n: usize, [h, w]: [usize; 2]) -> ImageSet {
    let labels = (0..n as u32).map(|i| i % 7).collect();
    ImageSet::new(
        bytes(n * 3 * h * w),
        labels,
        [h, w],
        7,
        Normalization::CIFAR100,
    )
    .expect("a valid set")
}

/// The values of a tensor on the host.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data_dtype(DType::F32)
        .try_into_vec()
        .expect("32-bit floats")
}

/// Asserts that two lists are equal within `tolerance`.
pub fn assert_near(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (i, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!((f - e).abs() <= tolerance, "{f} instead of {e} at {i}");
    }
}

/// Pad with black, crop, flip, scale to 0..1 and normalize, pixel by pixel and in f64.
pub fn naive(
    image: &[u8],
    [h, w]: [usize; 2],
    pad: usize,
    (dy, dx, flip): (usize, usize, bool),
    normalization: &Normalization,
) -> Vec<f32> {
    let mut out = Vec::new();
    for c in 0..3 {
        for i in 0..h {
            for j in 0..w {
                let column = if flip { w - 1 - j } else { j };
                // Of the padded image, then of the image itself.
                let (y, x) = (dy + i, dx + column);
                let inside = (pad..pad + h).contains(&y) && (pad..pad + w).contains(&x);
                let byte = if inside {
                    image[(c * h + y - pad) * w + x - pad]
                } else {
                    0
                };
                let (mean, std) = (normalization.mean[c], normalization.std[c]);
                out.push(((f64::from(byte) / 255.0 - f64::from(mean)) / f64::from(std)) as f32);
            }
        }
    }
    out
}
