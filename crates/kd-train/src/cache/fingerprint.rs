//! What a teacher's outputs depend on, as one number.

use burn::tensor::Device;
use kd_core::Network;
use kd_data::{Augmentation, ImageSet};
use kd_models::weights::tensors;
use sha2::{Digest, Sha256};

use super::Kept;
use crate::{FrozenTeacher, TrainError};

/// A SHA-256 sum.
pub(crate) type Fingerprint = [u8; 32];

/// The sum of everything on which a row of the cache depends, to the last digit: the teacher's
/// architecture and weights (folded or not), the bytes of all images and how they are shown and
/// normalized, what is kept of the outputs, and what computes them: device, version, kernels and
/// instructions.
pub(crate) fn fingerprint<T: Network>(
    teacher: &FrozenTeacher<T>,
    set: &ImageSet,
    augmentation: &Augmentation,
    kept: Kept,
    device: &Device,
) -> Result<Fingerprint, TrainError> {
    let mut sum = Sum(Sha256::new());
    sum.add("teacher", teacher.name().as_bytes());
    for network in teacher.members() {
        for (key, tensor) in tensors(network, str::to_owned)? {
            sum.add(&key, format!("{:?}", tensor.shape()).as_bytes());
            sum.add(&key, tensor.as_bytes());
        }
    }
    if let Some(averaging) = teacher.averaging() {
        sum.add("ensemble", format!("{averaging:?}").as_bytes());
    }
    let shape = [set.channels(), set.height(), set.width()];
    sum.add("shape", format!("{shape:?}").as_bytes());
    for image in 0..set.len() {
        sum.add("image", &set.image(image)?);
    }
    let settings = format!(
        "{:?} {augmentation:?} {kept:?} {device:?} {} {}",
        set.normalization(),
        kd_kernels::signature(),
        env!("CARGO_PKG_VERSION")
    );
    sum.add("settings", settings.as_bytes());
    Ok(sum.0.finalize().into())
}

struct Sum(Sha256);

impl Sum {
    /// Adds a named field. With the lengths, no two lists of fields are the same bytes.
    fn add(&mut self, name: &str, bytes: &[u8]) {
        self.0.update((name.len() as u64).to_le_bytes());
        self.0.update(name);
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}
