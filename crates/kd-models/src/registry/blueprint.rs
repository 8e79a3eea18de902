//! How registered networks are built.

use burn::tensor::Device;

use crate::{
    AnyNetwork, MobilenetV1Config, MobilenetV2Config, ResnetConfig, ResnetNaming, ResnetStem,
    ShufflenetV1Config, ShufflenetV2Config, UnitKind, VggConfig, VggHead, VggPooling,
    WideResnetConfig,
};

/// How a registered network is built; the number of classes comes with the call.
#[derive(Clone, Copy, Debug)]
pub(super) enum Blueprint {
    /// Three stages of basic blocks.
    Resnet {
        depth: usize,
        channels: [usize; 4],
        unit: UnitKind,
        naming: ResnetNaming,
    },
    /// Four stages.
    LargeResnet {
        blocks: [usize; 4],
        bottleneck: bool,
        imagenet: bool,
    },
    Wrn {
        depth: usize,
        widen: usize,
        unit: UnitKind,
    },
    Vgg {
        convs: [usize; 5],
        unit: UnitKind,
        imagenet: bool,
    },
    MobilenetV1,
    MobilenetV2 {
        width: f64,
        unit: UnitKind,
    },
    ShufflenetV1 {
        unit: UnitKind,
    },
    ShufflenetV2,
}

impl Blueprint {
    pub(super) fn family(self) -> &'static str {
        match self {
            Self::Resnet { .. } | Self::LargeResnet { .. } => "resnet",
            Self::Wrn { .. } => "wrn",
            Self::Vgg { .. } => "vgg",
            Self::MobilenetV1 | Self::MobilenetV2 { .. } => "mobilenet",
            Self::ShufflenetV1 { .. } | Self::ShufflenetV2 => "shufflenet",
        }
    }

    /// Whether `deploy` changes the network.
    pub(super) fn deployable(self) -> bool {
        match self {
            Self::Resnet { unit, .. }
            | Self::Vgg { unit, .. }
            | Self::Wrn { unit, .. }
            | Self::MobilenetV2 { unit, .. }
            | Self::ShufflenetV1 { unit } => unit != UnitKind::Plain,
            _ => false,
        }
    }

    /// Height and width of the images that the network is usually trained on.
    pub(super) fn image_size(self) -> usize {
        match self {
            Self::LargeResnet { imagenet: true, .. } | Self::MobilenetV1 => 224,
            Self::Vgg { imagenet: true, .. } => 64,
            _ => 32,
        }
    }

    /// Height and width that the network's max poolings can halve; convolutions with a stride take
    /// a single pixel as well.
    pub(super) fn smallest_size(self) -> usize {
        match self {
            Self::Vgg { imagenet: true, .. } => 32,
            Self::Vgg { .. } => 8,
            _ => 1,
        }
    }

    pub(super) fn init(self, classes: usize, device: &Device) -> AnyNetwork {
        match self {
            Self::Resnet {
                depth,
                channels,
                unit,
                naming,
            } => AnyNetwork::Resnet(
                ResnetConfig::small(depth, channels, classes)
                    .with_unit(unit)
                    .with_naming(naming)
                    .init(device),
            ),
            Self::LargeResnet {
                blocks,
                bottleneck,
                imagenet,
            } => {
                let config = ResnetConfig::large(blocks, bottleneck, classes);
                AnyNetwork::Resnet(if imagenet {
                    config
                        .with_stem(ResnetStem::Imagenet)
                        .with_naming(ResnetNaming::Downsample)
                        .init(device)
                } else {
                    config.init(device)
                })
            }
            Self::Wrn { depth, widen, unit } => AnyNetwork::Wrn(
                WideResnetConfig::new(depth, widen, classes)
                    .with_unit(unit)
                    .init(device),
            ),
            Self::Vgg {
                convs,
                unit,
                imagenet,
            } => {
                let config = VggConfig::new(convs, classes).with_unit(unit);
                AnyNetwork::Vgg(if imagenet {
                    config
                        .with_head(VggHead::Imagenet)
                        .with_pooling(VggPooling::Always)
                        .init(device)
                } else {
                    config.init(device)
                })
            }
            Self::MobilenetV1 => {
                AnyNetwork::MobilenetV1(MobilenetV1Config::new(classes).init(device))
            }
            Self::MobilenetV2 { width, unit } => AnyNetwork::MobilenetV2(
                MobilenetV2Config::new(classes)
                    .with_width(width)
                    .with_unit(unit)
                    .init(device),
            ),
            Self::ShufflenetV1 { unit } => AnyNetwork::ShufflenetV1(
                ShufflenetV1Config::new(classes)
                    .with_unit(unit)
                    .init(device),
            ),
            Self::ShufflenetV2 => {
                AnyNetwork::ShufflenetV2(ShufflenetV2Config::new(classes).init(device))
            }
        }
    }
}
