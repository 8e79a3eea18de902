//! Launches of the parts of a training step, with the kernels of `kd-kernels` and without.
//!
//! ```sh
//! KD_TEST_DEVICE=wgpu cargo test --features wgpu --test gpu -- --ignored --nocapture launches
//! ```

use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Int, Tensor};
use kd_kernels::gpu::launches::count;
use kd_kernels::optim::{Sgd, Tensors, sgd};
use kd_kernels::set_enabled;
use kd_nn::{Activation, BatchNormConfig, conv2d, cross_entropy, divergence};

use crate::support::{device, tensor};

/// Launches of `work` once its kernels are chosen.
fn launches(device: &Device, work: impl Fn()) -> usize {
    let synced = || {
        work();
        device.sync().expect("a device that works");
    };
    synced();
    synced();
    count(synced).1.values().sum()
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

/// Cross-entropy and distillation of logits, forward and backward.
fn losses(device: &Device) {
    let dims = [8, 100];
    let logits = Tensor::from_inner(tensor(1, dims, device)).require_grad();
    let labels = Tensor::<1, Int>::arange(0..8, device);
    let loss = cross_entropy(logits.clone(), labels).mean() * 0.1
        + divergence(logits, tensor(2, dims, device), 4.0).mean() * (0.9 * 16.0);
    loss.backward();
}

/// A step of SGD over the 65 parameters of `resnet20`, as many as it has of each size or alike.
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
    while let [Some(p), Some(m), Some(g)] = lists.each_mut().map(|list| list.pop::<1>()) {
        let momentum = m * 0.9 + g + p.clone() * 5e-4;
        drop((p - momentum.clone() * rate.clone(), momentum));
    }
}

#[test]
#[ignore = "prints figures"]
#[allow(clippy::print_stdout)]
fn launches_of_parts() {
    let Some(device) = device() else { return };
    for (what, work) in [
        (
            "convolution, batch norm, addition, ReLU",
            unit as fn(&Device),
        ),
        ("cross-entropy and distillation", losses),
    ] {
        let [own, burns] = [true, false].map(|enabled| {
            set_enabled(enabled);
            launches(&device, || work(&device))
        });
        set_enabled(true);
        println!("{what}: {own}, Burn's own {burns}");
    }
    let [own, burns] = [true, false].map(|kernel| launches(&device, || update(&device, kernel)));
    println!("SGD of 65 tensors: {own}, Burn's own {burns}");
}
