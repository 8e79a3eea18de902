//! Flow of solution procedure.

use kd_losses::relations::FspLossConfig;

use crate::check::on_all;

pub const CASES: &[&str] = &["fsp", "fsp_up", "zoo_fsp"];

#[test]
fn flows_between_three_maps() {
    on_all(&["fsp", "fsp_up"], |check| {
        let loss = FspLossConfig::new().init().expect("a loss");
        let student = [0, 1, 2].map(|stage| check.student::<4>(&format!("f_s{stage}")));
        let teacher = [0, 1, 2].map(|stage| check.teacher::<4>(&format!("f_t{stage}")));
        for pair in 0..2 {
            let part = loss.forward_stages(&student[pair..pair + 2], &teacher[pair..pair + 2]);
            check.loss(&format!("loss{pair}"), part);
        }
        let value = loss.forward_stages(&student, &teacher);
        let grads = value.backward();
        check.loss("loss", value);
        for (stage, map) in student.iter().enumerate() {
            check.gradient(&format!("f_s{stage}"), map, &grads);
        }
    });
}

#[test]
fn one_flow() {
    on_all(&["zoo_fsp"], |check| {
        let student = [1, 2].map(|map| check.student::<4>(&format!("fm_s{map}")));
        let teacher = [1, 2].map(|map| check.teacher::<4>(&format!("fm_t{map}")));
        let value = FspLossConfig::new()
            .init()
            .expect("a loss")
            .forward(student.clone(), teacher);
        let grads = value.backward();
        check.loss("loss", value);
        for (map, input) in student.iter().enumerate() {
            check.gradient(&format!("fm_s{}", map + 1), input, &grads);
        }
    });
}
