//! Launches of the parts of a training step, with the kernels of `kd-kernels` and without.
//!
//! ```sh
//! KD_TEST_DEVICE=wgpu cargo test --features wgpu --test gpu -- --ignored --nocapture --test-threads 1 launches
//! ```

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Int, Tensor};
use kd_kernels::gpu::launches::{Launches, count};
use kd_kernels::optim::{Sgd, Tensors, sgd};
use kd_kernels::set_enabled;
use kd_nn::{Activation, BatchNormConfig, conv2d, cross_entropy, divergence};

use crate::support::{device, tensor};

/// Launches of `work` once its kernels are chosen.
fn launches(device: &Device, work: impl Fn()) -> Launches {
    let synced = || {
        work();
        device.sync().expect("a device that works");
    };
    synced();
    synced();
    count(synced).1
}

/// A convolution, its batch norm, an addition and a ReLU, forward and backward.
fn unit(device: &Device) {
    let training = device.clone().autodiff();
    let dims = [4, 16, 8, 8];
    let x = Tensor::from_inner(tensor(1, dims, device)).require_grad();
    let weight = Tensor::from_inner(tensor(2, [16, 16, 3, 3], device)).require_grad();
    let residual = Tensor::from_inner(tensor(3, dims, device)).require_grad();
    let norm = BatchNormConfig::new(16).init(&training);
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
    let y = conv2d(x, weight, None, options);
    let y = norm.forward_with(y, Some(residual), Activation::Relu);
    let factors = Tensor::from_inner(tensor(4, dims, device));
    (y * factors).sum().backward();
}

/// A convolution with a filter of its own for each of 32 channels, forward and backward.
fn depthwise(device: &Device) {
    let dims = [4, 32, 8, 8];
    let x = Tensor::from_inner(tensor(1, dims, device)).require_grad();
    let weight = Tensor::from_inner(tensor(2, [32, 1, 3, 3], device)).require_grad();
    let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 32);
    let y = conv2d(x, weight, None, options);
    (y * tensor(4, dims, device)).sum().backward();
}

/// Cross-entropy and distillation of logits, forward and backward.
fn losses(device: &Device) {
    let dims = [8, 100];
    let logits = Tensor::from_inner(tensor(1, dims, device)).require_grad();
    let labels = Tensor::<1, Int>::arange(0..8, device);
    let loss = cross_entropy(logits.clone(), labels).mean() * 0.1
        + divergence(logits, tensor(2, dims, device), 4.0).mean() * (0.9 * 16.0);
    loss.backward();
}

/// A step of SGD over 65 tensors of three sizes.
fn update(device: &Device, by_kernel: bool) {
    let shapes = (0..65).map(|index| 16 + index % 3 * 16);
    let list = |seed: u32| shapes.clone().map(move |size| tensor(seed, [size], device));
    let (mut lists, rate) = (
        [(); 3].map(|()| Tensors::default()),
        Tensor::ones([1], device),
    );
    for (list_, seed) in lists.iter_mut().zip(1..) {
        list(seed).for_each(|tensor| list_.push(tensor));
    }
    let [parameters, momenta, gradients] = lists;
    if by_kernel {
        let settings = Sgd {
            momentum: 0.9,
            nesterov: false,
            decays: vec![5e-4; 65],
        };
        sgd(parameters, momenta, gradients, rate, settings);
        return;
    }
    let mut lists = [parameters, momenta, gradients];
    // What is dropped early is not computed.
    let mut results = Vec::new();
    while let [Some(p), Some(m), Some(g)] = lists.each_mut().map(|list| list.pop::<1>()) {
        let momentum = m * 0.9 + g + p.clone() * 5e-4;
        results.push([p - momentum.clone() * rate.clone(), momentum]);
    }
    device.sync().expect("a device that works");
    drop(results);
}

/// Prints how many launches `work` takes by the kernels, each of them by name, and by Burn's own.
#[allow(clippy::print_stdout)]
fn compare(what: &str, work: impl Fn(bool)) {
    let Some(device) = device() else { return };
    let [own, burns] = [true, false].map(|enabled| {
        set_enabled(enabled);
        launches(&device, || work(enabled))
    });
    set_enabled(true);
    for (kernel, count) in &own {
        println!("{count:6} {kernel}");
    }
    let total = |launches: &Launches| launches.values().sum::<usize>();
    println!("{what}: {}, Burn's own {}", total(&own), total(&burns));
}

#[test]
#[ignore = "prints figures"]
fn launches_of_a_unit() {
    let Some(device) = device() else { return };
    compare("convolution, batch norm, addition, ReLU", |_| unit(&device));
}

#[test]
#[ignore = "prints figures"]
fn launches_of_depthwise_convolution() {
    let Some(device) = device() else { return };
    compare("depthwise convolution", |_| depthwise(&device));
}

#[test]
#[ignore = "prints figures"]
fn launches_of_draws() {
    let Some(device) = device() else { return };
    let draws = kd_nn::Draws::new(1, &device);
    let draw = |_| drop(draws.uniform(0, [1024, 64]).into_data());
    compare("65,536 random numbers", draw);
}

#[test]
#[ignore = "prints figures"]
fn launches_of_losses() {
    let Some(device) = device() else { return };
    compare("cross-entropy and distillation", |_| losses(&device));
}

#[test]
#[ignore = "prints figures"]
fn launches_of_sgd() {
    let Some(device) = device() else { return };
    compare("SGD of 65 tensors", |by_kernel| update(&device, by_kernel));
}
