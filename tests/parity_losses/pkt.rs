//! Probabilistic knowledge transfer.

use kd_losses::relations::{PktConvention, PktLossConfig};

use crate::check::{LOOSE_GRADIENT, on_all_within, values};

pub const CASES: &[&str] = &["pkt", "pkt_b1", "pkt_same", "pkt_zero_s", "zoo_pkt"];

#[test]
fn probabilities_of_neighbors() {
    on_all_within(LOOSE_GRADIENT, CASES, |check| {
        let convention = if check.case.name == "zoo_pkt" {
            PktConvention::Zoo
        } else {
            PktConvention::RepDistiller
        };
        let student = check.student::<2>("f_s");
        let loss = PktLossConfig::new()
            .with_convention(convention)
            .init()
            .expect("a loss")
            .forward(student.clone(), check.teacher("f_t"));
        let grads = loss.backward();
        check.loss("loss", loss);
        if check.case.name == "pkt_zero_s" {
            // The reference's gradient is NaN: it divides by the root of 0. Here it is 0, as all
            // cosines stay 0 to first order.
            assert!(
                check
                    .case
                    .expected("grad/f_s")
                    .iter()
                    .all(|value| value.is_nan())
            );
            let gradient = values(student.grad(&grads).expect("a gradient"));
            assert!(gradient.iter().all(|value| *value == 0.0));
        } else {
            check.gradient("f_s", &student, &grads);
        }
    });
}
