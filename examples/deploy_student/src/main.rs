//! From a re-parameterizable student to the plain network that is deployed:
//! `cargo run --bin deploy_student`
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Device, Distribution, Tensor};
use kd::models::weights::count_parameters;
use kd::models::{AnyNetwork, Architecture, CountMacs, Foldable, Network};

fn main() -> Result<(), Box<dyn Error>> {
    let device = Device::flex();
    let normal = Distribution::Normal(0.0, 1.0);
    let images = Tensor::<4>::random([32, 3, 32, 32], normal, &device);

    // Instead of training: one pass, for running statistics of its own.
    let student = Architecture::by_name("represnet20")?.init(100, &device.clone().autodiff());
    student.forward(Tensor::from_inner(images.clone()));

    let trained = student.valid();
    let deployed = trained.clone().deploy();
    let expected = trained.forward(images.clone());
    let difference = (deployed.forward(images.clone()) - expected.clone())
        .abs()
        .max();
    println!(
        "largest difference of a logit: {:.1e} of the largest",
        difference.into_scalar::<f32>() / expected.abs().max().into_scalar::<f32>()
    );

    let plain = Architecture::by_name("resnet20")?
        .init(100, &device)
        .valid();
    let report = |name: &str, network: &AnyNetwork| {
        network.forward(images.clone());
        let start = Instant::now();
        // Reading the result waits for it.
        network.forward(images.clone()).into_data();
        let elapsed = start.elapsed();
        println!(
            "{name:<22} {:>7} parameters, {:>6.1} M MACs, {:>4.0} ms for 32 images",
            count_parameters(network),
            network.macs([3, 32, 32], &device) as f64 / 1e6,
            elapsed.as_secs_f64() * 1e3,
        );
    };
    report("represnet20, trained", &trained);
    report("represnet20, deployed", &deployed);
    report("resnet20", &plain);
    Ok(())
}
