//! What a convolution looks like, and how its weights are drawn.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Initializer, PaddingConfig2d};
use burn::tensor::Device;

use super::{ConvNorm, UnitKind};

/// A convolution with padding that keeps the size at stride 1; no bias, one group and He
/// initialization unless said otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ConvSpec {
    channels: [usize; 2],
    kernel: [usize; 2],
    stride: usize,
    groups: usize,
    bias: bool,
    drawing: Drawing,
}

/// How weights are drawn.
#[derive(Clone, Copy, Debug)]
enum Drawing {
    /// He initialization by fan-out: normal with variance `2 / (kernel area · output channels)`.
    /// A bias starts at zero.
    HeFanOut,
    /// What PyTorch does if nothing is said: uniform in `±1 / √fan_in`, the bias too.
    Pytorch,
}

impl ConvSpec {
    /// A convolution from `channels[0]` to `channels[1]`.
    pub(crate) fn new(channels: [usize; 2], kernel: usize) -> Self {
        Self {
            channels,
            kernel: [kernel, kernel],
            stride: 1,
            groups: 1,
            bias: false,
            drawing: Drawing::HeFanOut,
        }
    }

    /// One filter a channel.
    pub(crate) fn depthwise(channels: usize, kernel: usize) -> Self {
        Self::new([channels, channels], kernel).groups(channels)
    }

    pub(crate) fn stride(self, stride: usize) -> Self {
        Self { stride, ..self }
    }

    pub(crate) fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    pub(crate) fn biased(self) -> Self {
        Self { bias: true, ..self }
    }

    /// Weights drawn as PyTorch does by default.
    pub(crate) fn drawn_by_default(self) -> Self {
        Self {
            drawing: Drawing::Pytorch,
            ..self
        }
    }

    /// The same with a kernel that is not square.
    pub(crate) fn kernel(self, kernel: [usize; 2]) -> Self {
        Self { kernel, ..self }
    }

    pub(crate) fn output(&self) -> usize {
        self.channels[1]
    }

    pub(crate) fn size(&self) -> usize {
        self.kernel[0]
    }

    /// The convolution alone.
    pub(crate) fn init(self, device: &Device) -> Conv2d {
        let [_, output] = self.channels;
        let [height, width] = self.kernel.map(|size| size / 2);
        let config = Conv2dConfig::new(self.channels, self.kernel)
            .with_stride([self.stride, self.stride])
            .with_groups(self.groups)
            .with_padding(PaddingConfig2d::Explicit(height, width, height, width));
        match self.drawing {
            Drawing::Pytorch => config.with_bias(self.bias).init(device),
            Drawing::HeFanOut => {
                // Said in numbers, because Burn divides the fan-out by the groups and PyTorch
                // does not.
                let fan_out = output * self.kernel[0] * self.kernel[1];
                let normal = Initializer::Normal {
                    mean: 0.0,
                    std: (2.0 / fan_out as f64).sqrt(),
                };
                let mut conv = config
                    .with_bias(false)
                    .with_initializer(normal)
                    .init(device);
                conv.bias = self.bias.then(|| Initializer::Zeros.init([output], device));
                conv
            }
        }
    }

    /// The convolution with its batch norm.
    pub(crate) fn norm(self, device: &Device) -> ConvNorm {
        self.unit(UnitKind::Plain, device)
    }

    /// The convolution with its batch norm, as a unit of this kind.
    pub(crate) fn unit(self, kind: UnitKind, device: &Device) -> ConvNorm {
        ConvNorm::new(self, kind, device)
    }
}
