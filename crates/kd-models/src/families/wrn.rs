//! Wide residual networks.

use burn::config::Config;
use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};
use kd_core::{Classifier, Feature, Network, NormAffine};
use kd_nn::{Activation, BatchNorm, BatchNormConfig};

use crate::layers::{
    ConvNorm, ConvSpec, Fold, Folding, UnitKind, affine, classifier, fold_fields, global_average,
    linear_zero_bias, rename, tally,
};
use crate::{CountMacs, Foldable, PytorchKeys};

/// Configuration of a [`WideResnet`].
#[derive(Config, Debug)]
pub struct WideResnetConfig {
    /// Number of layers, `6n + 4` for `n` blocks a stage.
    pub depth: usize,
    /// Factor on the channels 16, 32 and 64 of the three stages.
    pub widen: usize,
    /// Number of classes.
    pub num_classes: usize,
    /// What the convolutions of stem and blocks are built of; shortcuts are always plain.
    #[config(default = "UnitKind::Plain")]
    pub unit: UnitKind,
}

/// Wide residual network of pre-activation blocks (Zagoruyko & Komodakis 2016,
/// <https://arxiv.org/abs/1605.07146>), without dropout.
///
/// Batch norm and activation come before each convolution, so a stage hands out a sum that has
/// not been activated. Its pre-activation features are what the next batch norm makes of that
/// sum (computed once more, which in training mode also updates that layer's running statistics
/// once more, as in the reference code).
///
/// With [`UnitKind::Ambb`], every 3×3 convolution is KDrefine's multi-branch block, whose batch norms
/// take the place of the one between the two convolutions of a block; those before the activations
/// stay. KDrefine's table has such networks under `wrn_16_2` and `wrn_40_1`, but its repository does
/// not: this form is after its residual networks.
#[derive(Module, Debug)]
pub struct WideResnet {
    conv1: ConvNorm,
    block1: Stage,
    block2: Stage,
    block3: Stage,
    bn1: BatchNorm,
    fc: Linear,
}

impl WideResnetConfig {
    /// Initializes the network: He initialization by fan-out for convolutions, 1 and 0 for batch
    /// norm, PyTorch's default weight and a zero bias for the classifier.
    ///
    /// # Panics
    ///
    /// Unless the depth is `6n + 4`.
    pub fn init(&self, device: &Device) -> WideResnet {
        let [one, two, three] = [16, 32, 64].map(|channels| channels * self.widen);
        assert!(
            self.depth >= 10 && self.depth % 6 == 4,
            "depth is 10, 16, 22 …, not {}",
            self.depth
        );
        let blocks = (self.depth - 4) / 6;
        let stage = |channels, stride| Stage::new(blocks, channels, stride, self.unit, device);
        WideResnet {
            conv1: ConvNorm::bare(ConvSpec::new([3, 16], 3), self.unit, device),
            block1: stage([16, one], 1),
            block2: stage([one, two], 2),
            block3: stage([two, three], 2),
            bn1: BatchNormConfig::new(three).init(device),
            fc: linear_zero_bias(three, self.num_classes, None, device),
        }
    }
}

impl Network for WideResnet {
    fn stages(&self) -> usize {
        3
    }

    fn stage(&self, index: usize, input: Feature) -> Feature {
        match index {
            0 => self.conv1.forward(input.map()).into(),
            1 => self.block1.forward(input.map()).into(),
            2 => self.block2.forward(input.map()).into(),
            3 => self.block3.forward(input.map()).into(),
            4 => global_average(self.bn1.forward_with(input.map(), None, Activation::Relu)).into(),
            5 => tally::linear(&self.fc, input.vector()).into(),
            _ => panic!("a wide resnet has stages 0 to 5, not {index}"),
        }
    }

    fn stage_with_preact(&self, index: usize, input: Feature) -> (Feature, Feature) {
        let output = self.stage(index, input);
        let next = match index {
            1 => self.block2.first_norm(),
            2 => self.block3.first_norm(),
            3 => Some(&self.bn1),
            _ => None,
        };
        let preact = match next {
            Some(norm) => norm.forward(output.clone().map()).into(),
            None => output.clone(),
        };
        (output, preact)
    }

    fn classifier(&self) -> Option<Classifier> {
        classifier(&self.fc)
    }

    /// The batch norm that sees the stage's sum, as mdistiller takes it.
    fn last_norm(&self, stage: usize) -> Option<NormAffine> {
        let norm = match stage {
            0 => self.block1.first_norm(),
            1 => self.block2.first_norm(),
            2 => self.block3.first_norm(),
            3 => Some(&self.bn1),
            _ => None,
        };
        norm.map(affine)
    }

    fn for_inference(&self) -> Self {
        self.clone().fold_batch_norm()
    }
}

impl PytorchKeys for WideResnet {
    fn pytorch_key(&self, path: &str) -> String {
        let rules = [
            (".conv1.conv.", ".conv1."),
            (".conv1.bn.", ".bn2."),
            (".conv_shortcut.", ".convShortcut."),
        ];
        rename(path, rules)
    }
}

impl Foldable for WideResnet {
    fn folded(self, folding: Folding) -> Self {
        self.fold(folding)
    }
}

impl CountMacs for WideResnet {}

/// A run of blocks at one resolution.
#[derive(Module, Debug)]
struct Stage {
    layer: Vec<Block>,
}

impl Stage {
    fn new(
        blocks: usize,
        channels: [usize; 2],
        stride: usize,
        unit: UnitKind,
        device: &Device,
    ) -> Self {
        let [input, output] = channels;
        let layer = (0..blocks)
            .map(|index| match index {
                0 => Block::new([input, output], stride, unit, device),
                _ => Block::new([output, output], 1, unit, device),
            })
            .collect();
        Self { layer }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        self.layer.iter().fold(input, |x, block| block.forward(x))
    }

    fn first_norm(&self) -> Option<&BatchNorm> {
        self.layer.first().map(|block| &block.bn1)
    }
}

/// Pre-activation block of two 3×3 convolutions.
///
/// The first convolution is followed by a batch norm, with which it can be folded; the one before
/// it acts on a sum, and so does the one after the second convolution, in the next block.
#[derive(Module, Debug)]
struct Block {
    bn1: BatchNorm,
    conv1: ConvNorm,
    conv2: ConvNorm,
    conv_shortcut: Option<Conv2d>,
}

impl Block {
    fn new(channels: [usize; 2], stride: usize, unit: UnitKind, device: &Device) -> Self {
        let [input, output] = channels;
        let projection = ConvSpec::new(channels, 1).stride(stride);
        Self {
            bn1: BatchNormConfig::new(input).init(device),
            conv1: ConvSpec::new(channels, 3).stride(stride).unit(unit, device),
            conv2: ConvNorm::bare(ConvSpec::new([output, output], 3), unit, device),
            conv_shortcut: (input != output).then(|| projection.init(device)),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let activated = self.bn1.forward_with(input.clone(), None, Activation::Relu);
        let shortcut = match &self.conv_shortcut {
            // A projection sees the activated input, the identity the plain one.
            Some(conv) => tally::conv(conv, activated.clone()),
            None => input,
        };
        let x = self.conv1.relu(activated);
        self.conv2.forward_with(x, Some(shortcut), Activation::None)
    }
}

fold_fields!(Block: conv1, conv2);
fold_fields!(Stage: layer);
fold_fields!(WideResnet: conv1, block1, block2, block3);
