//! Per-channel mean and standard deviation.

use serde::{Deserialize, Serialize};

use crate::DataError;

/// Per-channel statistics by which images are normalized: `(x / 255 - mean) / std`.
///
/// Both are in units of 0..1, in the order red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalization {
    /// The mean of each channel.
    pub mean: [f32; 3],
    /// The standard deviation of each channel, above 0.
    pub std: [f32; 3],
}

impl Normalization {
    /// The statistics customary for CIFAR-10.
    pub const CIFAR10: Self = Self {
        mean: [0.4914, 0.4822, 0.4465],
        std: [0.2023, 0.1994, 0.2010],
    };

    /// The statistics customary for CIFAR-100.
    pub const CIFAR100: Self = Self {
        mean: [0.5071, 0.4867, 0.4408],
        std: [0.2675, 0.2565, 0.2761],
    };

    /// Checks that all values are finite and the deviations above 0.
    ///
    /// # Errors
    ///
    /// [`DataError::Invalid`] naming the field.
    pub(crate) fn check(&self) -> Result<(), DataError> {
        if !self.mean.iter().all(|m| m.is_finite()) {
            return Err(DataError::invalid(
                "Normalization",
                "mean",
                format!("{:?}", self.mean),
                "finite numbers",
            ));
        }
        if !self.std.iter().all(|s| s.is_finite() && *s > 0.0) {
            return Err(DataError::invalid(
                "Normalization",
                "std",
                format!("{:?}", self.std),
                "finite numbers above 0",
            ));
        }
        Ok(())
    }

    /// Factor and offset of each channel, so that a byte `x` becomes `x * factor + offset`.
    ///
    /// They are computed in f64 and rounded once, hence the result is as near to
    /// `(x / 255 - mean) / std` as that formula evaluated in f32.
    pub(crate) fn affine(&self) -> ([f32; 3], [f32; 3]) {
        let factor = self.std.map(|s| (1.0 / (255.0 * f64::from(s))) as f32);
        let offset = [0, 1, 2].map(|c| (-f64::from(self.mean[c]) / f64::from(self.std[c])) as f32);
        (factor, offset)
    }
}
