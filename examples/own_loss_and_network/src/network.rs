//! A network that kd does not know.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::Device;
use burn::tensor::activation::relu;
use kd_core::{Feature, Network};

/// A plain convolutional network: each convolution halves the map and is a stage.
#[derive(Module, Debug)]
pub struct Plain {
    convs: Vec<Conv2d>,
    norms: Vec<BatchNorm>,
    head: Linear,
}

impl Plain {
    /// A network with so many channels after each stage, the stem's first.
    pub fn new(channels: &[usize], classes: usize, device: &Device) -> Self {
        let inputs = std::iter::once(&3).chain(channels);
        let convs = inputs.zip(channels).map(|(input, output)| {
            Conv2dConfig::new([*input, *output], [3, 3])
                .with_stride([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device)
        });
        let norms = channels.iter().map(|c| BatchNormConfig::new(*c).init(device));
        Self {
            convs: convs.collect(),
            norms: norms.collect(),
            head: LinearConfig::new(channels[channels.len() - 1], classes).init(device),
        }
    }
}

// The stem is stage 0; after the last stage come the pooling and the head.
impl Network for Plain {
    fn stages(&self) -> usize {
        self.convs.len() - 1
    }

    fn stage(&self, index: usize, input: Feature) -> Feature {
        match self.convs.get(index) {
            Some(conv) => relu(self.norms[index].forward(conv.forward(input.map()))).into(),
            None if index == self.pool() => {
                input.map().mean_dim(3).mean_dim(2).flatten::<2>(1, 3).into()
            }
            None => self.head.forward(input.vector()).into(),
        }
    }
}
