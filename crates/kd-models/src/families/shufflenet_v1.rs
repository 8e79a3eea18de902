//! ShuffleNetV1 for small images.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::module::avg_pool2d;
use burn::tensor::ops::AvgPoolOptions;
use burn::tensor::{Device, Tensor};
use kd_core::{Classifier, Feature, Network};

use crate::layers::{
    ConvNorm, ConvSpec, Fold, Folding, SPLIT, STAGES, UNITS, UnitKind, channel_shuffle, classifier,
    fold_fields, global_average, rename, tally,
};
use crate::{CountMacs, Foldable, PytorchKeys};

/// Configuration of a [`ShufflenetV1`].
#[derive(Config, Debug)]
pub struct ShufflenetV1Config {
    /// Number of classes.
    pub num_classes: usize,
    /// Groups of the 1×1 convolutions: 1, 2, 3, 4, 6 or 12.
    #[config(default = 3)]
    pub groups: usize,
    /// What the depthwise convolutions are built of; the 1×1 convolutions are always plain.
    #[config(default = "UnitKind::Plain")]
    pub unit: UnitKind,
}

/// ShuffleNetV1 (Zhang et al. 2017, <https://arxiv.org/abs/1707.01083>) as the distillation
/// literature uses it for small images: a 1×1 convolution as stem, no pooling before the stages,
/// an activation after the depthwise convolution.
///
/// At 32×32 pixels its maps are 32, 16, 8 and 4 pixels wide, of 24, 240, 480 and 960 channels.
#[derive(Module, Debug)]
pub struct ShufflenetV1 {
    conv1: ConvNorm,
    stages: Vec<Vec<Block>>,
    linear: Linear,
}

const STEM: usize = 24;

/// Channels and number of blocks of each stage.
const BLOCKS: [[usize; 2]; 3] = [[240, 4], [480, 8], [960, 4]];

impl ShufflenetV1Config {
    /// Initializes the network as PyTorch does by default.
    ///
    /// # Panics
    ///
    /// If the channels cannot be divided into so many groups.
    pub fn init(&self, device: &Device) -> ShufflenetV1 {
        assert!(
            [1, 2, 3, 4, 6, 12].contains(&self.groups),
            "groups is 1, 2, 3, 4, 6 or 12, not {}",
            self.groups
        );
        let mut input = STEM;
        let stages = BLOCKS
            .iter()
            .map(|&[output, blocks]| {
                (0..blocks)
                    .map(|_| {
                        let channels = [input, output];
                        input = output;
                        Block::new(channels, self.groups, self.unit, device)
                    })
                    .collect()
            })
            .collect();
        ShufflenetV1 {
            conv1: ConvSpec::new([3, STEM], 1).drawn_by_default().norm(device),
            stages,
            linear: LinearConfig::new(input, self.num_classes).init(device),
        }
    }
}

impl Network for ShufflenetV1 {
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

impl PytorchKeys for ShufflenetV1 {
    fn pytorch_key(&self, path: &str) -> String {
        rename(path, [STAGES, SPLIT, UNITS].concat())
    }
}

impl Foldable for ShufflenetV1 {
    fn folded(self, folding: Folding) -> Self {
        self.fold(folding)
    }
}

impl CountMacs for ShufflenetV1 {}

impl ShufflenetV1 {
    /// A stage's output and, if `preact` wants it, what it is before the last activation.
    fn run_stage(&self, index: usize, input: Feature, preact: bool) -> (Feature, Feature) {
        let output = match index {
            // The stem hands out its activation in both forms, by convention.
            0 => Feature::from(self.conv1.relu(input.map())),
            1..=3 => {
                let input = input.map();
                let blocks = self.stages[index - 1].iter().enumerate();
                let end = blocks.len().saturating_sub(1);
                let (output, before) = blocks
                    .fold((input.clone(), input), |(x, _), (position, block)| {
                        block.forward(x, preact && position == end)
                    });
                return (output.into(), before.into());
            }
            4 => global_average(input.map()).into(),
            5 => tally::linear(&self.linear, input.vector()).into(),
            _ => panic!("a ShuffleNetV1 has stages 0 to 5, not {index}"),
        };
        (output.clone(), output)
    }
}

/// Grouped 1×1, depthwise 3×3 and grouped 1×1 convolution, with a shortcut.
#[derive(Module, Debug)]
struct Block {
    convs: Vec<ConvNorm>,
    /// Groups of the first convolution, whose output is shuffled.
    groups: usize,
    /// Whether the block halves the size: then the shortcut is pooled and concatenated.
    down: bool,
}

impl Block {
    /// A block that halves the size if the channels change.
    fn new(channels: [usize; 2], groups: usize, unit: UnitKind, device: &Device) -> Self {
        let [input, total] = channels;
        let down = input != total;
        // The shortcut brings the input's channels.
        let output = if down { total - input } else { total };
        let inner = output / 4;
        // The stem's 24 channels are too few for groups.
        let first_groups = if input == STEM { 1 } else { groups };
        let spec = |channels, groups| {
            ConvSpec::new(channels, 1)
                .groups(groups)
                .drawn_by_default()
                .norm(device)
        };
        let depthwise = ConvSpec::depthwise(inner, 3)
            .stride(if down { 2 } else { 1 })
            .drawn_by_default();
        let depthwise = match unit {
            // Only the multi-branch block has a name of its own in the reference.
            UnitKind::Ambb => depthwise.unit(unit, device),
            _ => depthwise.norm(device),
        };
        Self {
            convs: vec![
                spec([input, inner], first_groups),
                depthwise,
                spec([inner, output], groups),
            ],
            groups: first_groups,
            down,
        }
    }

    /// The output after and, if `preact` wants it, before its last activation.
    fn forward(&self, input: Tensor<4>, preact: bool) -> (Tensor<4>, Tensor<4>) {
        let [first, depthwise, last] = self.convs.as_slice() else {
            unreachable!("a block is built with three convolutions")
        };
        let x = channel_shuffle(first.relu(input.clone()), self.groups);
        let x = depthwise.relu(x);
        if self.down {
            // Zeros at the border count, as PyTorch has it by default.
            let window = AvgPoolOptions::new([3, 3])
                .with_stride([2, 2])
                .with_padding([1, 1]);
            let shortcut = avg_pool2d(input, window);
            let before = Tensor::cat(vec![last.forward(x), shortcut], 1);
            (relu(before.clone()), before)
        } else {
            last.relu_and_preact(x, Some(input), preact)
        }
    }
}

fold_fields!(Block: convs);
fold_fields!(ShufflenetV1: conv1, stages);
