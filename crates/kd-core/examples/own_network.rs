//! A network of one's own: two methods, and every loss and every routing works with it.
#![allow(clippy::print_stdout)]

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use kd_core::{Alignment, Feature, Network};

/// Each convolution halves the map and is a stage, the first one the stem.
#[derive(Module, Debug)]
struct Plain {
    convs: Vec<Conv2d>,
    head: Linear,
}

impl Plain {
    fn new(channels: &[usize], device: &Device) -> Self {
        let inputs = std::iter::once(&3).chain(channels);
        let conv = |(input, output): (&usize, &usize)| {
            let config = Conv2dConfig::new([*input, *output], [2, 2]);
            config.with_stride([2, 2]).init(device)
        };
        Self {
            convs: inputs.zip(channels).map(conv).collect(),
            head: LinearConfig::new(channels[channels.len() - 1], 10).init(device),
        }
    }
}

impl Network for Plain {
    fn stages(&self) -> usize {
        self.convs.len() - 1
    }

    fn stage(&self, index: usize, input: Feature) -> Feature {
        match self.convs.get(index) {
            Some(conv) => relu(conv.forward(input.map())).into(),
            None if index == self.pool() => input
                .map()
                .mean_dim(3)
                .mean_dim(2)
                .flatten::<2>(1, 3)
                .into(),
            None => self.head.forward(input.vector()).into(),
        }
    }
}

fn main() -> Result<(), kd_core::AlignmentError> {
    let device = Device::flex();
    let (student, teacher) = (
        Plain::new(&[8, 16, 32], &device),
        Plain::new(&[16, 32, 64, 128], &device),
    );
    let images = Tensor::zeros([1, 3, 32, 32], &device);
    println!("{:?}", student.features(images).shapes());

    let shapes = |network: &Plain| network.feature_shapes([3, 32, 32], &device).maps;
    let alignment = Alignment::nearest(&shapes(&student), &shapes(&teacher))?;
    println!("{alignment} correspond");
    Ok(())
}
