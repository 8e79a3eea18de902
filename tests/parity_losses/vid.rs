//! Variational information distillation.

use kd_losses::Pair;
use kd_losses::maps::{VidConvention, VidLossConfig};

use crate::check::on_all;

pub const CASES: &[&str] = &["vid", "vid_b1", "vid_spool", "vid_tpool", "zoo_vid"];

/// The regressor's convolutions are its layers 0, 2 and 4; the scale has a name of its own.
fn key(path: &str, scale: &str) -> String {
    let path = path.replacen("predictors.0.", "vid.", 1);
    (0..3)
        .rev()
        .fold(path.replace("log_scale", scale), |path, conv| {
            path.replace(
                &format!("convs.{conv}."),
                &format!("regressor.{}.", 2 * conv),
            )
        })
}

#[test]
fn predicted_maps() {
    on_all(CASES, |check| {
        let (convention, scale) = if check.case.name == "zoo_vid" {
            (VidConvention::Zoo, "alpha")
        } else {
            (VidConvention::RepDistiller, "log_scale")
        };
        let student = check.student::<4>("f_s");
        let teacher = check.teacher::<4>("f_t");
        let channels = Pair {
            student: student.dims()[1],
            teacher: teacher.dims()[1],
        };
        let loss = VidLossConfig::new()
            .with_convention(convention)
            .init(&[channels], &check.training())
            .expect("a loss");
        // The initial value that the reference gives its scale is the one that is made here.
        let initial = loss.predictors[0].log_scale.val().inner();
        let listed: burn::tensor::Tensor<1> =
            check.case.param(&format!("vid.{scale}"), &check.device);
        assert!((initial - listed).abs().max().into_scalar::<f32>() < 1e-5);

        let key = |path: &str| key(path, scale);
        let loss = check.fill(loss, &["vid"], key);
        let value = loss.predictors[0].forward(student.clone(), teacher);
        let grads = value.backward();
        check.loss("loss", value);
        check.gradient("f_s", &student, &grads);
        assert_eq!(check.gradients(&loss, &grads, key), 4);
    });
}
