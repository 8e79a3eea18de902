//! Updates of many tensors at once.

use burn::tensor::{Device, Tensor};
use kd_kernels::optim::{Sgd, Tensors, assign, sgd};

use crate::support::{assert_close, device, tensor};

/// Three parameters, the last of them with other strides than its shape has.
fn list(seed: u32, device: &Device) -> (Tensor<1>, Tensor<2>, Tensor<4>) {
    (
        tensor(seed, [7], device),
        tensor(seed + 1, [20, 33], device),
        tensor(seed + 2, [3, 3, 4, 5], device).permute([3, 2, 0, 1]),
    )
}

fn tensors((a, b, c): (Tensor<1>, Tensor<2>, Tensor<4>)) -> Tensors {
    let mut list = Tensors::default();
    list.push(a);
    list.push(b);
    list.push(c);
    list
}

fn taken(mut list: Tensors) -> (Tensor<1>, Tensor<2>, Tensor<4>) {
    let taken = (list.pop(), list.pop(), list.pop());
    assert!(list.is_empty());
    match taken {
        (Some(a), Some(b), Some(c)) => (a, b, c),
        _ => panic!("three tensors"),
    }
}

/// Two steps from the same numbers.
fn steps(device: &Device, nesterov: bool) -> [(Tensor<1>, Tensor<2>, Tensor<4>); 2] {
    let settings = Sgd {
        momentum: 0.9,
        nesterov,
        decays: vec![0.0, 5e-2, 1e-1],
    };
    let mut state = (tensors(list(1, device)), tensors(list(11, device)));
    for step in 0..2 {
        // In memory as the shape says, unlike the parameter.
        let gradients = (
            tensor(21 + step, [7], device),
            tensor(31 + step, [33, 20], device).transpose(),
            tensor(41 + step, [5, 4, 3, 3], device),
        );
        let rate = Tensor::full([1], 0.1 * f64::from(step + 1), device);
        let (parameters, momenta) = state;
        let gradients = tensors(gradients);
        state = sgd(parameters, momenta, gradients, rate, settings.clone());
    }
    [taken(state.0), taken(state.1)]
}

#[test]
fn steps_are_those_of_the_cpu() {
    let Some(device) = device() else { return };
    for nesterov in [false, true] {
        let found = steps(&device, nesterov);
        let expected = steps(&Device::flex(), nesterov);
        for (found, expected) in found.iter().zip(&expected) {
            assert_close(&found.0, &expected.0, "the vector");
            assert_close(&found.1, &expected.1, "the matrix");
            assert_close(&found.2, &expected.2, "the filters");
        }
    }
}

#[test]
fn steps_are_taken_in_place() {
    let Some(device) = device() else { return };
    let parameter = tensor(1, [5, 6], &device);
    let momentum = tensor(2, [5, 6], &device);
    let clones = [parameter.clone(), momentum.clone()];
    let one = |tensor: Tensor<2>| {
        let mut list = Tensors::default();
        list.push(tensor);
        list
    };
    let settings = Sgd {
        momentum: 0.9,
        nesterov: false,
        decays: vec![0.0],
    };
    let gradient = tensor(3, [5, 6], &device);
    let rate = Tensor::ones([1], &device);
    let (parameter, momentum) = sgd(one(parameter), one(momentum), one(gradient), rate, settings);
    for (mut list, clone) in [parameter, momentum].into_iter().zip(clones) {
        let updated = list.pop::<2>().expect("a tensor");
        updated.into_data().assert_eq(&clone.into_data(), true);
    }
}

#[test]
fn more_tensors_than_a_launch_takes_are_updated_all() {
    let Some(device) = device() else { return };
    let many = |seed: u32, device: &Device| {
        let mut list = Tensors::default();
        for index in 0..130 {
            list.push(tensor(seed + index, [3], device));
        }
        list
    };
    let updated = |device: &Device| {
        let settings = Sgd {
            momentum: 0.5,
            nesterov: false,
            decays: (0..130).map(|index| f64::from(index) * 1e-3).collect(),
        };
        let rate = Tensor::full([1], 0.5, device);
        let lists = [1, 1001, 2001].map(|seed| many(seed, device));
        let [parameters, momenta, gradients] = lists;
        let (mut parameters, _) = sgd(parameters, momenta, gradients, rate, settings);
        let tensors = std::iter::from_fn(|| parameters.pop::<1>());
        Tensor::cat(tensors.collect(), 0)
    };
    assert_close(&updated(&device), &updated(&Device::flex()), "parameters");
}

#[test]
fn what_is_assigned_is_in_the_memory_of_the_target() {
    let Some(device) = device() else { return };
    let targets = list(1, &device);
    let clones = targets.clone();
    let sources = (
        tensor(51, [7], &device),
        tensor(52, [20, 33], &device),
        tensor(53, [5, 4, 3, 3], &device),
    );
    let assigned = taken(assign(tensors(targets), tensors(sources.clone())));
    for (found, what) in [(assigned, "what is returned"), (clones, "a clone")] {
        assert_close(&found.0, &sources.0, what);
        assert_close(&found.1, &sources.1, what);
        assert_close(&found.2, &sources.2, what);
    }
}
