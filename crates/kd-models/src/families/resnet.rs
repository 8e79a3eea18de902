//! Residual networks.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use kd_core::{Classifier, Feature, Network, NormAffine};
use kd_nn::max_pool2d;
use serde::{Deserialize, Serialize};

use crate::layers::{
    ConvNorm, ConvSpec, Fold, Folding, SPLIT, STAGES, UNITS, UnitKind, affine, classifier,
    fold_fields, global_average, rename, tally,
};
use crate::{CountMacs, Foldable, PytorchKeys};

/// What comes before the first stage of a [`Resnet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResnetStem {
    /// A 3×3 convolution, for small images.
    Small,
    /// A 7×7 convolution of stride 2 and 3×3 max pooling of stride 2, for 224×224 pixels.
    Imagenet,
}

/// The names that a [`Resnet`]'s parameters have in PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResnetNaming {
    /// `downsample` and `fc`: RepDistiller's thin networks, torchvision.
    Downsample,
    /// `shortcut` and `linear`: the `ResNet18` … of RepDistiller and SAKD.
    Shortcut,
    /// `res1`, `ds` and `fc`: the Knowledge-Distillation-Zoo, which also hands out the stem's map
    /// before its activation.
    Zoo,
}

impl ResnetNaming {
    fn rules(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Downsample => &[
                (".downsample.conv.", ".downsample.0."),
                (".downsample.bn.", ".downsample.1."),
            ],
            Self::Shortcut => &[
                (".downsample.conv.", ".shortcut.0."),
                (".downsample.bn.", ".shortcut.1."),
                (".fc.", ".linear."),
            ],
            Self::Zoo => &[
                (".downsample.conv.", ".ds.0."),
                (".downsample.bn.", ".ds.1."),
                (".layer1.", ".res1."),
                (".layer2.", ".res2."),
                (".layer3.", ".res3."),
            ],
        }
    }
}

/// Configuration of a [`Resnet`].
#[derive(Config, Debug)]
pub struct ResnetConfig {
    /// Number of blocks in each stage.
    pub blocks: Vec<usize>,
    /// Channels of the stem and of each stage.
    pub channels: Vec<usize>,
    /// Number of classes.
    pub num_classes: usize,
    /// Blocks of 1×1, 3×3 and 1×1 convolutions with a quarter of the stage's channels inside,
    /// instead of two 3×3 convolutions.
    #[config(default = false)]
    pub bottleneck: bool,
    /// What comes before the first stage.
    #[config(default = "ResnetStem::Small")]
    pub stem: ResnetStem,
    /// What the convolutions of stem and blocks are built of; shortcuts are always plain.
    #[config(default = "UnitKind::Plain")]
    pub unit: UnitKind,
    /// The parameters' names in PyTorch.
    #[config(default = "ResnetNaming::Downsample")]
    pub naming: ResnetNaming,
}

/// Residual network (He et al. 2015, <https://arxiv.org/abs/1512.03385>) with projection
/// shortcuts.
///
/// - The CIFAR networks of section 4.2 have three stages of basic blocks: at 32×32 pixels the
///   maps are 32, 32, 16 and 8 pixels wide. `resnet20` has 16, 16, 32 and 64 channels, the `x4`
///   variants have 32, 64, 128 and 256. See [`ResnetConfig::small`].
/// - `ResNet18` to `ResNet152` have four stages of basic or bottleneck blocks. In a bottleneck
///   block the 3×3 convolution has the stride, as in torchvision. See [`ResnetConfig::large`].
///
/// The references' `AvgPool2d(8)` and adaptive pooling are the same at 32×32 pixels; elsewhere
/// the former does not fit the classifier, so that pooling is global here.
#[derive(Module, Debug)]
pub struct Resnet {
    conv1: ConvNorm,
    stages: Vec<Vec<Block>>,
    fc: Linear,
    #[module(skip)]
    stem: ResnetStem,
    #[module(skip)]
    unit: UnitKind,
    #[module(skip)]
    naming: ResnetNaming,
}

impl ResnetConfig {
    /// A CIFAR network of `depth` layers, `6n + 2` for `n` basic blocks in each of three stages.
    ///
    /// # Panics
    ///
    /// If there is no such `n`.
    pub fn small(depth: usize, channels: [usize; 4], num_classes: usize) -> Self {
        assert!(
            depth >= 8 && depth % 6 == 2,
            "depth is 8, 14, 20 …, not {depth}"
        );
        let blocks = (depth - 2) / 6;
        Self::new(vec![blocks; 3], channels.to_vec(), num_classes)
    }

    /// A network of four stages with 64, 128, 256 and 512 channels, four times as many with
    /// bottlenecks, after a stem of 64.
    pub fn large(blocks: [usize; 4], bottleneck: bool, num_classes: usize) -> Self {
        let factor = if bottleneck { 4 } else { 1 };
        let stages = [64, 128, 256, 512].map(|channels| channels * factor);
        let channels = [[64].as_slice(), &stages].concat();
        Self::new(blocks.to_vec(), channels, num_classes)
            .with_bottleneck(bottleneck)
            .with_naming(ResnetNaming::Shortcut)
    }

