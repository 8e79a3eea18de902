//! VGG with batch norm.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Dropout, DropoutConfig, Linear};
use burn::tensor::activation::relu;
use burn::tensor::module::adaptive_avg_pool2d;
use burn::tensor::{Device, Tensor};
use kd_core::{Classifier, Feature, Network, NormAffine};
use kd_nn::max_pool2d;
use serde::{Deserialize, Serialize};

use crate::layers::{
    ConvNorm, ConvSpec, Fold, Folding, UnitKind, affine, classifier, fold_fields, global_average,
    linear_zero_bias, normal, tally,
};
use crate::{CountMacs, Foldable, PytorchKeys};

/// What comes after the last block of a [`Vgg`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VggHead {
    /// Global average pooling and one linear layer.
    Small,
    /// A fifth max pooling, adaptive pooling to 7×7 and three linear layers with dropout: the
    /// original head, which SAKD's `-imagenet` networks have.
    Imagenet,
}

/// When a [`Vgg`] pools before its last block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum VggPooling {
    /// If the map is at least 8 pixels high (SAKD): at 64×64 pixels, not at 32×32.
    Map8,
    /// If the map is 8 pixels high, because the images are 64 (RepDistiller, ASKD, KDrefine,
    /// mdistiller). The same as [`VggPooling::Map8`] at 32×32 and 64×64 pixels.
    Image64,
    /// Always (the `-imagenet` networks).
    Always,
}

/// Configuration of a [`Vgg`].
#[derive(Config, Debug)]
pub struct VggConfig {
    /// Number of 3×3 convolutions in each of the five blocks.
    pub convs: [usize; 5],
    /// Number of classes.
    pub num_classes: usize,
    /// What comes after the last block.
    #[config(default = "VggHead::Small")]
    pub head: VggHead,
    /// When there is pooling before the last block.
    #[config(default = "VggPooling::Map8")]
    pub pooling: VggPooling,
    /// What the convolutions are built of.
    #[config(default = "UnitKind::Plain")]
    pub unit: UnitKind,
    /// Probability of dropout in the head of the `-imagenet` networks.
    #[config(default = 0.5)]
    pub dropout: f64,
}

/// VGG with batch norm (Simonyan & Zisserman 2014, <https://arxiv.org/abs/1409.1556>).
///
/// Five blocks of 64, 128, 256, 512 and 512 channels; the first is the stem, each other one starts
/// with 2×2 max pooling. Before the last block that pooling is left out when the map is less than
/// 8 pixels high, as it is at 32×32 (see [`VggPooling`]).
#[derive(Module, Debug)]
pub struct Vgg {
    block0: Vec<ConvNorm>,
    block1: Vec<ConvNorm>,
    block2: Vec<ConvNorm>,
    block3: Vec<ConvNorm>,
    block4: Vec<ConvNorm>,
    classifier: Vec<Linear>,
    dropout: Dropout,
    #[module(skip)]
    head: VggHead,
    #[module(skip)]
    pooling: VggPooling,
    #[module(skip)]
    unit: UnitKind,
}

const CHANNELS: [usize; 5] = [64, 128, 256, 512, 512];

/// Width and height of the map that the original head takes.
const HEAD_SIZE: usize = 7;

/// Width of the original head's inner layers.
const HEAD_FEATURES: usize = 4096;

impl VggConfig {
    /// Initializes the network: He initialization by fan-out for convolutions, 1 and 0 for batch
    /// norm, a normal of deviation 0.01 for the classifier, zero biases.
    pub fn init(&self, device: &Device) -> Vgg {
        let block = |index: usize| -> Vec<ConvNorm> {
            let output = CHANNELS[index];
            let input = if index == 0 { 3 } else { CHANNELS[index - 1] };
            (0..self.convs[index])
                .map(|conv| {
                    let spec = ConvSpec::new([if conv == 0 { input } else { output }, output], 3);
                    match self.unit {
                        UnitKind::Plain => spec.biased().norm(device),
                        unit => spec.unit(unit, device),
                    }
                })
                .collect()
        };
        let widths = match self.head {
            VggHead::Small => vec![CHANNELS[4], self.num_classes],
            VggHead::Imagenet => vec![
                CHANNELS[4] * HEAD_SIZE * HEAD_SIZE,
                HEAD_FEATURES,
                HEAD_FEATURES,
                self.num_classes,
            ],
        };
        Vgg {
            block0: block(0),
            block1: block(1),
            block2: block(2),
            block3: block(3),
            block4: block(4),
            classifier: widths
                .windows(2)
                .map(|pair| linear_zero_bias(pair[0], pair[1], Some(normal(0.01)), device))
                .collect(),
            dropout: DropoutConfig::new(self.dropout).init(),
            head: self.head,
            pooling: self.pooling,
            unit: self.unit,
        }
    }
}

