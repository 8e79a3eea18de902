//! VGG with batch norm for small images.

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Initializer, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use kd_kernels::{BatchNorm, BatchNormConfig};

use crate::layers::{conv3x3_bias, global_average, linear_zero_bias};
use crate::{Feature, Network};

/// Configuration of a CIFAR [`Vgg`].
#[derive(Config, Debug)]
pub struct VggConfig {
    /// Number of 3×3 convolutions in each of the five blocks.
    pub convs: [usize; 5],
    /// Number of classes.
    pub num_classes: usize,
}

/// VGG with batch norm (Simonyan & Zisserman 2014, <https://arxiv.org/abs/1409.1556>), with
/// global average pooling and one linear layer as its head.
///
/// Five blocks of 64, 128, 256, 512 and 512 channels; the first is the stem, each other one starts
/// with 2×2 max pooling. Before the last block that pooling is left out when the map is less than
/// 8 pixels high, as it is at 32×32.
#[derive(Module, Debug)]
pub struct Vgg {
    block0: Vec<ConvNorm>,
    block1: Vec<ConvNorm>,
    block2: Vec<ConvNorm>,
    block3: Vec<ConvNorm>,
    block4: Vec<ConvNorm>,
    classifier: Linear,
    pool: MaxPool2d,
}

const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];

impl VggConfig {
    /// Initialises the network: He initialisation by fan-out for convolutions, 1 and 0 for batch
    /// norm, a normal of deviation 0.01 for the classifier, zero biases.
    pub fn init(&self, device: &Device) -> Vgg {
        let block = |index: usize| -> Vec<ConvNorm> {
            let output = CHANNELS[index];
            let input = if index == 0 { 3 } else { CHANNELS[index - 1] };
            (0..self.convs[index])
                .map(|conv| ConvNorm::new([if conv == 0 { input } else { output }, output], device))
                .collect()
        };
        let normal = Initializer::Normal {
            mean: 0.0,
            std: 0.01,
        };
        Vgg {
            block0: block(0),
            block1: block(1),
            block2: block(2),
            block3: block(3),
            block4: block(4),
            classifier: linear_zero_bias(CHANNELS[4], self.num_classes, Some(normal), device),
            pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(),
        }
    }
}

impl Network for Vgg {
    fn stages(&self) -> usize {
        4
    }

    fn stage(&self, index: usize, input: Feature) -> Feature {
        match index {
            5 => global_average(input.map()).into(),
            6 => self.classifier.forward(input.vector()).into(),
            _ => self.stage_with_preact(index, input).0,
        }
    }

    fn stage_with_preact(&self, index: usize, input: Feature) -> (Feature, Feature) {
        let block = match index {
            0 => &self.block0,
            1 => &self.block1,
            2 => &self.block2,
            3 => &self.block3,
            4 => &self.block4,
            5 | 6 => {
                let output = self.stage(index, input);
                return (output.clone(), output);
            }
            _ => panic!("a VGG has stages 0 to 6, not {index}"),
        };
        let mut x = input.map();
        if index > 0 && (index < 4 || x.dims()[2] >= 8) {
            x = self.pool.forward(x);
        }
        let mut preact = x;
        for (position, layer) in block.iter().enumerate() {
            let x = if position == 0 { preact } else { relu(preact) };
            preact = layer.forward(x);
        }
        let output = relu(preact.clone());
        // The stem hands out its activation in both forms, by convention.
        let preact = if index == 0 { output.clone() } else { preact };
        (output.into(), preact.into())
    }

    fn pytorch_key(&self, path: &str) -> String {
        // PyTorch counts convolution, norm and activation as three entries of one sequence:
        // `block1.2.bn.weight` is `block1.7.weight` there.
        let parts: Vec<&str> = path.split('.').collect();
        if let [block, layer, kind, name] = parts.as_slice()
            && let Ok(layer) = layer.parse::<usize>()
        {
            let offset = usize::from(*kind == "bn");
            return format!("{block}.{}.{name}", 3 * layer + offset);
        }
        path.to_owned()
    }
}

/// 3×3 convolution with bias, and batch norm.
#[derive(Module, Debug)]
struct ConvNorm {
    conv: Conv2d,
    bn: BatchNorm,
}

impl ConvNorm {
    fn new(channels: [usize; 2], device: &Device) -> Self {
        Self {
            conv: conv3x3_bias(channels, device),
            bn: BatchNormConfig::new(channels[1]).init(device),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.bn.forward(self.conv.forward(input))
    }
}
