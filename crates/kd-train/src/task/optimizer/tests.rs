//! The optimizers against what PyTorch documents of them.

use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::Device;

use super::*;

const STEPS: i32 = 3;

/// Some steps on one number whose gradient is `2 (w − 1)`, as PyTorch documents SGD.
fn sgd_by_hand(mut w: f64, config: &OptimizerConfig, decay: f64) -> f64 {
    let (lr, momentum) = (config.rate(), config.momentum.unwrap_or(0.0));
    let mut velocity = None;
    for _ in 0..STEPS {
        let gradient = 2.0 * (w - 1.0) + decay * w;
        let v = velocity.map_or(gradient, |v: f64| momentum * v + gradient);
        velocity = Some(v);
        w -= lr
            * match config.nesterov {
                true => gradient + momentum * v,
                false => v,
            };
    }
    w
}

/// The same for Adam, whose decay is a part of the gradient, and AdamW, whose decay is not.
fn adam_by_hand(mut w: f64, config: &OptimizerConfig, decay: f64) -> f64 {
    let lr = config.rate();
    let [beta_1, beta_2] = config.betas.expect("betas");
    let epsilon = config.epsilon.expect("an epsilon");
    let decoupled = config.name == OptimizerName::AdamW;
    let (mut first, mut second) = (0.0, 0.0);
    for step in 1..=STEPS {
        let mut gradient = 2.0 * (w - 1.0);
        match decoupled {
            true => w *= 1.0 - lr * decay,
            false => gradient += decay * w,
        }
        first = beta_1 * first + (1.0 - beta_1) * gradient;
        second = beta_2 * second + (1.0 - beta_2) * gradient * gradient;
        let mean = first / (1.0 - beta_1.powi(step));
        let variance: f64 = second / (1.0 - beta_2.powi(step));
        w -= lr * mean / (variance.sqrt() + epsilon);
    }
    w
}

/// The same by Burn, for a weight and a bias.
fn by_burn(w: f32, config: &OptimizerConfig) -> [f64; 2] {
    let device = Device::default().autodiff();
    let mut layer: Linear = LinearConfig::new(1, 1).init(&device);
    layer.weight = Param::from_tensor(Tensor::from_floats([[w]], &device));
    layer.bias = Some(Param::from_tensor(Tensor::from_floats([w], &device)));
    let groups = Groups::new().expect("groups");
    let mut optimizer = config.init(&layer, 0.0, &groups);
    let values = |layer: &Linear| {
        let bias = layer.bias.as_ref().expect("a bias").val();
        [layer.weight.val().reshape([1]), bias]
    };
    for _ in 0..STEPS {
        let losses = values(&layer).map(|value| (value - 1.0).square());
        let [weight, bias] = losses;
        let gradients = GradientsParams::from_grads((weight + bias).backward(), &layer);
        layer = optimizer.step(config.rate(), layer, gradients);
    }
    values(&layer).map(|value| f64::from(value.into_scalar::<f32>()))
}

/// Compares the weight, which decays, and the bias, which does if the configuration says so.
fn check(config: OptimizerConfig, by_hand: impl Fn(f64, &OptimizerConfig, f64) -> f64) {
    for decay_norms_and_biases in [true, false] {
        let config = OptimizerConfig {
            decay_norms_and_biases,
            ..config.clone()
        };
        let config = config.resolved().expect("an optimizer");
        let decay = config.weight_decay.expect("a decay");
        let of_bias = if decay_norms_and_biases { decay } else { 0.0 };
        let expected = [decay, of_bias].map(|decay| by_hand(3.0, &config, decay));
        let actual = by_burn(3.0, &config);
        for (actual, expected) in actual.iter().zip(expected) {
            assert!(
                (actual - expected).abs() < 1e-5,
                "{config:?}: {actual}, expected {expected}"
            );
        }
    }
}

#[test]
fn sgd_has_the_semantics_of_pytorch() {
    for (momentum, decay, nesterov) in [
        (0.0, 0.0, false),
        (0.9, 0.0, false),
        (0.9, 0.05, false),
        (0.9, 0.05, true),
    ] {
        let config = OptimizerConfig {
            lr: Some(0.1),
            momentum: Some(momentum),
            weight_decay: Some(decay),
            nesterov,
            ..OptimizerConfig::default()
        };
        check(config, sgd_by_hand);
    }
}

#[test]
fn adam_and_adamw_have_the_semantics_of_pytorch() {
    for name in [OptimizerName::Adam, OptimizerName::AdamW] {
        for (decay, betas) in [
            (0.0, None),
            (0.05, None),
            (0.5, None),
            (0.05, Some([0.5, 0.9])),
        ] {
            let config = OptimizerConfig {
                lr: Some(0.1),
                weight_decay: Some(decay),
                betas,
                ..OptimizerConfig::new(name)
            };
            check(config, adam_by_hand);
        }
    }
}
