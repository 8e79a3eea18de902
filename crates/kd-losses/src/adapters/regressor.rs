//! The convolution between two maps of different shapes.

use burn::config::Config;
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use kd_nn::{Activation, BatchNorm, BatchNormConfig, conv2d_layer};

use crate::{Gate, LossError};

/// Configuration of [`Regressor`].
#[derive(Config, Debug, PartialEq, Eq)]
pub struct RegressorConfig {
    /// `[channels, height, width]` of the student's map.
    pub student: [usize; 3],
    /// `[channels, height, width]` of the teacher's map.
    pub teacher: [usize; 3],
    /// Whether the regressor ends in a ReLU.
    #[config(default = true)]
    pub use_relu: bool,
}

/// A convolution that brings a map of the student to the shape of a map of the teacher, then
/// batch norm, then ReLU if asked for (the `ConvReg` of RepDistiller and of spot-adaptive
/// distillation, after Romero et al. 2014, <https://arxiv.org/abs/1412.6550>).
///
/// For a student's map of `sh × sw` and a teacher's of `th × tw`:
///
/// | sizes | convolution |
/// |---|---|
/// | student twice as large, both ways | 3×3, stride 2, padding 1 |
/// | student half as large, both ways | transposed 4×4, stride 2, padding 1 |
/// | student equal or larger | `(sh − th + 1) × (sw − tw + 1)`; 1×1 for equal sizes |
/// | student smaller | transposed, stride `t / s` rounded down, kernel `t − (s − 1) · stride`, for each axis |
///
/// The last kernel is the stride plus the remainder of `t / s`: the smallest that reaches every
/// value of the teacher's map, the last row and column included. That branch exists in
/// spot-adaptive distillation only. The references choose the branch by the height and fail on
/// maps whose widths do not agree with it; here both axes count, which changes nothing for square
/// maps.
///
/// The convolution has a bias, as in the references, though batch norm in training removes it
/// again and its gradient is 0 up to rounding.
#[derive(Module, Debug)]
pub struct Regressor {
    /// The convolution.
    pub conv: RegressorConv,
    /// The batch norm, over the teacher's channels.
    pub bn: BatchNorm,
    /// Whether the output is rectified.
    pub use_relu: bool,
}

/// The convolution of a [`Regressor`].
#[derive(Module, Debug)]
pub enum RegressorConv {
    /// The student's map is not the smaller one.
    Conv(Conv2d),
    /// The student's map is the smaller one.
    ConvTranspose(ConvTranspose2d),
}

/// A convolution without its channels.
#[derive(Debug, PartialEq, Eq)]
struct Geometry {
    transposed: bool,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: usize,
}

impl RegressorConfig {
    /// Initializes the regressor, with the initial values of PyTorch's layers.
    ///
    /// # Errors
    ///
    /// [`LossError::NoRegressor`] if one axis would have to grow and the other to shrink, or if a
    /// dimension is 0.
    pub fn init(&self, device: &Device) -> Result<Regressor, LossError> {
        let Geometry {
            transposed,
            kernel,
            stride,
            padding,
        } = self.geometry()?;
        let channels = [self.student[0], self.teacher[0]];
        let conv = if transposed {
            let config = ConvTranspose2dConfig::new(channels, kernel)
                .with_stride(stride)
                .with_padding([padding; 2]);
            RegressorConv::ConvTranspose(config.init(device))
        } else {
            let config = Conv2dConfig::new(channels, kernel)
                .with_stride(stride)
                .with_padding(PaddingConfig2d::Explicit(
                    padding, padding, padding, padding,
                ));
            RegressorConv::Conv(config.init(device))
        };
        Ok(Regressor {
            conv,
            bn: BatchNormConfig::new(self.teacher[0]).init(device),
            use_relu: self.use_relu,
        })
    }

    fn geometry(&self) -> Result<Geometry, LossError> {
        let impossible = |reason| LossError::NoRegressor {
            student: self.student,
            teacher: self.teacher,
            reason,
        };
        if self.student.contains(&0) || self.teacher.contains(&0) {
            return Err(impossible("a dimension is 0"));
        }
        let ([_, sh, sw], [_, th, tw]) = (self.student, self.teacher);
        if [sh, sw] == [2 * th, 2 * tw] {
            Ok(Geometry {
                transposed: false,
                kernel: [3, 3],
                stride: [2, 2],
                padding: 1,
            })
        } else if [2 * sh, 2 * sw] == [th, tw] {
            Ok(Geometry {
                transposed: true,
                kernel: [4, 4],
                stride: [2, 2],
                padding: 1,
            })
        } else if sh >= th && sw >= tw {
            Ok(Geometry {
                transposed: false,
                kernel: [sh - th + 1, sw - tw + 1],
                stride: [1, 1],
                padding: 0,
            })
        } else if sh <= th && sw <= tw {
            let stride = [th / sh, tw / sw];
            Ok(Geometry {
                transposed: true,
                kernel: [th - (sh - 1) * stride[0], tw - (sw - 1) * stride[1]],
                stride,
                padding: 0,
            })
        } else {
            Err(impossible(
                "one axis would have to grow and the other to shrink",
            ))
        }
    }
}

