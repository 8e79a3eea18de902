//! One type for every registered network.

use burn::module::Module;

use crate::{Feature, Network, Resnet, Vgg, WideResnet};

/// Any registered network, so that a program can hold one whose name it learns at run time.
#[derive(Module, Debug)]
pub enum AnyNetwork {
    /// A CIFAR residual network.
    Resnet(Resnet),
    /// A wide residual network.
    Wrn(WideResnet),
    /// A VGG.
    Vgg(Vgg),
}

macro_rules! each {
    ($any:expr, $network:ident => $body:expr) => {
        match $any {
            AnyNetwork::Resnet($network) => $body,
            AnyNetwork::Wrn($network) => $body,
            AnyNetwork::Vgg($network) => $body,
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

    fn pytorch_key(&self, path: &str) -> String {
        each!(self, network => network.pytorch_key(path))
    }
}
