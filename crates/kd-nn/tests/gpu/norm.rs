//! Batch norm in training.

use burn::tensor::{Device, Tensor};
use kd_nn::{Activation, BatchNorm, BatchNormConfig};

use crate::support::{assert_close, device, tensor};

/// A layer whose numbers are not its defaults.
fn layer(channels: usize, device: &Device) -> BatchNorm {
    let mut norm = BatchNormConfig::new(channels).init(device);
    let shifted = |tensor: Tensor<1>| (tensor + 1.5).require_grad();
    norm.weight = norm.weight.map(|_| shifted(tensor(71, [channels], device)));
    norm.bias = norm.bias.map(|_| shifted(tensor(72, [channels], device)));
    norm
}

/// Everything that a training step leaves.
struct Step<const D: usize> {
    output: Tensor<D>,
    running: [Tensor<1>; 2],
    input: Tensor<D>,
    residual: Option<Tensor<D>>,
    weight: Tensor<1>,
    bias: Tensor<1>,
}

/// Forward and backward on a device, with the gradient of other numbers.
fn step<const D: usize>(
    device: &Device,
    dims: [usize; D],
    case: Case,
    order: Option<[usize; D]>,
) -> Step<D> {
    let training = device.clone().autodiff();
    // A large mean, as sums of squares would lose digits to.
    let input = tensor(73, dims, device) * 2.0 + 30.0;
    // In memory by another order of axes.
    let placed = |tensor: Tensor<D>| match order {
        Some(order) => {
            let mut back = order;
            for (place, axis) in order.into_iter().enumerate() {
                back[axis] = place;
            }
            let moved = tensor.permute(order.map(|axis| axis as isize)).into_data();
            Tensor::from_data(moved, device).permute(back.map(|axis| axis as isize))
        }
        None => tensor,
    };
    let input = Tensor::from_inner(placed(input)).require_grad();
    let residual = case.residual.then(|| {
        let residual = tensor(74, dims, device);
        Tensor::from_inner(residual).require_grad()
    });
    let norm = layer(dims[1], &training);
    let activation = match case.relu {
        true => Activation::Relu,
        false => Activation::None,
    };
    let output = match case.chosen {
        Some(chosen) => {
            let choices: Vec<f32> = (0..dims[0]).map(chosen).collect();
            let chosen = Tensor::from_floats(choices.as_slice(), device);
            norm.forward_gated(input.clone(), Some(&chosen))
        }
        None => norm.forward_with(input.clone(), residual.clone(), activation),
    };
    let factors = Tensor::from_inner(tensor(75, dims, device));
    let grads = (output.clone() * factors).sum().backward();
    let gradient = |tensor: &Tensor<D>| tensor.grad(&grads).expect("a gradient");
    let of_row = |tensor: Tensor<1>| tensor.grad(&grads).expect("a gradient");
    Step {
        output: output.inner(),
        running: [&norm.running_mean, &norm.running_var].map(|state| state.value().inner()),
        input: gradient(&input),
        residual: residual.as_ref().map(gradient),
        weight: of_row(norm.weight.val()),
        bias: of_row(norm.bias.val()),
    }
}

#[derive(Clone, Copy)]
struct Case {
    residual: bool,
    relu: bool,
    chosen: Option<fn(usize) -> f32>,
}

const PLAIN: Case = Case {
    residual: false,
    relu: false,
    chosen: None,
};

fn compare<const D: usize>(found: &Step<D>, expected: &Step<D>, what: &str) {
    let say = |part: &str| format!("{what}: {part}");
    assert_close(&found.output, &expected.output, &say("output"));
    let [mean, variance] = &found.running;
    assert_close(mean, &expected.running[0], &say("running mean"));
    assert_close(variance, &expected.running[1], &say("running variance"));
    assert_close(&found.input, &expected.input, &say("input's gradient"));
    assert_close(&found.weight, &expected.weight, &say("weight's gradient"));
    assert_close(&found.bias, &expected.bias, &say("bias's gradient"));
    if let (Some(found), Some(expected)) = (&found.residual, &expected.residual) {
        assert_close(found, expected, &say("residual's gradient"));
    }
}

fn check<const D: usize>(
    device: &Device,
    dims: [usize; D],
    case: Case,
    order: Option<[usize; D]>,
    what: &str,
) {
    let found = step(device, dims, case, order);
    compare(&found, &step(&Device::flex(), dims, case, None), what);
}

#[test]
fn maps_in_any_order_are_normalized_as_on_the_cpu() {
    let Some(device) = device() else { return };
    let all = Case {
        residual: true,
        relu: true,
        ..PLAIN
    };
    for dims in [[3, 5, 4, 7], [2, 40, 6, 6], [9, 3, 20, 20]] {
        for case in [PLAIN, all] {
            check(&device, dims, case, None, "channel by channel");
            let last = Some([0, 2, 3, 1]);
            check(&device, dims, case, last, "position by position");
        }
    }
    check(
        &device,
        [3, 5, 4, 7],
        all,
        Some([1, 3, 0, 2]),
        "another order",
    );
}

#[test]
fn rows_are_normalized_as_on_the_cpu() {
    let Some(device) = device() else { return };
    check(&device, [12, 5], PLAIN, None, "rows");
}

#[test]
fn statistics_of_chosen_samples_are_those_of_the_cpu() {
    let Some(device) = device() else { return };
    let some: fn(usize) -> f32 = |sample| f32::from(u8::from(sample % 3 == 1));
    let one: fn(usize) -> f32 = |sample| f32::from(u8::from(sample == 2));
    let none: fn(usize) -> f32 = |_| 0.0;
    for (chosen, what) in [(some, "some"), (one, "one"), (none, "none")] {
        let case = Case {
            chosen: Some(chosen),
            ..PLAIN
        };
        check(&device, [5, 6, 3, 4], case, None, what);
    }
}

#[test]
fn burns_own_operations_on_the_device_say_the_same() {
    let Some(device) = device() else { return };
    let dims = [4, 3, 5, 6];
    let training = device.clone().autodiff();
    let x = Tensor::from_inner(tensor(73, dims, &device)).require_grad();
    let factors = Tensor::from_inner(tensor(75, dims, &device));
    let norm = layer(dims[1], &training);
    let own = burn::tensor::module::batch_norm_train(
        x.clone(),
        norm.weight.val(),
        norm.bias.val(),
        norm.epsilon,
    );
    let gradient = |output: Tensor<4>| {
        let grads = (output * factors.clone()).sum().backward();
        x.grad(&grads).expect("a gradient")
    };
    let output = norm.forward(x.clone());
    assert_close(&output, &own.output, "output");
    assert_close(&gradient(output), &gradient(own.output), "gradient");
}
