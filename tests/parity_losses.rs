//! Losses against the reference values: value, gradients of the student and of the adapters,
//! running statistics.

use burn::module::{Module, Param, RunningState};
use burn::nn::PaddingConfig2d;
use burn::tensor::{Device, Gradients, Tensor};
use kd_losses::adapters::RegressorConv;
use kd_losses::{
    AttentionConfig, AttentionConvention, AttentionLoss, HintConfig, HintLoss, KdLossConfig,
    cross_entropy,
};
use kd_tests::{Case, assert_close, assert_scalar, cases, devices};

const LOGITS: &[&str] = &[
    "distill_kl",
    "distill_kl_extreme",
    "distill_kl_sakd",
    "distill_kl_same",
    "zoo_st",
];
const HINTS: &[&str] = &[
    "fitnet_bigger",
    "fitnet_down2",
    "fitnet_down2_norelu",
    "fitnet_equal",
    "fitnet_rect",
    "fitnet_smaller",
    "fitnet_smaller5",
    "fitnet_up2",
    "fitnet_up2_norelu",
];
const MAPS: &[&str] = &[
    "at",
    "at_b1",
    "at_odd",
    "at_oddt",
    "at_p4",
    "at_same",
    "at_spool",
    "at_tpool",
    "at_zero_s",
    "zoo_at",
];
/// Cases with a test of their own.
const OTHERS: &[&str] = &["at_multi", "cross_entropy", "zoo_hint"];

const VALUE: f64 = 1e-5;
const GRADIENT: f64 = 1e-4;

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("f32")
}

fn gradient<const D: usize>(tensor: &Tensor<D>, grads: &Gradients) -> Vec<f32> {
    values(tensor.grad(grads).expect("a gradient"))
}

/// Compares a gradient with `grad/<name>`, relative to its largest magnitude.
///
/// Where the exact gradient is 0 (the same features on both sides; a bias in front of a batch
/// norm), the reference's is 1e-17 of rounding in f64, which gives no scale to compare with.
fn assert_gradient(case: &Case, backend: &str, name: &str, actual: &[f32]) {
    let label = format!("{} grad/{name} on {backend}", case.name);
    let expected = case.expected(&format!("grad/{name}"));
    if expected.iter().all(|value| value.abs() < 1e-9) {
        assert_close(&label, actual, &vec![0.0; expected.len()], 1e-7);
    } else {
        assert_close(&label, actual, expected, GRADIENT);
    }
}

fn assert_loss(case: &Case, backend: &str, name: &str, loss: Tensor<1>) {
    let label = format!("{} {name} on {backend}", case.name);
    assert_eq!(loss.dims(), [1], "{label}");
    let value: f32 = loss.into_scalar();
    assert_scalar(&label, f64::from(value), case.scalar(name), VALUE);
}

/// Runs a check on each case and backend, with the plain device of the backend.
fn on_all(names: &[&str], check: impl Fn(&Case, &str, &Device)) {
    for name in names {
        let case = Case::load("losses", name);
        for (backend, device) in devices() {
            check(&case, backend, &device);
        }
    }
}

#[test]
fn every_fixture_is_used() {
    let mut used: Vec<_> = [LOGITS, HINTS, MAPS, OTHERS].concat();
    used.sort_unstable();
    assert_eq!(cases("losses", ""), used);
}

#[test]
fn distillation_of_logits() {
    on_all(LOGITS, |case, backend, device| {
        let zoo = case.has_input("out_s");
        let (own, others) = if zoo {
            ("out_s", "out_t")
        } else {
            ("y_s", "y_t")
        };
        let student = case
            .input::<2>(own, &device.clone().autodiff())
            .require_grad();
        let loss = KdLossConfig::new()
            .with_temperature(case.hyper("T").expect("a temperature"))
            .init()
            .forward(student.clone(), case.input(others, device));
        let grads = loss.backward();
        assert_loss(case, backend, "loss", loss);
        assert_gradient(case, backend, own, &gradient(&student, &grads));
    });
}

#[test]
fn cross_entropy_with_labels() {
    on_all(&["cross_entropy"], |case, backend, device| {
        let logits = case
            .input::<2>("logit", &device.clone().autodiff())
            .require_grad();
        let loss = cross_entropy(logits.clone(), case.labels("target", device));
        let grads = loss.backward();
        assert_loss(case, backend, "loss", loss);
        assert_gradient(case, backend, "logit", &gradient(&logits, &grads));
    });
}

fn attention(case: &Case) -> AttentionLoss {
    let convention = match case.hyper("eps") {
        Some(_) => AttentionConvention::Zoo,
        None => AttentionConvention::RepDistiller,
    };
    let config = AttentionConfig::new().with_convention(convention);
    case.hyper("p")
        .map_or(config.clone(), |p| config.with_p(p as u32))
        .init()
        .expect("a loss")
}

#[test]
fn attention_of_one_stage() {
    on_all(MAPS, |case, backend, device| {
        let student = case
            .input::<4>("f_s", &device.clone().autodiff())
            .require_grad();
        let loss = attention(case).forward(student.clone(), case.input("f_t", device));
        let grads = loss.backward();
        assert_loss(case, backend, "loss", loss);
        assert_gradient(case, backend, "f_s", &gradient(&student, &grads));
    });
}

