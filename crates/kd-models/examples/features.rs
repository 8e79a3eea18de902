//! What a network hands out on the way, and what it is without its batch norms.
#![allow(clippy::print_stdout)]

use std::error::Error;

use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};
use kd_models::{Architecture, CountMacs, Foldable, Network};

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex();
    let network = Architecture::by_name("resnet8x4")?
        .init(100, &device)
        .valid();
    let images = Tensor::random([2, 3, 32, 32], Distribution::Default, &device);

    let features = network.features(images.clone());
    for (stage, map) in features.maps.iter().enumerate() {
        println!("stage {stage}: {:?}", map.dims());
    }
    println!(
        "pooled {:?}, logits {:?}",
        features.pooled.dims(),
        features.logits.dims()
    );
    println!(
        "{} multiply-accumulates an image",
        network.macs([3, 32, 32], &device)
    );

    let folded = network.fold_batch_norm();
    let difference = (folded.forward(images) - features.logits).abs().max();
    println!("folded: {:.1e} away", difference.into_scalar::<f32>());
    Ok(())
}
