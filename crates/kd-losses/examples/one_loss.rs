//! One loss of feature maps in a loop of your own: two small convolutions follow two large ones by
//! attention transfer.
//!
//! ```text
//! cargo run -p kd-losses --example one_loss
//! ```
// A program that prints is what an example is.
#![allow(clippy::print_stdout)]

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Distribution, Tensor};
use kd_losses::LossError;
use kd_losses::maps::AtLossConfig;

/// Two convolutions, whose maps are compared.
#[derive(Module, Debug)]
struct Convolutions {
    layers: [Conv2d; 2],
}

impl Convolutions {
    fn new(channels: usize, device: &Device) -> Self {
        let layer = |from| {
            Conv2dConfig::new([from, channels], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device)
        };
        Self {
            layers: [layer(3), layer(channels)],
        }
    }

    /// The map after each layer.
    fn maps(&self, images: Tensor<4>) -> [Tensor<4>; 2] {
        let first = relu(self.layers[0].forward(images));
        let second = relu(self.layers[1].forward(first.clone()));
        [first, second]
    }
}

fn main() -> Result<(), LossError> {
    let device = Device::flex();
    let training = device.clone().autodiff();
    device.seed(1);

    // The maps may differ in channels and size: attention transfer compares where they are large.
    let at = AtLossConfig::new().init()?;
    let teacher = Convolutions::new(32, &device);
    let mut student = Convolutions::new(4, &training);
    let mut adam = AdamConfig::new().init();
    let images = Tensor::random([8, 3, 8, 8], Distribution::Normal(0.0, 1.0), &device);

    for step in 0..=50 {
        // The teacher sees plain tensors, so that no graph is recorded for it.
        let wanted = teacher.maps(images.clone());
        let found = student.maps(images.clone().autodiff());
        let loss = at.forward_stages(&found, &wanted) * 1000.0;
        let gradients = GradientsParams::from_grads(loss.backward(), &student);
        student = adam.step(0.01, student, gradients);
        if step % 10 == 0 {
            println!("step {step:2}: {:.3}", loss.into_scalar::<f32>());
        }
    }
    Ok(())
}