#[test]
fn attention_of_several_stages() {
    on_all(&["at_multi"], |case, backend, device| {
        let training = device.clone().autodiff();
        let student = [0, 1, 2].map(|stage| {
            case.input::<4>(&format!("f_s{stage}"), &training)
                .require_grad()
        });
        let teacher = [0, 1, 2].map(|stage| case.input::<4>(&format!("f_t{stage}"), device));
        let attention = attention(case);
        for stage in 0..3 {
            let loss = attention.forward(student[stage].clone(), teacher[stage].clone());
            assert_loss(case, backend, &format!("loss{stage}"), loss);
        }
        let loss = attention.forward_stages(&student, &teacher);
        let grads = loss.backward();
        assert_loss(case, backend, "loss", loss);
        for (stage, map) in student.iter().enumerate() {
            assert_gradient(
                case,
                backend,
                &format!("f_s{stage}"),
                &gradient(map, &grads),
            );
        }
    });
}

#[test]
fn a_hint_without_regressor() {
    on_all(&["zoo_hint"], |case, backend, device| {
        let training = device.clone().autodiff();
        let student = case.input::<4>("f_s", &training).require_grad();
        let loss = HintConfig::new()
            .with_regressor(false)
            .init([8, 8, 8], [8, 8, 8], &training)
            .expect("equal shapes")
            .forward(student.clone(), case.input("f_t", device));
        let grads = loss.backward();
        assert_loss(case, backend, "loss", loss);
        assert_gradient(case, backend, "f_s", &gradient(&student, &grads));
    });
}

/// The case's hint, with the reference's parameters in its regressor.
fn hint(case: &Case, device: &Device) -> HintLoss {
    let shape = |name: &str| -> [usize; 3] {
        let shape: [usize; 4] = serde_json::from_value(case.manifest["hyper"][name].clone())
            .expect("a shape of four dimensions");
        [shape[1], shape[2], shape[3]]
    };
    let use_relu = case.manifest["hyper"]["use_relu"]
        .as_bool()
        .expect("a flag");
    let mut hint = HintConfig::new()
        .with_use_relu(use_relu)
        .init(shape("s_shape"), shape("t_shape"), device)
        .expect("a regressor");
    let regressor = hint.regressor.as_mut().expect("a regressor");

    let weight = Param::from_tensor(case.param("conv_reg.conv.weight", device));
    let bias = Some(Param::from_tensor(case.param("conv_reg.conv.bias", device)));
    match &mut regressor.conv {
        RegressorConv::Conv(conv) => (conv.weight, conv.bias) = (weight, bias),
        RegressorConv::ConvTranspose(conv) => (conv.weight, conv.bias) = (weight, bias),
    }
    let vector = |name: &str| case.param::<1>(&format!("conv_reg.bn.{name}"), device);
    regressor.bn.weight = Param::from_tensor(vector("weight"));
    regressor.bn.bias = Param::from_tensor(vector("bias"));
    regressor.bn.running_mean = RunningState::new(vector("running_mean"));
    regressor.bn.running_var = RunningState::new(vector("running_var"));
    hint
}

/// The kernel, stride and padding that the manifest names.
fn assert_geometry(case: &Case, conv: &RegressorConv) {
    let listed = &case.manifest["hyper"]["conv"];
    let (name, kernel, stride, padding) = match conv {
        RegressorConv::Conv(conv) => {
            let padding = match &conv.padding {
                PaddingConfig2d::Explicit(top, left, ..) => [*top, *left],
                _ => [0, 0],
            };
            ("Conv2d", conv.kernel_size, conv.stride, padding)
        }
        RegressorConv::ConvTranspose(conv) => (
            "ConvTranspose2d",
            conv.kernel_size,
            conv.stride,
            conv.padding,
        ),
    };
    let found = serde_json::json!({
        "type": name, "kernel": kernel, "stride": stride, "padding": padding,
    });
    assert_eq!(&found, listed, "{}", case.name);
}

#[test]
fn hints_through_a_regressor() {
    on_all(HINTS, |case, backend, device| {
        let training = device.clone().autodiff();
        let hint = hint(case, &training);
        let regressor = hint.regressor.as_ref().expect("a regressor");
        assert_geometry(case, &regressor.conv);

        let student = case.input::<4>("f_s", &training).require_grad();
        let loss = hint.forward(student.clone(), case.input("f_t", device));
        let grads = loss.backward();
        assert_loss(case, backend, "loss", loss);
        let assert_gradient = |name: &str, actual: Vec<f32>| {
            assert_gradient(case, backend, name, &actual);
        };
        assert_gradient("f_s", gradient(&student, &grads));
        let (weight, bias) = match &regressor.conv {
            RegressorConv::Conv(conv) => (&conv.weight, &conv.bias),
            RegressorConv::ConvTranspose(conv) => (&conv.weight, &conv.bias),
        };
        let bias = bias.as_ref().expect("a bias");
        assert_gradient("conv_reg.conv.weight", gradient(&weight.val(), &grads));
        assert_gradient("conv_reg.conv.bias", gradient(&bias.val(), &grads));
        let bn = &regressor.bn;
        assert_gradient("conv_reg.bn.weight", gradient(&bn.weight.val(), &grads));
        assert_gradient("conv_reg.bn.bias", gradient(&bn.bias.val(), &grads));

        let assert_output = |name: &str, actual: Vec<f32>| {
            let label = format!("{} {name} on {backend}", case.name);
            assert_close(&label, &actual, case.expected(name), VALUE);
        };
        // One training forward was made: these are the statistics after it.
        assert_output(
            "after/conv_reg.bn.running_mean",
            values(bn.running_mean.value()),
        );
        assert_output(
            "after/conv_reg.bn.running_var",
            values(bn.running_var.value()),
        );
        let evaluated = regressor.valid().forward(student.clone().inner());
        assert_output("hint_out_eval_after", values(evaluated));
        // This one updates them again.
        assert_output("hint_out", values(regressor.forward(student)));
    });
}
