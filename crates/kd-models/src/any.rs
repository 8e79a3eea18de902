//! One type for every registered network.

use burn::module::Module;
use kd_core::{Classifier, Feature, Network, NormAffine};

use crate::{
    CountMacs, Foldable, Folding, MobilenetV1, MobilenetV2, PytorchKeys, Resnet, ShufflenetV1,
    ShufflenetV2, Vgg, WideResnet,
};

/// Any registered network, so that a program can hold one whose name it learns at run time.
// A program holds a handful of networks, so the size of the largest one does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum AnyNetwork {
    /// A residual network.
    Resnet(Resnet),
    /// A wide residual network.
    Wrn(WideResnet),
    /// A VGG.
    Vgg(Vgg),
    /// A MobileNetV1.
    MobilenetV1(MobilenetV1),
    /// A MobileNetV2.
    MobilenetV2(MobilenetV2),
    /// A ShuffleNetV1.
    ShufflenetV1(ShufflenetV1),
    /// A ShuffleNetV2.
    ShufflenetV2(ShufflenetV2),
}

/// The same expression for whatever network it is; with `=> Self`, wrapped again.
macro_rules! each {
    ($any:expr, $network:ident => Self($body:expr)) => {
        match $any {
            AnyNetwork::Resnet($network) => AnyNetwork::Resnet($body),
            AnyNetwork::Wrn($network) => AnyNetwork::Wrn($body),
            AnyNetwork::Vgg($network) => AnyNetwork::Vgg($body),
            AnyNetwork::MobilenetV1($network) => AnyNetwork::MobilenetV1($body),
            AnyNetwork::MobilenetV2($network) => AnyNetwork::MobilenetV2($body),
            AnyNetwork::ShufflenetV1($network) => AnyNetwork::ShufflenetV1($body),
            AnyNetwork::ShufflenetV2($network) => AnyNetwork::ShufflenetV2($body),
        }
    };
    ($any:expr, $network:ident => $body:expr) => {
        match $any {
            AnyNetwork::Resnet($network) => $body,
            AnyNetwork::Wrn($network) => $body,
            AnyNetwork::Vgg($network) => $body,
            AnyNetwork::MobilenetV1($network) => $body,
            AnyNetwork::MobilenetV2($network) => $body,
            AnyNetwork::ShufflenetV1($network) => $body,
            AnyNetwork::ShufflenetV2($network) => $body,
        }
    };
}

impl Network for AnyNetwork {
    fn stages(&self) -> usize {
        each!(self, network => network.stages())
    }

    fn stage(&self, index: usize, input: Feature) -> Feature {
        each!(self, network => network.stage(index, input))
    }

    fn stage_with_preact(&self, index: usize, input: Feature) -> (Feature, Feature) {
        each!(self, network => network.stage_with_preact(index, input))
    }

    fn classifier(&self) -> Option<Classifier> {
        each!(self, network => network.classifier())
    }

    fn last_norm(&self, stage: usize) -> Option<NormAffine> {
        each!(self, network => network.last_norm(stage))
    }

    fn for_inference(&self) -> Self {
        each!(self, network => Self(network.for_inference()))
    }
}

impl PytorchKeys for AnyNetwork {
    fn pytorch_key(&self, path: &str) -> String {
        each!(self, network => network.pytorch_key(path))
    }
}

impl Foldable for AnyNetwork {
    fn folded(self, folding: Folding) -> Self {
        each!(self, network => Self(network.folded(folding)))
    }
}

impl CountMacs for AnyNetwork {}
