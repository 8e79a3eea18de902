//! The convolutional regressor of FitNets.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use kd_kernels::{BatchNorm, BatchNormConfig};

use crate::LossError;

/// Configuration of a [`Regressor`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegressorConfig {
    /// `[channels, height, width]` of the student's map.
    pub student: [usize; 3],
    /// `[channels, height, width]` of the teacher's map.
    pub teacher: [usize; 3],
    /// Whether the output is rectified. Default: true.
    pub use_relu: bool,
}

/// Brings a student's map to the shape of the teacher's: a convolution with bias, batch norm and
/// (optionally) ReLU, as in RepDistiller and spot-adaptive distillation.
///
/// The convolution depends on the heights `s` and `t` of the two maps:
///
/// | case | convolution |
/// |---|---|
/// | `s = 2t` | 3×3, stride 2, padding 1 |
/// | `2s = t` | transposed 4×4, stride 2, padding 1 |
/// | `s ≥ t` | kernel `s − t + 1` in each direction, no padding (1×1 for equal maps) |
/// | otherwise | transposed, stride `⌊t / s⌋`, kernel `t − (s − 1) · stride` in each direction |
///
/// The last case exists in spot-adaptive distillation only.
#[derive(Module, Debug)]
pub struct Regressor {
    /// The convolution.
    pub conv: RegressorConv,
    /// Batch norm over the teacher's channels.
    pub bn: BatchNorm,
    /// Whether the output is rectified.
    pub use_relu: bool,
}

/// The convolution of a [`Regressor`].
#[derive(Module, Debug)]
pub enum RegressorConv {
    /// To an equal or smaller map.
    Conv(Conv2d),
    /// To a larger map.
    Transposed(ConvTranspose2d),
}

impl RegressorConfig {
    /// From `[channels, height, width]` of the student to that of the teacher.
    pub fn new(student: [usize; 3], teacher: [usize; 3]) -> Self {
        Self {
            student,
            teacher,
            use_relu: true,
        }
    }

    /// Whether the output is rectified.
    pub fn with_use_relu(mut self, use_relu: bool) -> Self {
        self.use_relu = use_relu;
        self
    }

    /// Initialises the regressor with PyTorch's default distribution.
    ///
    /// # Errors
    ///
    /// [`LossError::EmptyMap`] if a map has no extent, or is larger than the teacher's in one
    /// direction and smaller in the other.
    pub fn init(&self, device: &Device) -> Result<Regressor, LossError> {
        let [inputs, sh, sw] = self.student;
        let [outputs, th, tw] = self.teacher;
        let consistent = if sh >= th { sw >= tw } else { sw < tw };
        if self.student.contains(&0) || self.teacher.contains(&0) || !consistent {
            return Err(LossError::EmptyMap {
                method: "hint",
                student: self.student,
                teacher: self.teacher,
            });
        }
        let channels = [inputs, outputs];
        let conv = |kernel, stride, padding| {
            RegressorConv::Conv(
                Conv2dConfig::new(channels, kernel)
                    .with_stride([stride, stride])
                    .with_padding(PaddingConfig2d::Explicit(
                        padding, padding, padding, padding,
                    ))
                    .init(device),
            )
        };
        let transposed = |kernel, stride, padding| {
            RegressorConv::Transposed(
                ConvTranspose2dConfig::new(channels, kernel)
                    .with_stride(stride)
                    .with_padding([padding, padding])
                    .init(device),
            )
        };
        let conv = if sh == 2 * th {
            conv([3, 3], 2, 1)
        } else if 2 * sh == th {
            transposed([4, 4], [2, 2], 1)
        } else if sh >= th {
            conv([sh - th + 1, sw - tw + 1], 1, 0)
        } else {
            let stride = [th / sh, tw / sw];
            let kernel = [th - (sh - 1) * stride[0], tw - (sw - 1) * stride[1]];
            transposed(kernel, stride, 0)
        };
        Ok(Regressor {
            conv,
            bn: BatchNormConfig::new(outputs).init(device),
            use_relu: self.use_relu,
        })
    }
}

impl Regressor {
    /// Regresses a student's map `[batch, channels, height, width]` to the teacher's shape.
    pub fn forward(&self, student: Tensor<4>) -> Tensor<4> {
        let map = match &self.conv {
            RegressorConv::Conv(conv) => conv.forward(student),
            RegressorConv::Transposed(conv) => conv.forward(student),
        };
        let map = self.bn.forward(map);
        if self.use_relu { relu(map) } else { map }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_gives_the_teachers_shape() {
        let device = Device::default();
        for (student, teacher) in [
            ([3, 8, 8], [5, 8, 8]),
            ([3, 8, 8], [5, 4, 4]),
            ([3, 4, 4], [5, 8, 8]),
            ([3, 7, 7], [5, 4, 4]),
            ([3, 3, 3], [5, 7, 7]),
            ([3, 6, 8], [5, 5, 7]),
            ([3, 2, 3], [5, 9, 10]),
        ] {
            let regressor = RegressorConfig::new(student, teacher)
                .init(&device)
                .expect("shapes that can be joined");
            let [c, h, w] = student;
            let output = regressor.forward(Tensor::zeros([2, c, h, w], &device));
            let [c, h, w] = teacher;
            assert_eq!(output.dims(), [2, c, h, w], "{student:?} to {teacher:?}");
        }
    }

    #[test]
    fn maps_that_cannot_be_joined_are_an_error_with_both_shapes() {
        let error = RegressorConfig::new([3, 8, 4], [5, 4, 8])
            .init(&Device::default())
            .expect_err("larger in one direction only");
        let message = error.to_string();
        assert!(message.contains("[3, 8, 4]") && message.contains("[5, 4, 8]"));
    }
}
