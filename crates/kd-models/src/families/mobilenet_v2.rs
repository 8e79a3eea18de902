//! MobileNetV2 for small images.

use burn::config::Config;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use kd_core::{Classifier, Feature, Network, NormAffine};
use kd_nn::Activation;

use crate::layers::{
    ConvNorm, ConvSpec, Fold, Folding, UnitKind, affine, classifier, fold_fields, global_average,
    linear_zero_bias, normal, rename, tally,
};
use crate::{CountMacs, Foldable, PytorchKeys};

/// Configuration of a [`MobilenetV2`].
#[derive(Config, Debug)]
pub struct MobilenetV2Config {
    /// Number of classes.
    pub num_classes: usize,
    /// Factor on all channels but the last 1280: 1 in SAKD, 0.5 in the other references.
    #[config(default = 0.5)]
    pub width: f64,
    /// What the convolutions are built of.
    #[config(default = "UnitKind::Plain")]
    pub unit: UnitKind,
}

/// MobileNetV2 (Sandler et al. 2018, <https://arxiv.org/abs/1801.04381>) as the distillation
/// literature uses it for small images: the first strides are 2, 1 and 2 instead of 2, 2 and 2,
/// and the activation is ReLU instead of ReLU6.
///
/// At 32×32 pixels its maps are 16, 16, 8, 4 and 2 pixels wide. Its stages end in linear
/// bottlenecks, without an activation, so that features before and after the activation are the
/// same. The 1×1 convolution to 1280 channels belongs to the pooling.
#[derive(Module, Debug)]
pub struct MobilenetV2 {
    conv1: ConvNorm,
    blocks: Vec<Vec<InvertedResidual>>,
    conv2: ConvNorm,
    classifier: Linear,
    #[module(skip)]
    unit: UnitKind,
}

/// Expansion, channels, repetitions and stride of each run of blocks.
const BLOCKS: [[usize; 4]; 7] = [
    [1, 16, 1, 1],
    [6, 24, 2, 1],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
];

/// The runs of blocks in each stage.
const STAGES: [std::ops::Range<usize>; 4] = [0..2, 2..3, 3..5, 5..7];

/// Channels of the last convolution, whatever the width.
const FEATURES: usize = 1280;

impl MobilenetV2Config {
    /// Initializes the network: He initialization by fan-out for convolutions, 1 and 0 for batch
    /// norm, a normal of deviation 0.01 and zero bias for the classifier.
    pub fn init(&self, device: &Device) -> MobilenetV2 {
        let scaled = |channels: usize| (channels as f64 * self.width) as usize;
        let stem = scaled(32);
        let mut input = stem;
        let blocks = BLOCKS
            .iter()
            .map(|&[expansion, channels, repetitions, stride]| {
                let output = scaled(channels);
                (0..repetitions)
                    .map(|index| {
                        let stride = if index == 0 { stride } else { 1 };
                        let channels = [input, output];
                        input = output;
                        InvertedResidual::new(channels, expansion, stride, self.unit, device)
                    })
                    .collect()
            })
            .collect();
        MobilenetV2 {
            conv1: ConvSpec::new([3, stem], 3)
                .stride(2)
                .unit(self.unit, device),
            blocks,
            conv2: ConvSpec::new([input, FEATURES], 1).unit(self.unit, device),
            classifier: linear_zero_bias(FEATURES, self.num_classes, Some(normal(0.01)), device),
            unit: self.unit,
        }
    }
}

impl Network for MobilenetV2 {
    fn stages(&self) -> usize {
        4
    }

    fn stage(&self, index: usize, input: Feature) -> Feature {
        match index {
            0 => self.conv1.relu(input.map()).into(),
            1..=4 => self.blocks[STAGES[index - 1].clone()]
                .iter()
                .flatten()
                .fold(input.map(), |x, block| block.forward(x))
                .into(),
            5 => global_average(self.conv2.relu(input.map())).into(),
            6 => tally::linear(&self.classifier, input.vector()).into(),
            _ => panic!("a MobileNetV2 has stages 0 to 6, not {index}"),
        }
    }

    fn classifier(&self) -> Option<Classifier> {
        classifier(&self.classifier)
    }

    fn last_norm(&self, stage: usize) -> Option<NormAffine> {
        let norm = match stage {
            0 => self.conv1.batch_norm(),
            _ => {
                let blocks = self.blocks.get(STAGES.get(stage - 1)?.clone())?;
                blocks.last()?.last()?.convs.last()?.batch_norm()
            }
        };
        norm.map(affine)
    }

    fn for_inference(&self) -> Self {
        self.clone().fold_batch_norm()
    }
}

impl PytorchKeys for MobilenetV2 {
    fn pytorch_key(&self, path: &str) -> String {
        match self.unit {
            // Convolution, norm and activation are entries of one sequence.
            UnitKind::Plain => rename(
                path,
                [
                    (".conv1.conv.", ".conv1.0."),
                    (".conv1.bn.", ".conv1.1."),
                    (".conv2.conv.", ".conv2.0."),
                    (".conv2.bn.", ".conv2.1."),
                    (".convs.0.conv.", ".conv.0."),
                    (".convs.0.bn.", ".conv.1."),
                    (".convs.1.conv.", ".conv.3."),
                    (".convs.1.bn.", ".conv.4."),
                    (".convs.2.conv.", ".conv.6."),
                    (".convs.2.bn.", ".conv.7."),
                    (".classifier.", ".classifier.0."),
                ],
            ),
            // A unit is one entry.
            UnitKind::Base | UnitKind::Ambb => rename(
                path,
                [
                    (".conv1.", ".conv1.0."),
                    (".conv2.", ".conv2.0."),
                    (".convs.0.", ".conv.0."),
                    (".convs.1.", ".conv.2."),
                    (".convs.2.", ".conv.4."),
                    (".classifier.", ".classifier.0."),
                ],
            ),
        }
    }
}

impl Foldable for MobilenetV2 {
    fn folded(self, folding: Folding) -> Self {
        self.fold(folding)
    }
}

impl CountMacs for MobilenetV2 {}

/// Expansion, depthwise convolution and linear projection.
#[derive(Module, Debug)]
struct InvertedResidual {
    convs: Vec<ConvNorm>,
    /// Whether the input is added: where stride and channels stay.
    residual: bool,
}

impl InvertedResidual {
    fn new(
        channels: [usize; 2],
        expansion: usize,
        stride: usize,
        unit: UnitKind,
        device: &Device,
    ) -> Self {
        let [input, output] = channels;
        let inner = input * expansion;
        let specs = [
            ConvSpec::new([input, inner], 1),
            ConvSpec::depthwise(inner, 3).stride(stride),
            ConvSpec::new([inner, output], 1),
        ];
        Self {
            convs: specs.map(|spec| spec.unit(unit, device)).into(),
            residual: stride == 1 && input == output,
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let Some((last, convs)) = self.convs.split_last() else {
            unreachable!("a block is built with three convolutions")
        };
        let shortcut = self.residual.then(|| input.clone());
        let x = convs.iter().fold(input, |x, conv| conv.relu(x));
        last.forward_with(x, shortcut, Activation::None)
    }
}

fold_fields!(InvertedResidual: convs);
fold_fields!(MobilenetV2: conv1, blocks, conv2);
