//! MobileNetV1 for ImageNet-size images.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use kd_core::{Classifier, Feature, Network, NormAffine};

use crate::layers::{
    ConvNorm, ConvSpec, Fold, Folding, affine, classifier, fold_fields, global_average, rename,
    tally,
};
use crate::{CountMacs, Foldable, PytorchKeys};

/// Configuration of a [`MobilenetV1`].
#[derive(Config, Debug)]
pub struct MobilenetV1Config {
    /// Number of classes.
    pub num_classes: usize,
}

/// MobileNetV1 (Howard et al. 2017, <https://arxiv.org/abs/1704.04861>), the student of the
/// ImageNet tables, with the parameter names of mdistiller.
///
/// At 224×224 pixels its maps are 112, 56, 28, 14 and 7 pixels wide, of 32, 128, 256, 512 and 1024
/// channels: a stage ends before the next halving.
#[derive(Module, Debug)]
pub struct MobilenetV1 {
    stem: ConvNorm,
    blocks: Vec<Separable>,
    fc: Linear,
}

/// Channels and stride of each block.
const BLOCKS: [[usize; 2]; 13] = [
    [64, 1],
    [128, 2],
    [128, 1],
    [256, 2],
    [256, 1],
    [512, 2],
    [512, 1],
    [512, 1],
    [512, 1],
    [512, 1],
    [512, 1],
    [1024, 2],
    [1024, 1],
];

/// The blocks of each stage.
const STAGES: [std::ops::Range<usize>; 4] = [0..3, 3..5, 5..11, 11..13];

impl MobilenetV1Config {
    /// Initializes the network as PyTorch does by default.
    pub fn init(&self, device: &Device) -> MobilenetV1 {
        let stem = 32;
        let mut input = stem;
        let blocks = BLOCKS
            .iter()
            .map(|&[output, stride]| {
                let block = Separable::new([input, output], stride, device);
                input = output;
                block
            })
            .collect();
        MobilenetV1 {
            stem: ConvSpec::new([3, stem], 3)
                .stride(2)
                .drawn_by_default()
                .norm(device),
            blocks,
            fc: LinearConfig::new(input, self.num_classes).init(device),
        }
    }
}

impl Network for MobilenetV1 {
    fn stages(&self) -> usize {
        4
    }

    fn stage(&self, index: usize, input: Feature) -> Feature {
        self.run_stage(index, input, false).0
    }

    fn stage_with_preact(&self, index: usize, input: Feature) -> (Feature, Feature) {
        self.run_stage(index, input, true)
    }

    fn classifier(&self) -> Option<Classifier> {
        classifier(&self.fc)
    }

    fn last_norm(&self, stage: usize) -> Option<NormAffine> {
        let norm = match stage {
            0 => self.stem.batch_norm(),
            _ => {
                let blocks = STAGES.get(stage - 1)?.clone();
                self.blocks[blocks].last()?.pointwise.batch_norm()
            }
        };
        norm.map(affine)
    }

    fn for_inference(&self) -> Self {
        self.clone().fold_batch_norm()
    }
}

impl PytorchKeys for MobilenetV1 {
    fn pytorch_key(&self, path: &str) -> String {
        // One sequence: the stem is `model.0`, the first block `model.1`; in each, convolution,
        // norm and activation follow each other.
        let numbered = match path
            .strip_prefix("blocks.")
            .and_then(|path| path.split_once('.'))
        {
            Some((index, rest)) => match index.parse::<usize>() {
                Ok(index) => format!("model.{}.{rest}", index + 1),
                Err(_) => path.to_owned(),
            },
            None => path.to_owned(),
        };
        let rules = [
            (".stem.conv.", ".model.0.0."),
            (".stem.bn.", ".model.0.1."),
            (".depthwise.conv.", ".0."),
            (".depthwise.bn.", ".1."),
            (".pointwise.conv.", ".3."),
            (".pointwise.bn.", ".4."),
        ];
        rename(&numbered, rules)
    }
}

impl Foldable for MobilenetV1 {
    fn folded(self, folding: Folding) -> Self {
        self.fold(folding)
    }
}

impl CountMacs for MobilenetV1 {}

impl MobilenetV1 {
    /// A stage's output and, if `preact` wants it, what it is before the last activation.
    fn run_stage(&self, index: usize, input: Feature, preact: bool) -> (Feature, Feature) {
        let output = match index {
            // The stem hands out its activation in both forms, by convention.
            0 => Feature::from(self.stem.relu(input.map())),
            1..=4 => {
                let input = input.map();
                let blocks = self.blocks[STAGES[index - 1].clone()].iter().enumerate();
                let end = blocks.len().saturating_sub(1);
                let (output, before) = blocks
                    .fold((input.clone(), input), |(x, _), (position, block)| {
                        block.forward(x, preact && position == end)
                    });
                return (output.into(), before.into());
            }
            5 => global_average(input.map()).into(),
            6 => tally::linear(&self.fc, input.vector()).into(),
            _ => panic!("a MobileNetV1 has stages 0 to 6, not {index}"),
        };
        (output.clone(), output)
    }
}

/// A depthwise 3×3 convolution and a 1×1 convolution.
#[derive(Module, Debug)]
struct Separable {
    depthwise: ConvNorm,
    pointwise: ConvNorm,
}

impl Separable {
    fn new(channels: [usize; 2], stride: usize, device: &Device) -> Self {
        let depthwise = ConvSpec::depthwise(channels[0], 3).stride(stride);
        Self {
            depthwise: depthwise.drawn_by_default().norm(device),
            pointwise: ConvSpec::new(channels, 1).drawn_by_default().norm(device),
        }
    }

    /// The output after and, if `preact` wants it, before its last activation.
    fn forward(&self, input: Tensor<4>, preact: bool) -> (Tensor<4>, Tensor<4>) {
        let x = self.depthwise.relu(input);
        self.pointwise.relu_and_preact(x, None, preact)
    }
}

fold_fields!(Separable: depthwise, pointwise);
fold_fields!(MobilenetV1: stem, blocks);
