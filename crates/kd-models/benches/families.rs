//! Images a second of every family, and what depthwise and grouped convolutions cost.
//!
//! ```text
//! cargo bench --profile dev --bench families [-- NAME…]
//! ```
//!
//! Training is a forward and a backward pass; data, loss and optimizer are a hundredth of a step.
#![allow(clippy::print_stdout, missing_docs)]

use std::time::{Duration, Instant};

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Distribution, Tensor};
use kd_models::{AnyNetwork, Architecture, CountMacs, Foldable, Network};

const CLASSES: usize = 100;

/// Networks and batches that take a few seconds each.
const NETWORKS: &[(&str, usize)] = &[
    ("resnet20", 64),
    ("resnet8x4", 64),
    ("wrn_16_2", 64),
    ("vgg8", 64),
    ("ResNet18", 64),
    ("ResNet50", 16),
    ("mobilenetv2_050", 64),
    ("mobilenetv2_100", 64),
    ("shufflenetv1", 64),
    ("shufflenetv2", 64),
    ("represnet20", 64),
    ("represnet8x4", 64),
    ("repvgg8", 64),
    ("repmobilenetv2", 64),
    ("repshufflenetv1", 64),
    ("resnet18-imagenet", 8),
    ("mobilenetv1-imagenet", 8),
];

/// Shortest time that is measured.
const ENOUGH: Duration = Duration::from_secs(2);

/// Seconds of one run, the mean of as many as fit, after one to warm up.
fn seconds(device: &Device, mut run: impl FnMut()) -> f64 {
    let sync = || device.sync().expect("the device works");
    run();
    sync();
    let start = Instant::now();
    let mut runs = 0;
    while runs < 3 || start.elapsed() < ENOUGH {
        run();
        sync();
        runs += 1;
    }
    start.elapsed().as_secs_f64() / f64::from(runs)
}

fn images(batch: usize, input: [usize; 3], device: &Device) -> Tensor<4> {
    let [channels, height, width] = input;
    let normal = Distribution::Normal(0.0, 1.0);
    Tensor::random([batch, channels, height, width], normal, device)
}

fn inference(network: &AnyNetwork, images: &Tensor<4>) -> f64 {
    seconds(&images.device(), || {
        network.forward(images.clone());
    })
}

fn training(network: &AnyNetwork, images: &Tensor<4>) -> f64 {
    seconds(&images.device(), || {
        network.forward(images.clone()).sum().backward();
    })
}

fn families(only: &[String], device: &Device) {
    println!(
        "{:<22} {:>5} {:>8} | {:>9} {:>7} | {:>9} {:>8} | {:>9} {:>7}",
        "", "batch", "MACs (M)", "inference", "GMAC/s", "folded", "deployed", "training", "GMAC/s"
    );
    for &(name, batch) in NETWORKS {
        if !only.is_empty() && !only.iter().any(|wanted| wanted == name) {
            continue;
        }
        let architecture = Architecture::by_name(name).expect("a registered network");
        let input = architecture.usual_input();
        let autodiff = device.clone().autodiff();
        let trained = architecture.init(CLASSES, &autodiff);
        let network = trained.valid();
        let macs = network.macs(input, device) as f64;
        let x = images(batch, input, device);
        let speed = |seconds: f64| batch as f64 / seconds;

        let plain = speed(inference(&network, &x));
        let folded = speed(inference(&network.clone().fold_batch_norm(), &x));
        let deployed = match architecture.deployable() {
            true => format!("{:.1}", speed(inference(&network.deploy(), &x))),
            false => String::new(),
        };
        let train = speed(training(&trained, &images(batch, input, &autodiff)));
        println!(
            "{name:<22} {batch:>5} {:>8.1} | {plain:>9.1} {:>7.2} | {folded:>9.1} {deployed:>8} | {train:>9.1} {:>7.2}",
            macs / 1e6,
            plain * macs / 1e9,
            // One product forward, two backward.
            3.0 * train * macs / 1e9,
        );
    }
}

/// Convolutions as the networks have them.
const LAYERS: &[(&str, [usize; 2], usize, usize, usize)] = &[
    ("3×3, 16 to 16, 32×32", [16, 16], 3, 1, 32),
    ("3×3, 64 to 64, 16×16", [64, 64], 3, 1, 16),
    ("3×3, 512 to 512, 4×4", [512, 512], 3, 1, 4),
    ("1×1, 192 to 192, 8×8", [192, 192], 1, 1, 8),
    ("1×1, 240 to 60, 3 groups, 16×16", [240, 60], 1, 3, 16),
    ("1×1, 60 to 240, 3 groups, 16×16", [60, 240], 1, 3, 16),
    ("3×3 depthwise, 60, 16×16", [60, 60], 3, 60, 16),
    ("3×3 depthwise, 192, 8×8", [192, 192], 3, 192, 8),
    ("3×3 depthwise, 480, 4×4", [480, 480], 3, 480, 4),
];

fn layers(device: &Device) {
    const BATCH: usize = 64;
    println!(
        "\n{:<34} | {:<8} | {:>8} {:>7} | {:>8} {:>7} {:>9}",
        "one layer, batch 64", "", "forward", "GMAC/s", "both", "GMAC/s", "backward"
    );
    for &(label, channels, kernel, groups, size) in LAYERS {
        let padding = kernel / 2;
        let conv = Conv2dConfig::new(channels, [kernel, kernel])
            .with_groups(groups)
            .with_bias(false)
            .with_padding(PaddingConfig2d::Explicit(
                padding, padding, padding, padding,
            ))
            .init(&device.clone().autodiff());
        let macs = BATCH * size * size * channels[1] * channels[0] / groups * kernel * kernel;
        let macs = macs as f64 / 1e9;
        let input = [channels[0], size, size];
        let frozen = conv.valid();
        let x = images(BATCH, input, device);
        type Run = fn(&Conv2d, Tensor<4>) -> Tensor<4>;
        for (who, run) in [
            ("kernels", kd_nn::conv2d_layer as Run),
            ("Burn", |conv, x| conv.forward(x)),
        ] {
            let forward = seconds(device, || {
                run(&frozen, x.clone());
            });
            let both = seconds(device, || {
                let x = Tensor::from_inner(x.clone()).require_grad();
                run(&conv, x).sum().backward();
            });
            println!(
                "{label:<34} | {who:<8} | {:>5.2} ms {:>7.2} | {:>5.1} ms {:>7.2} {:>6.1} ms",
                forward * 1e3,
                macs / forward,
                both * 1e3,
                3.0 * macs / both,
                (both - forward) * 1e3,
            );
        }
    }
}

fn main() {
    // `cargo bench` and `cargo test` hand over flags of their own harness.
    let only: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let device = Device::default();
    families(&only, &device);
    if only.is_empty() {
        layers(&device);
    }
}
