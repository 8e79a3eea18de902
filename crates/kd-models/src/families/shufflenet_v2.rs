//! ShuffleNetV2 for small images.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use kd_core::{Classifier, Feature, Network};

use crate::layers::{
    ConvNorm, ConvSpec, Fold, Folding, SPLIT, STAGES, classifier, fold_fields, global_average,
    interleave_channels, rename, tally,
};
use crate::{CountMacs, Foldable, PytorchKeys};

/// Configuration of a [`ShufflenetV2`].
#[derive(Config, Debug)]
pub struct ShufflenetV2Config {
    /// Number of classes.
    pub num_classes: usize,
}

/// ShuffleNetV2 of width 1 (Ma et al. 2018, <https://arxiv.org/abs/1807.11164>) as the
/// distillation literature uses it for small images: a 1×1 convolution as stem, no pooling before
/// the stages.
///
/// At 32×32 pixels its maps are 32, 16, 8 and 4 pixels wide, of 24, 116, 232 and 464 channels. The
/// 1×1 convolution to 1024 channels belongs to the pooling.
#[derive(Module, Debug)]
pub struct ShufflenetV2 {
    conv1: ConvNorm,
    stages: Vec<Vec<Block>>,
    conv2: ConvNorm,
    linear: Linear,
}

const STEM: usize = 24;

/// Channels of each stage and its number of blocks after the first.
const BLOCKS: [[usize; 2]; 3] = [[116, 3], [232, 7], [464, 3]];

/// Channels of the last convolution.
const FEATURES: usize = 1024;

impl ShufflenetV2Config {
    /// Initializes the network as PyTorch does by default.
    pub fn init(&self, device: &Device) -> ShufflenetV2 {
        let pointwise = |channels| ConvSpec::new(channels, 1).drawn_by_default().norm(device);
        let mut input = STEM;
        let stages = BLOCKS
            .iter()
            .map(|&[output, blocks]| {
                let first = Block::down([input, output], device);
                input = output;
                std::iter::once(first)
                    .chain((0..blocks).map(|_| Block::plain(output, device)))
                    .collect()
            })
            .collect();
        ShufflenetV2 {
            conv1: pointwise([3, STEM]),
            stages,
            conv2: pointwise([input, FEATURES]),
            linear: LinearConfig::new(FEATURES, self.num_classes).init(device),
        }
    }
}

impl Network for ShufflenetV2 {
    fn stages(&self) -> usize {
        3
    }

    fn stage(&self, index: usize, input: Feature) -> Feature {
        self.run_stage(index, input, false).0
    }

    fn stage_with_preact(&self, index: usize, input: Feature) -> (Feature, Feature) {
        self.run_stage(index, input, true)
    }

    fn classifier(&self) -> Option<Classifier> {
        classifier(&self.linear)
    }

    fn for_inference(&self) -> Self {
        self.clone().fold_batch_norm()
    }
}

impl PytorchKeys for ShufflenetV2 {
    fn pytorch_key(&self, path: &str) -> String {
        rename(path, [STAGES, SPLIT].concat())
    }
}

impl Foldable for ShufflenetV2 {
    fn folded(self, folding: Folding) -> Self {
        self.fold(folding)
    }
}

impl CountMacs for ShufflenetV2 {}

impl ShufflenetV2 {
    /// The output of a stage after and, if `preact` wants it, before its last activation.
    fn run_stage(&self, index: usize, input: Feature, preact: bool) -> (Feature, Feature) {
        let output = match index {
            // The stem hands out its activation in both forms, by convention.
            0 => Feature::from(self.conv1.relu(input.map())),
            1..=3 => {
                let blocks = &self.stages[index - 1];
                let last = blocks.len() - 1;
                let mut both = (input.clone().map(), input.map());
                for (index, block) in blocks.iter().enumerate() {
                    both = block.forward(both.0, preact && index == last);
                }
                return (both.0.into(), both.1.into());
            }
            4 => global_average(self.conv2.relu(input.map())).into(),
            5 => tally::linear(&self.linear, input.vector()).into(),
            _ => panic!("a ShuffleNetV2 has stages 0 to 5, not {index}"),
        };
        (output.clone(), output)
    }
}

/// Two branches, concatenated and shuffled.
///
/// Of five convolutions, which halve the size, the first two are the left branch and the others the
/// right one; of three, which keep it, all are the right branch and the left one is half of the
/// input as it is.
#[derive(Module, Debug)]
struct Block {
    convs: Vec<ConvNorm>,
}

impl Block {
    fn down(channels: [usize; 2], device: &Device) -> Self {
        let [input, output] = channels;
        let half = output / 2;
        Self::new(
            &[
                ConvSpec::depthwise(input, 3).stride(2),
                ConvSpec::new([input, half], 1),
                ConvSpec::new([input, half], 1),
                ConvSpec::depthwise(half, 3).stride(2),
                ConvSpec::new([half, half], 1),
            ],
            device,
        )
    }

    fn plain(channels: usize, device: &Device) -> Self {
        let half = channels / 2;
        Self::new(
            &[
                ConvSpec::new([half, half], 1),
                ConvSpec::depthwise(half, 3),
                ConvSpec::new([half, half], 1),
            ],
            device,
        )
    }

    fn new(specs: &[ConvSpec], device: &Device) -> Self {
        let convs = specs
            .iter()
            .map(|spec| spec.drawn_by_default().norm(device));
        Self {
            convs: convs.collect(),
        }
    }

    /// The output, shuffled, and, if `preact` wants it, what it is before the last activation, not
    /// shuffled: as the references hand it out.
    fn forward(&self, input: Tensor<4>, preact: bool) -> (Tensor<4>, Tensor<4>) {
        let (left, before_left, right_input, [first, depthwise, last]) = match self.convs.as_slice()
        {
            [depthwise, pointwise, first, second, third] => {
                let x = depthwise.forward(input.clone());
                let (left, before) = pointwise.relu_and_preact(x, None, preact);
                (left, before, input, [first, second, third])
            }
            [first, second, third] => {
                let half = input.dims()[1] / 2;
                let kept = input.clone().narrow(1, 0, half);
                let other = input.narrow(1, half, half);
                (kept.clone(), kept, other, [first, second, third])
            }
            _ => unreachable!("a block is built with three or five convolutions"),
        };
        let x = depthwise.forward(first.relu(right_input));
        let (right, before_right) = last.relu_and_preact(x, None, preact);
        let output = interleave_channels(left, right);
        match preact {
            true => (output, Tensor::cat(vec![before_left, before_right], 1)),
            false => (output.clone(), output),
        }
    }
}

fold_fields!(Block: convs);
fold_fields!(ShufflenetV2: conv1, stages, conv2);
