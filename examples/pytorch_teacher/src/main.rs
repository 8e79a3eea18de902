//! A teacher that was trained in PyTorch: `cargo run --bin pytorch_teacher -- teacher.pth`
//!
//! Without a path it takes a small checkpoint of this repository's tests.
#![allow(clippy::print_stdout)]

use std::error::Error;

use burn::tensor::{Device, Distribution, Tensor};
use kd::models::Network;
use kd::models::weights::WeightsFile;

fn main() -> Result<(), Box<dyn Error>> {
    let checkpoint = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/fixtures/checkpoints/kdrefine_ns_legacy.pth"
    );
    let path = std::env::args().nth(1);
    let file = WeightsFile::open(path.as_deref().unwrap_or(checkpoint))?;

    let identity = file.identify()?;
    println!(
        "{} for {} classes ({})",
        identity.architecture,
        identity.classes,
        if identity.guessed {
            "seen from its keys"
        } else {
            "as it says"
        }
    );

    // A frozen teacher: evaluation mode, its batch norms folded into the convolutions.
    let device = Device::flex();
    let teacher = file.into_network(None, None, &device)?.for_inference();

    let images = Tensor::random([2, 3, 32, 32], Distribution::Normal(0.0, 1.0), &device);
    let features = teacher.features(images);
    for (stage, map) in features.maps.iter().enumerate() {
        println!("stage {stage}: {:?}", map.dims());
    }
    println!("logits:  {:?}", features.logits.dims());
    Ok(())
}
