//! Residual networks for small images.

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use kd_kernels::{BatchNorm, BatchNormConfig};

use crate::layers::{Downsample, conv3x3, global_average};
use crate::{Feature, Network};

/// Configuration of a CIFAR [`Resnet`].
#[derive(Config, Debug)]
pub struct ResnetConfig {
    /// Number of layers, `6n + 2` for `n` blocks a stage.
    pub depth: usize,
    /// Channels of the stem and of the three stages.
    pub channels: [usize; 4],
    /// Number of classes.
    pub num_classes: usize,
}

/// Residual network of basic blocks in three stages (He et al. 2015, section 4.2,
/// <https://arxiv.org/abs/1512.03385>), with projection shortcuts.
///
/// At 32×32 pixels its maps are 32, 32, 16 and 8 pixels wide. The `x4` variants have 32, 64, 128
/// and 256 channels instead of 16, 16, 32 and 64.
#[derive(Module, Debug)]
pub struct Resnet {
    conv1: Conv2d,
    bn1: BatchNorm,
    layer1: Vec<BasicBlock>,
    layer2: Vec<BasicBlock>,
    layer3: Vec<BasicBlock>,
    fc: Linear,
}

impl ResnetConfig {
    /// Initialises the network: He initialisation by fan-out for convolutions, 1 and 0 for batch
    /// norm, PyTorch's default for the classifier.
    pub fn init(&self, device: &Device) -> Resnet {
        let [stem, one, two, three] = self.channels;
        let blocks = self.depth.saturating_sub(2) / 6;
        let stage = |input, output, stride| -> Vec<BasicBlock> {
            (0..blocks)
                .map(|index| match index {
                    0 => BasicBlock::new([input, output], stride, device),
                    _ => BasicBlock::new([output, output], 1, device),
                })
                .collect()
        };
        Resnet {
            conv1: conv3x3([3, stem], 1, device),
            bn1: BatchNormConfig::new(stem).init(device),
            layer1: stage(stem, one, 1),
            layer2: stage(one, two, 2),
            layer3: stage(two, three, 2),
            fc: LinearConfig::new(three, self.num_classes).init(device),
        }
    }
}

impl Network for Resnet {
    fn stages(&self) -> usize {
        3
    }

    fn stage(&self, index: usize, input: Feature) -> Feature {
        match index {
            4 => global_average(input.map()).into(),
            5 => self.fc.forward(input.vector()).into(),
            _ => self.stage_with_preact(index, input).0,
        }
    }

    fn stage_with_preact(&self, index: usize, input: Feature) -> (Feature, Feature) {
        let blocks = match index {
            0 => {
                // The stem hands out its activation in both forms, by convention.
                let output = relu(self.bn1.forward(self.conv1.forward(input.map())));
                return (output.clone().into(), output.into());
            }
            1 => &self.layer1,
            2 => &self.layer2,
            3 => &self.layer3,
            4 | 5 => {
                let output = self.stage(index, input);
                return (output.clone(), output);
            }
            _ => panic!("a resnet has stages 0 to 5, not {index}"),
        };
        let input = input.map();
        let (output, preact) = blocks
            .iter()
            .fold((input.clone(), input), |(x, _), block| block.forward(x));
        (output.into(), preact.into())
    }

    fn pytorch_key(&self, path: &str) -> String {
        path.replace("downsample.conv.", "downsample.0.")
            .replace("downsample.bn.", "downsample.1.")
    }
}

/// Two 3×3 convolutions with a shortcut.
#[derive(Module, Debug)]
struct BasicBlock {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    downsample: Option<Downsample>,
}

impl BasicBlock {
    fn new(channels: [usize; 2], stride: usize, device: &Device) -> Self {
        let [_, output] = channels;
        Self {
            conv1: conv3x3(channels, stride, device),
            bn1: BatchNormConfig::new(output).init(device),
            conv2: conv3x3([output, output], 1, device),
            bn2: BatchNormConfig::new(output).init(device),
            downsample: Downsample::if_needed(channels, stride, device),
        }
    }

    /// The output after and before its last activation.
    fn forward(&self, input: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
        let x = relu(self.bn1.forward(self.conv1.forward(input.clone())));
        let x = self.bn2.forward(self.conv2.forward(x));
        let shortcut = match &self.downsample {
            Some(downsample) => downsample.forward(input),
            None => input,
        };
        let preact = x + shortcut;
        (relu(preact.clone()), preact)
    }
}
