//! Similarities of regions and of classes.

use burn::tensor::Tensor;
use kd_losses::relations::{
    ClassSimilarityLossConfig, RegionShrink, RegionalSimilarityLoss, RegionalSimilarityLossConfig,
};

use crate::check::{Check, on_all, values};

const CLASSES: &[&str] = &[
    "askd_class",
    "askd_class_b1",
    "askd_class_flat_s",
    "askd_class_k2",
    "askd_class_same",
];

const REGIONS: &[&str] = &[
    "askd_region_flat_s",
    "askd_region_r2",
    "askd_region_r3_nodiv",
    "askd_region_r4",
    "askd_region_r4_uneq",
    "askd_region_r8_big",
    "askd_region_same",
];

pub const CASES: &[&str] = &[
    "askd_class",
    "askd_class_b1",
    "askd_class_flat_s",
    "askd_class_k2",
    "askd_class_same",
    "askd_region_flat_s",
    "askd_region_list",
    "askd_region_r1",
    "askd_region_r2",
    "askd_region_r3_nodiv",
    "askd_region_r4",
    "askd_region_r4_uneq",
    "askd_region_r8_big",
    "askd_region_same",
];

#[test]
fn distances_between_classes() {
    on_all(CLASSES, |check| {
        let (own, others) = if check.case.has_input("y_s") {
            ("y_s", "y_t")
        } else {
            ("f_s", "f_t")
        };
        let student = check.student::<2>(own);
        let loss = ClassSimilarityLossConfig::new().init().expect("a loss");
        let loss = loss.forward(student.clone(), check.teacher(others));
        let grads = loss.backward();
        check.loss("loss", loss);
        check.gradient(own, &student, &grads);
    });
}

fn region(check: &Check<'_>, shrink: RegionShrink) -> RegionalSimilarityLoss {
    RegionalSimilarityLossConfig::new()
        .with_regions(check.hyper("r") as usize)
        .with_shrink(shrink)
        .init()
        .expect("a loss")
}

#[test]
fn distances_between_regions() {
    on_all(REGIONS, |check| {
        let student = check.student::<4>("f_s");
        let loss = region(check, RegionShrink::Map).forward(student.clone(), check.teacher("f_t"));
        let grads = loss.backward();
        check.loss("loss", loss);
        check.gradient("f_s", &student, &grads);
    });
}

/// One region has no distances: the reference divides by the mean of none and gives NaN, with
/// zero gradients. Here there is nothing to learn, so the loss is 0.
#[test]
fn one_region_has_nothing_to_compare() {
    on_all(&["askd_region_r1"], |check| {
        assert_eq!(check.case.manifest["scalars"]["loss"], "NaN");
        let student = check.student::<4>("f_s");
        let loss = region(check, RegionShrink::Map).forward(student.clone(), check.teacher("f_t"));
        let grads = loss.backward();
        assert_eq!(values(loss), [0.0]);
        check.gradient("f_s", &student, &grads);
    });
}

/// In the reference a small map lowers the number of regions for good.
#[test]
fn regions_of_a_list_of_maps() {
    on_all(&["askd_region_list"], |check| {
        let student = [0, 1, 2].map(|place| check.student::<4>(&format!("f_s{place}")));
        let teacher = [0, 1, 2].map(|place| check.teacher::<4>(&format!("f_t{place}")));
        let losses = region(check, RegionShrink::Permanent).forward_stages(&student, &teacher);
        for (place, loss) in losses.iter().enumerate() {
            check.loss(&format!("loss{place}"), loss.clone());
        }
        let loss = Tensor::cat(losses, 0).sum();
        let grads = loss.backward();
        check.loss("loss", loss);
        for (place, map) in student.iter().enumerate() {
            check.gradient(&format!("f_s{place}"), map, &grads);
        }

        // By default the third map keeps the regions that were asked for.
        let losses = region(check, RegionShrink::Map).forward_stages(&student, &teacher);
        let third = values(losses[2].clone())[0];
        assert!((f64::from(third) - 0.430_715_055).abs() < 1e-5, "{third}");
    });
}
