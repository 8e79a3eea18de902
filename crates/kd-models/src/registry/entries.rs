//! The table of networks.

use super::blueprint::Blueprint;
use crate::ResnetNaming::{self, Downsample, Zoo};
use crate::UnitKind::{self, Ambb, Plain};

/// One network of the table.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: &'static str,
    pub(super) aliases: &'static [&'static str],
    pub(super) blueprint: Blueprint,
}

type Aliases = &'static [&'static str];

const THIN: [usize; 4] = [16, 16, 32, 64];
const WIDE: [usize; 4] = [32, 64, 128, 256];

const fn entry(name: &'static str, aliases: Aliases, blueprint: Blueprint) -> Entry {
    Entry {
        name,
        aliases,
        blueprint,
    }
}

const fn resnet(
    name: &'static str,
    depth: usize,
    channels: [usize; 4],
    unit: UnitKind,
    naming: ResnetNaming,
) -> Entry {
    let blueprint = Blueprint::Resnet {
        depth,
        channels,
        unit,
        naming,
    };
    entry(name, &[], blueprint)
}

const fn large_resnet(
    name: &'static str,
    aliases: Aliases,
    blocks: [usize; 4],
    bottleneck: bool,
    imagenet: bool,
) -> Entry {
    let blueprint = Blueprint::LargeResnet {
        blocks,
        bottleneck,
        imagenet,
    };
    entry(name, aliases, blueprint)
}

const fn wrn(
    name: &'static str,
    aliases: Aliases,
    depth: usize,
    widen: usize,
    unit: UnitKind,
) -> Entry {
    entry(name, aliases, Blueprint::Wrn { depth, widen, unit })
}

const fn vgg(
    name: &'static str,
    aliases: Aliases,
    convs: [usize; 5],
    unit: UnitKind,
    imagenet: bool,
) -> Entry {
    let blueprint = Blueprint::Vgg {
        convs,
        unit,
        imagenet,
    };
    entry(name, aliases, blueprint)
}

const fn mobilenet_v2(name: &'static str, aliases: Aliases, width: f64, unit: UnitKind) -> Entry {
    entry(name, aliases, Blueprint::MobilenetV2 { width, unit })
}

/// One line a network.
pub(super) static ENTRIES: &[Entry] = &[
    resnet("resnet8", 8, THIN, Plain, Downsample),
    resnet("resnet14", 14, THIN, Plain, Downsample),
    resnet("resnet20", 20, THIN, Plain, Downsample),
    resnet("resnet32", 32, THIN, Plain, Downsample),
    resnet("resnet44", 44, THIN, Plain, Downsample),
    resnet("resnet50", 50, THIN, Plain, Downsample),
    resnet("resnet56", 56, THIN, Plain, Downsample),
    resnet("resnet110", 110, THIN, Plain, Downsample),
    resnet("resnet8x4", 8, WIDE, Plain, Downsample),
    resnet("resnet32x4", 32, WIDE, Plain, Downsample),
    resnet("zoo_resnet20", 20, THIN, Plain, Zoo),
    resnet("zoo_resnet110", 110, THIN, Plain, Zoo),
    large_resnet("ResNet18", &[], [2, 2, 2, 2], false, false),
    large_resnet("ResNet34", &[], [3, 4, 6, 3], false, false),
    large_resnet("ResNet50", &[], [3, 4, 6, 3], true, false),
    large_resnet("ResNet101", &[], [3, 4, 23, 3], true, false),
    large_resnet("ResNet152", &[], [3, 8, 36, 3], true, false),
    wrn("wrn_16_1", &["wrn-16-1"], 16, 1, Plain),
    wrn("wrn_16_2", &["wrn-16-2"], 16, 2, Plain),
    wrn("wrn_40_1", &["wrn-40-1"], 40, 1, Plain),
    wrn("wrn_40_2", &["wrn-40-2"], 40, 2, Plain),
    wrn("wrn_28_10", &["wrn-28-10"], 28, 10, Plain),
    vgg("vgg8", &["vgg8_bn"], [1, 1, 1, 1, 1], Plain, false),
    vgg("vgg11", &["vgg11_bn"], [1, 1, 2, 2, 2], Plain, false),
    vgg("vgg13", &["vgg13_bn"], [2, 2, 2, 2, 2], Plain, false),
    vgg("vgg16", &["vgg16_bn"], [2, 2, 3, 3, 3], Plain, false),
    vgg("vgg19", &["vgg19_bn"], [2, 2, 4, 4, 4], Plain, false),
    mobilenet_v2(
        "mobilenetv2_050",
        &["MobileNetV2", "mobile_half"],
        0.5,
        Plain,
    ),
    mobilenet_v2("mobilenetv2_100", &["mobilev2"], 1.0, Plain),
    entry(
        "shufflenetv1",
        &["ShuffleV1"],
        Blueprint::ShufflenetV1 { unit: Plain },
    ),
    entry("shufflenetv2", &["ShuffleV2"], Blueprint::ShufflenetV2),
    resnet("represnet20", 20, THIN, Ambb, Downsample),
    resnet("represnet32", 32, THIN, Ambb, Downsample),
    resnet("represnet8x4", 8, WIDE, Ambb, Downsample),
    wrn("repwrn_16_2", &["repwrn-16-2"], 16, 2, Ambb),
    wrn("repwrn_40_1", &["repwrn-40-1"], 40, 1, Ambb),
    vgg("repvgg8", &[], [1, 1, 1, 1, 1], Ambb, false),
    mobilenet_v2("repmobilenetv2", &[], 0.5, Ambb),
    entry(
        "repshufflenetv1",
        &["repshufflev1"],
        Blueprint::ShufflenetV1 { unit: Ambb },
    ),
    vgg(
        "vgg8-imagenet",
        &["vgg8_imagenet"],
        [1, 1, 1, 1, 1],
        Plain,
        true,
    ),
    vgg(
        "vgg11-imagenet",
        &["vgg11_imagenet"],
        [1, 1, 2, 2, 2],
        Plain,
        true,
    ),
    vgg(
        "vgg13-imagenet",
        &["vgg13_imagenet"],
        [2, 2, 2, 2, 2],
        Plain,
        true,
    ),
    vgg(
        "vgg16-imagenet",
        &["vgg16_imagenet"],
        [2, 2, 3, 3, 3],
        Plain,
        true,
    ),
    vgg(
        "vgg19-imagenet",
        &["vgg19_imagenet"],
        [2, 2, 4, 4, 4],
        Plain,
        true,
    ),
    large_resnet(
        "resnet18-imagenet",
        &["resnet18_imagenet"],
        [2, 2, 2, 2],
        false,
        true,
    ),
    large_resnet(
        "resnet34-imagenet",
        &["resnet34_imagenet"],
        [3, 4, 6, 3],
        false,
        true,
    ),
    large_resnet(
        "resnet50-imagenet",
        &["resnet50_imagenet"],
        [3, 4, 6, 3],
        true,
        true,
    ),
    entry(
        "mobilenetv1-imagenet",
        &["mobilenetv1_imagenet", "MobileNetV1"],
        Blueprint::MobilenetV1,
    ),
];
