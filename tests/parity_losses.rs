//! Losses against the reference values: value, gradients and running statistics.

use std::collections::BTreeSet;

use burn::module::Param;
use burn::tensor::{Device, Gradients, Tensor};
use kd_kernels::BatchNorm;
use kd_losses::{
    AttentionConfig, AttentionConvention, HintLoss, KdLossConfig, RegressorConfig, RegressorConv,
    cross_entropy,
};
use kd_tests::{Case, assert_close, assert_scalar, cases, devices};

/// Tolerances in f32: of a value relative to it, of a gradient relative to its largest element.
const VALUE: f64 = 1e-5;
const GRADIENT: f64 = 1e-4;

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().expect("f32")
}

fn check_value(case: &Case, loss: &Tensor<1>) {
    let value = f64::from(loss.clone().into_scalar::<f32>());
    assert_scalar(&case.name, value, case.scalar("loss"), VALUE);
}

fn check_gradient<const D: usize>(case: &Case, name: &str, leaf: &Tensor<D>, grads: &Gradients) {
    let gradient = leaf.grad(grads).expect("a gradient");
    let label = format!("{}: gradient of {name}", case.name);
    let expected = case.expected(&format!("grad/{name}"));
    // Equal inputs have a gradient of exactly 0 in theory: compare absolutely there.
    if expected.iter().all(|value| value.abs() < 1e-7) {
        let largest = values(gradient).into_iter().fold(0f32, |max, g| max.max(g.abs()));
        assert!(largest < 1e-6, "{label}: {largest} instead of 0");
    } else {
        assert_close(&label, &values(gradient), expected, GRADIENT);
    }
}

fn logits(case: &Case, device: &Device) {
    let names = if case.has_input("y_s") { ["y_s", "y_t"] } else { ["out_s", "out_t"] };
    let student = case
        .input::<2>(names[0], &device.clone().autodiff())
        .require_grad();
    let loss = KdLossConfig::new()
        .with_temperature(case.hyper("T").expect("a temperature"))
        .init()
        .forward(student.clone(), case.input(names[1], device));
    check_value(case, &loss);
    check_gradient(case, names[0], &student, &loss.backward());
}

fn labels(case: &Case, device: &Device) {
    let device = device.clone().autodiff();
    let logit = case.input::<2>("logit", &device).require_grad();
    let loss = cross_entropy(logit.clone(), case.labels("target", &device));
    check_value(case, &loss);
    check_gradient(case, "logit", &logit, &loss.backward());
}

fn attention(case: &Case, device: &Device) {
    let training = device.clone().autodiff();
    let loss = AttentionConfig {
        p: case.hyper("p").unwrap_or(2.0) as u32,
        convention: if case.name.starts_with("zoo") {
            AttentionConvention::Zoo
        } else {
            AttentionConvention::RepDistiller
        },
    }
    .init()
    .expect("a valid power");
    let suffixes: Vec<String> = if case.has_input("f_s") {
        vec![String::new()]
    } else {
        (0..3).map(|index| index.to_string()).collect()
    };
    let student: Vec<Tensor<4>> = suffixes
        .iter()
        .map(|suffix| case.input(&format!("f_s{suffix}"), &training).require_grad())
        .collect();
    let teacher: Vec<Tensor<4>> = suffixes
        .iter()
        .map(|suffix| case.input(&format!("f_t{suffix}"), device))
        .collect();
    let total = loss.forward_stages(&student, &teacher);
    check_value(case, &total);
    let grads = total.backward();
    for (suffix, student) in suffixes.iter().zip(&student) {
        check_gradient(case, &format!("f_s{suffix}"), student, &grads);
    }
}

fn hint(case: &Case, device: &Device) {
    let student = case
        .input::<4>("f_s", &device.clone().autodiff())
        .require_grad();
    let loss = HintLoss.forward(student.clone(), case.input("f_t", device));
    check_value(case, &loss);
    check_gradient(case, "f_s", &student, &loss.backward());
}