impl Regressor {
    /// The student's map in the shape of the teacher's.
    ///
    /// # Shapes
    ///
    /// - student: `[batch, channels, height, width]` as in [`RegressorConfig::student`]
    /// - output: `[batch, channels, height, width]` as in [`RegressorConfig::teacher`]
    ///
    /// # Panics
    ///
    /// If the number of channels is not the configured one.
    pub fn forward(&self, student: Tensor<4>) -> Tensor<4> {
        self.forward_gated(student, &Gate::all())
    }

    /// The same, with batch statistics over the chosen samples only: see [`Gate`].
    ///
    /// # Panics
    ///
    /// As [`forward`](Self::forward), or if the gate is for another batch.
    pub fn forward_gated(&self, student: Tensor<4>, gate: &Gate) -> Tensor<4> {
        let output = match &self.conv {
            RegressorConv::Conv(conv) => conv2d_layer(conv, student),
            RegressorConv::ConvTranspose(conv) => conv.forward(student),
        };
        match (gate.entries(), self.use_relu) {
            (None, true) => self.bn.forward_with(output, None, Activation::Relu),
            (chosen, true) => relu(self.bn.forward_gated(output, chosen)),
            (chosen, false) => self.bn.forward_gated(output, chosen),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn config(student: [usize; 2], teacher: [usize; 2]) -> RegressorConfig {
        RegressorConfig::new([2, student[0], student[1]], [3, teacher[0], teacher[1]])
    }

    fn geometry(student: [usize; 2], teacher: [usize; 2]) -> (bool, [usize; 2], [usize; 2], usize) {
        let found = config(student, teacher).geometry().expect("a convolution");
        (found.transposed, found.kernel, found.stride, found.padding)
    }

    #[test]
    fn the_sizes_choose_the_convolution() {
        assert_eq!(geometry([8, 8], [8, 8]), (false, [1, 1], [1, 1], 0));
        assert_eq!(geometry([8, 8], [4, 4]), (false, [3, 3], [2, 2], 1));
        assert_eq!(geometry([4, 4], [8, 8]), (true, [4, 4], [2, 2], 1));
        assert_eq!(geometry([7, 7], [4, 4]), (false, [4, 4], [1, 1], 0));
        assert_eq!(geometry([6, 8], [5, 7]), (false, [2, 2], [1, 1], 0));
        assert_eq!(geometry([3, 3], [7, 7]), (true, [3, 3], [2, 2], 0));
        assert_eq!(geometry([2, 2], [8, 8]), (true, [4, 4], [4, 4], 0));
        assert_eq!(geometry([3, 4], [4, 4]), (true, [2, 1], [1, 1], 0));
    }

    #[test]
    fn shapes_that_no_convolution_connects_are_an_error() {
        let message = |student, teacher| {
            config(student, teacher)
                .init(&Device::default())
                .expect_err("impossible")
                .to_string()
        };
        assert_eq!(
            message([8, 4], [4, 8]),
            "no regressor maps the student's [N, 2, 8, 4] to the teacher's [N, 3, 4, 8]: \
             one axis would have to grow and the other to shrink"
        );
        assert!(message([0, 4], [4, 8]).ends_with("a dimension is 0"));
    }

    #[test]
    fn the_relu_is_optional() {
        let device = Device::default();
        let input = crate::testing::random(
            [2, 2, 4, 4],
            burn::tensor::Distribution::Normal(0.0, 1.0),
            &device,
        );
        let smallest = |use_relu| {
            let regressor = config([4, 4], [4, 4])
                .with_use_relu(use_relu)
                .init(&device)
                .expect("a regressor");
            regressor.forward(input.clone()).min().into_scalar::<f32>()
        };
        assert_eq!(smallest(true), 0.0);
        assert!(smallest(false) < 0.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn the_output_has_the_teachers_shape(
            student in prop::array::uniform2(1usize..9),
            teacher in prop::array::uniform2(1usize..9),
        ) {
            let device = Device::default();
            let input = Tensor::zeros([2, 2, student[0], student[1]], &device);
            match config(student, teacher).init(&device) {
                Ok(regressor) => prop_assert_eq!(
                    regressor.forward(input).dims(),
                    [2, 3, teacher[0], teacher[1]]
                ),
                Err(_) => prop_assert!(
                    (student[0] < teacher[0]) != (student[1] < teacher[1])
                ),
            }
        }
    }
}