impl Vgg {
    fn pools_before(&self, block: usize, height: usize) -> bool {
        match block {
            0 => false,
            1..4 => true,
            _ => match self.pooling {
                VggPooling::Map8 => height >= 8,
                VggPooling::Image64 => height == 8,
                VggPooling::Always => true,
            },
        }
    }

    fn pooled(&self, map: Tensor<4>) -> Tensor<2> {
        match self.head {
            VggHead::Small => global_average(map),
            VggHead::Imagenet => {
                adaptive_avg_pool2d(max_pool2d(map, 2, 2, 0), [HEAD_SIZE, HEAD_SIZE]).flatten(1, 3)
            }
        }
    }

    fn logits(&self, features: Tensor<2>) -> Tensor<2> {
        let mut x = features;
        for (position, layer) in self.classifier.iter().enumerate() {
            if position > 0 {
                x = self.dropout.forward(relu(x));
            }
            x = tally::linear(layer, x);
        }
        x
    }

    /// A stage's output and, if `preact` wants it, what it is before the last activation.
    fn run_stage(&self, index: usize, input: Feature, preact: bool) -> (Feature, Feature) {
        let Some(block) = self.block(index) else {
            let output = match index {
                5 => Feature::from(self.pooled(input.map())),
                6 => Feature::from(self.logits(input.vector())),
                _ => panic!("a VGG has stages 0 to 6, not {index}"),
            };
            return (output.clone(), output);
        };
        let mut x = input.map();
        if self.pools_before(index, x.dims()[2]) {
            x = max_pool2d(x, 2, 2, 0);
        }
        let end = block.len().saturating_sub(1);
        let layers = block.iter().enumerate();
        // The stem hands out its activation in both forms, by convention.
        let preact = preact && index > 0;
        let (output, before) = layers.fold((x.clone(), x), |(x, _), (position, layer)| {
            layer.relu_and_preact(x, None, preact && position == end)
        });
        (output.into(), before.into())
    }

    fn block(&self, index: usize) -> Option<&[ConvNorm]> {
        let blocks = [
            &self.block0,
            &self.block1,
            &self.block2,
            &self.block3,
            &self.block4,
        ];
        blocks.get(index).map(|block| block.as_slice())
    }
}

impl Network for Vgg {
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
        match self.classifier.as_slice() {
            [layer] => classifier(layer),
            // Three layers are not one linear classifier of the pooled feature.
            _ => None,
        }
    }

    fn last_norm(&self, stage: usize) -> Option<NormAffine> {
        self.block(stage)?.last()?.batch_norm().map(affine)
    }

    fn for_inference(&self) -> Self {
        self.clone().fold_batch_norm()
    }
}

impl PytorchKeys for Vgg {
    fn pytorch_key(&self, path: &str) -> String {
        let parts: Vec<&str> = path.split('.').collect();
        match parts.as_slice() {
            ["classifier", _, name] if self.head == VggHead::Small => format!("classifier.{name}"),
            // Activation and dropout are entries of the same sequence.
            ["classifier", layer, name] => match layer.parse::<usize>() {
                Ok(layer) => format!("classifier.{}.{name}", 3 * layer),
                Err(_) => path.to_owned(),
            },
            [block, layer, kind, rest @ ..] => match layer.parse::<usize>() {
                // Convolution, norm and activation are three entries of one sequence:
                // `block1.2.bn.weight` is `block1.7.weight` there.
                Ok(layer) if self.unit == UnitKind::Plain => {
                    let offset = usize::from(*kind == "bn");
                    format!("{block}.{}.{}", 3 * layer + offset, rest.join("."))
                }
                // A unit is one entry.
                Ok(layer) => format!("{block}.{}.{kind}.{}", 2 * layer, rest.join(".")),
                Err(_) => path.to_owned(),
            },
            _ => path.to_owned(),
        }
    }
}

impl Foldable for Vgg {
    fn folded(self, folding: Folding) -> Self {
        self.fold(folding)
    }
}

impl CountMacs for Vgg {}

fold_fields!(Vgg: block0, block1, block2, block3, block4);
