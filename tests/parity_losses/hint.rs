//! FitNet hints.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use kd_losses::Pair;
use kd_losses::adapters::RegressorConv;
use kd_losses::maps::HintLossConfig;
use kd_tests::Case;

use crate::check::on_all;

const REGRESSED: &[&str] = &[
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

pub const CASES: &[&str] = &[
    "fitnet_bigger",
    "fitnet_down2",
    "fitnet_down2_norelu",
    "fitnet_equal",
    "fitnet_rect",
    "fitnet_smaller",
    "fitnet_smaller5",
    "fitnet_up2",
    "fitnet_up2_norelu",
    "zoo_hint",
];

#[test]
fn a_hint_without_regressor() {
    on_all(&["zoo_hint"], |check| {
        let student = check.student::<4>("f_s");
        let loss = HintLossConfig::new()
            .with_regressor(false)
            .init(Pair::both([8, 8, 8]), &check.training())
            .expect("equal shapes")
            .forward(student.clone(), check.teacher("f_t"));
        let grads = loss.backward();
        check.loss("loss", loss);
        check.gradient("f_s", &student, &grads);
    });
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
    on_all(REGRESSED, |check| {
        let shape = |name: &str| -> [usize; 3] {
            let shape = check.case.manifest["hyper"][name].clone();
            let shape: [usize; 4] = serde_json::from_value(shape).expect("four dimensions");
            [shape[1], shape[2], shape[3]]
        };
        let shapes = Pair {
            student: shape("s_shape"),
            teacher: shape("t_shape"),
        };
        let use_relu = check.case.manifest["hyper"]["use_relu"].as_bool();
        let hint = HintLossConfig::new()
            .with_use_relu(use_relu.expect("a flag"))
            .init(shapes, &check.training())
            .expect("a regressor");
        let key = |path: &str| path.replacen("regressor", "conv_reg", 1);
        let hint = check.fill(hint, &["conv_reg"], key);
        let regressor = hint.regressor.as_ref().expect("a regressor");
        assert_geometry(check.case, &regressor.conv);

        let student = check.student::<4>("f_s");
        let loss = hint.forward(student.clone(), check.teacher("f_t"));
        let grads = loss.backward();
        check.loss("loss", loss);
        check.gradient("f_s", &student, &grads);
        assert_eq!(check.gradients(&hint, &grads, key), 4);
        // One training forward was made: these are the statistics after it.
        assert_eq!(check.statistics(&hint, key), 2);
        let evaluated = regressor.valid().forward(student.clone().inner());
        check.tensor("hint_out_eval_after", evaluated);
        // This one updates them again.
        check.tensor("hint_out", regressor.forward(student));
    });
}