    /// Initializes the network: He initialization by fan-out for convolutions, 1 and 0 for batch
    /// norm, PyTorch's default for the classifier.
    ///
    /// # Panics
    ///
    /// Unless there is one number of channels more than there are stages, of which bottlenecks
    /// take a quarter.
    pub fn init(&self, device: &Device) -> Resnet {
        assert_eq!(
            self.channels.len(),
            self.blocks.len() + 1,
            "channels are those of the stem and of each stage"
        );
        assert!(
            !self.bottleneck || self.channels[1..].iter().all(|output| output % 4 == 0),
            "bottlenecks take a quarter of the channels {:?}",
            self.channels
        );
        let stem = self.channels[0];
        let stem_conv = match self.stem {
            ResnetStem::Small => ConvSpec::new([3, stem], 3),
            ResnetStem::Imagenet => ConvSpec::new([3, stem], 7).stride(2),
        };
        let stage = |index: usize| -> Vec<Block> {
            let (input, output) = (self.channels[index], self.channels[index + 1]);
            (0..self.blocks[index])
                .map(|block| match block {
                    0 if index > 0 => self.block([input, output], 2, device),
                    0 => self.block([input, output], 1, device),
                    _ => self.block([output, output], 1, device),
                })
                .collect()
        };
        Resnet {
            conv1: stem_conv.unit(self.unit, device),
            stages: (0..self.blocks.len()).map(stage).collect(),
            fc: LinearConfig::new(self.channels[self.blocks.len()], self.num_classes).init(device),
            stem: self.stem,
            unit: self.unit,
            naming: self.naming,
        }
    }

    fn block(&self, channels: [usize; 2], stride: usize, device: &Device) -> Block {
        let [input, output] = channels;
        let specs = if self.bottleneck {
            let inner = output / 4;
            vec![
                ConvSpec::new([input, inner], 1),
                ConvSpec::new([inner, inner], 3).stride(stride),
                ConvSpec::new([inner, output], 1),
            ]
        } else {
            vec![
                ConvSpec::new([input, output], 3).stride(stride),
                ConvSpec::new([output, output], 3),
            ]
        };
        let projection = ConvSpec::new(channels, 1).stride(stride);
        Block {
            convs: specs
                .into_iter()
                .map(|spec| spec.unit(self.unit, device))
                .collect(),
            downsample: (stride != 1 || input != output).then(|| projection.norm(device)),
        }
    }
}

impl Network for Resnet {
    fn stages(&self) -> usize {
        self.stages.len()
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
            0 => self.conv1.batch_norm(),
            _ => self
                .stages
                .get(stage - 1)?
                .last()?
                .convs
                .last()?
                .batch_norm(),
        };
        norm.map(affine)
    }

    fn for_inference(&self) -> Self {
        self.clone().fold_batch_norm()
    }
}

impl PytorchKeys for Resnet {
    fn pytorch_key(&self, path: &str) -> String {
        let units = match self.unit {
            UnitKind::Plain => SPLIT,
            UnitKind::Base | UnitKind::Ambb => UNITS,
        };
        let naming = self.naming.rules();
        rename(path, [STAGES, units, naming].concat())
    }
}

impl Foldable for Resnet {
    fn folded(self, folding: Folding) -> Self {
        self.fold(folding)
    }
}

impl CountMacs for Resnet {}

impl Resnet {
    /// A stage's output and, if `preact` wants it, what it is before the last activation.
    fn run_stage(&self, index: usize, input: Feature, preact: bool) -> (Feature, Feature) {
        let last = self.stages.len();
        if index == 0 {
            // Elsewhere than in the Zoo the stem hands out its activation in both forms.
            let zoo = self.naming == ResnetNaming::Zoo;
            let (output, before) = self.conv1.relu_and_preact(input.map(), None, preact && zoo);
            let output = match self.stem {
                ResnetStem::Small => output,
                ResnetStem::Imagenet => max_pool2d(output, 3, 2, 1),
            };
            let before = if zoo { before } else { output.clone() };
            (output.into(), before.into())
        } else if index <= last {
            let input = input.map();
            let blocks = self.stages[index - 1].iter().enumerate();
            let end = blocks.len().saturating_sub(1);
            let (output, before) = blocks.fold((input.clone(), input), |(x, _), (index, block)| {
                block.forward(x, preact && index == end)
            });
            (output.into(), before.into())
        } else if index == last + 1 {
            let pooled = Feature::from(global_average(input.map()));
            (pooled.clone(), pooled)
        } else if index == last + 2 {
            let logits = Feature::from(tally::linear(&self.fc, input.vector()));
            (logits.clone(), logits)
        } else {
            panic!("this resnet has stages 0 to {}, not {index}", last + 2)
        }
    }
}

/// Two or three convolutions with a shortcut.
#[derive(Module, Debug)]
struct Block {
    convs: Vec<ConvNorm>,
    downsample: Option<ConvNorm>,
}

impl Block {
    /// The output after and, if `preact` wants it, before its last activation.
    fn forward(&self, input: Tensor<4>, preact: bool) -> (Tensor<4>, Tensor<4>) {
        let Some((last, convs)) = self.convs.split_last() else {
            unreachable!("a block is built with two or three convolutions")
        };
        let shortcut = match &self.downsample {
            Some(downsample) => downsample.forward(input.clone()),
            None => input.clone(),
        };
        let x = convs.iter().fold(input, |x, conv| conv.relu(x));
        last.relu_and_preact(x, Some(shortcut), preact)
    }
}

fold_fields!(Block: convs, downsample);
fold_fields!(Resnet: conv1, stages);