fn fitnet(case: &Case, device: &Device) {
    let training = device.clone().autodiff();
    let student = case.input::<4>("f_s", &training).require_grad();
    let teacher = case.input::<4>("f_t", device);
    let shape = |dims: [usize; 4]| [dims[1], dims[2], dims[3]];
    let use_relu = case.manifest["hyper"]["use_relu"].as_bool().expect("a flag");
    let mut regressor = RegressorConfig::new(shape(student.dims()), shape(teacher.dims()))
        .with_use_relu(use_relu)
        .init(&training)
        .expect("shapes that can be joined");

    let vector = |name: &str| case.param::<1>(&format!("conv_reg.{name}"), &training);
    let weight = Param::from_tensor(case.param::<4>("conv_reg.conv.weight", &training));
    let bias = Some(Param::from_tensor(vector("conv.bias")));
    match &mut regressor.conv {
        RegressorConv::Conv(conv) => (conv.weight, conv.bias) = (weight, bias),
        RegressorConv::Transposed(conv) => (conv.weight, conv.bias) = (weight, bias),
    }
    regressor.bn = BatchNorm {
        weight: Param::from_tensor(vector("bn.weight")),
        bias: Param::from_tensor(vector("bn.bias")),
        running_mean: burn::module::RunningState::new(vector("bn.running_mean").inner()),
        running_var: burn::module::RunningState::new(vector("bn.running_var").inner()),
        ..regressor.bn
    };

    let output = regressor.forward(student.clone());
    let close = |name: &str, actual: Vec<f32>| {
        assert_close(
            &format!("{}: {name}", case.name),
            &actual,
            case.expected(name),
            GRADIENT,
        );
    };
    close("hint_out", values(output.clone().inner()));
    let loss = HintLoss.forward(output, teacher);
    check_value(case, &loss);
    let grads = loss.backward();
    check_gradient(case, "f_s", &student, &grads);
    let (weight, bias) = match &regressor.conv {
        RegressorConv::Conv(conv) => (&conv.weight, &conv.bias),
        RegressorConv::Transposed(conv) => (&conv.weight, &conv.bias),
    };
    check_gradient(case, "conv_reg.conv.weight", &weight.val(), &grads);
    check_gradient(case, "conv_reg.bn.weight", &regressor.bn.weight.val(), &grads);
    check_gradient(case, "conv_reg.bn.bias", &regressor.bn.bias.val(), &grads);
    // Batch norm removes the mean, so this gradient is 0 up to rounding.
    let bias = bias.as_ref().expect("a bias").val().grad(&grads).expect("a gradient");
    assert!(values(bias).iter().all(|gradient| gradient.abs() < 1e-6), "{}", case.name);

    close("after/conv_reg.bn.running_mean", values(regressor.bn.running_mean.value()));
    close("after/conv_reg.bn.running_var", values(regressor.bn.running_var.value()));
    use burn::module::Module;
    let evaluated = regressor.valid().forward(student.inner());
    close("hint_out_eval_after", values(evaluated));
}

/// Runs every fixture whose name starts with one of the prefixes.
fn check(prefixes: &[&str], test: fn(&Case, &Device)) -> BTreeSet<String> {
    let names: BTreeSet<String> = prefixes
        .iter()
        .flat_map(|prefix| cases("losses", prefix))
        .collect();
    assert!(!names.is_empty());
    for name in &names {
        for (_, device) in devices() {
            test(&Case::load("losses", name), &device);
        }
    }
    names
}

const GROUPS: &[(&[&str], fn(&Case, &Device))] = &[
    (&["distill_kl", "zoo_st"], logits),
    (&["cross_entropy"], labels),
    (&["at", "zoo_at"], attention),
    (&["zoo_hint"], hint),
    (&["fitnet"], fitnet),
];

#[test]
fn every_fixture_matches_on_every_backend() {
    let mut checked = BTreeSet::new();
    for (prefixes, test) in GROUPS {
        checked.extend(check(prefixes, *test));
    }
    let all: BTreeSet<String> = cases("losses", "").into_iter().collect();
    assert_eq!(checked, all, "fixtures without a test");
}
