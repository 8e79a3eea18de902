//! Attentive feature distillation.

use kd_losses::Pair;
use kd_losses::maps::AfdLossConfig;

use crate::check::on_all;

pub const CASES: &[&str] = &["zoo_afd"];

#[test]
fn attentive_features() {
    on_all(CASES, |check| {
        let student = check.student::<4>("f_s");
        let channels = student.dims()[1];
        let loss = AfdLossConfig::new()
            .with_attention(check.hyper("att_f"))
            .init(Pair::both(channels), &check.training())
            .expect("a loss");
        let key = |path: &str| {
            path.replace("squeeze", "afd.attention.0")
                .replace("expand", "afd.attention.2")
        };
        let loss = check.fill(loss, &["afd"], key);
        let value = loss.forward(student.clone(), check.teacher("f_t"));
        let grads = value.backward();
        check.loss("loss", value);
        check.gradient("f_s", &student, &grads);
        assert_eq!(check.gradients(&loss, &grads, key), 4);
    });
}
