//! Factor transfer.

use burn::tensor::Tensor;
use kd_losses::Pair;
use kd_losses::maps::{FtConvention, FtLoss, FtLossConfig};

use crate::check::{Check, LOOSE_GRADIENT, on_all, on_all_within};

const CHANNELS: Pair<usize> = Pair {
    student: 8,
    teacher: 12,
};

const TRANSFER: &[&str] = &["ft", "ft_b1", "ft_p2", "ft_spool", "ft_tpool"];

pub const CASES: &[&str] = &[
    "ft",
    "ft_b1",
    "ft_p2",
    "ft_paraphraser_init",
    "ft_same",
    "ft_spool",
    "ft_tpool",
    "ft_zero_s",
    "zoo_ft",
];

/// The reference's layers are numbered with the batch norms and activations: three a block.
fn key(path: &str) -> String {
    let parts: Vec<&str> = path.split('.').collect();
    match parts[..] {
        [network, stack, block, layer, name] => {
            let block: usize = block.parse().expect("a number");
            let index = 3 * block + usize::from(layer == "bn");
            format!("{network}.{stack}.{index}.{name}")
        }
        _ => path.to_owned(),
    }
}

fn loss(check: &Check<'_>, convention: FtConvention, prefixes: &[&str]) -> FtLoss {
    let powers = |name| check.case.hyper(name).map(|value| value as u32);
    let loss = FtLossConfig::new()
        .with_convention(convention)
        .with_rate(check.hyper("k"))
        .with_p1(powers("p1").unwrap_or(2))
        .with_p2(powers("p2").unwrap_or(1))
        .init(CHANNELS, &check.training())
        .expect("a loss");
    check.fill(loss, prefixes, key)
}

/// Value, factors, gradients and statistics of the main phase.
fn main_phase(check: &Check<'_>, loss: &FtLoss) -> Tensor<4> {
    let student = check.student::<4>("f_s");
    let teacher = check.teacher::<4>("f_t");
    let value = loss.forward(student.clone(), teacher.clone());
    let grads = value.backward();
    check.loss("loss", value);
    check.gradient("f_s", &student, &grads);
    // Biases in front of the batch norms are only in RepDistiller's translator, and only its cases
    // list the running statistics afterwards.
    let repdistiller = loss.convention == FtConvention::RepDistiller;
    let translator = check.gradients(&loss.translator, &grads, |path| {
        key(&format!("translator.{path}"))
    });
    assert_eq!(translator, if repdistiller { 12 } else { 9 });
    let paraphraser = check.gradients(&loss.paraphraser, &grads, |path| {
        key(&format!("paraphraser.{path}"))
    });
    assert_eq!(paraphraser, 0);
    let statistics = check.statistics(loss, key);
    assert_eq!(statistics, if repdistiller { 6 } else { 0 });
    check.tensor("factor_s", loss.translator.forward(student));
    let factor = loss.paraphraser.factor(teacher);
    check.tensor("factor_t", factor.clone());
    factor
}

#[test]
fn repdistillers_factors() {
    on_all(TRANSFER, |check| {
        let prefixes = ["paraphraser", "translator"];
        let loss = loss(check, FtConvention::RepDistiller, &prefixes);
        main_phase(check, &loss);
    });
}

#[test]
fn the_zoos_factors() {
    on_all(&["zoo_ft"], |check| {
        let prefixes = ["paraphraser", "translator"];
        let loss = loss(check, FtConvention::Zoo, &prefixes);
        let factor = main_phase(check, &loss);
        check.tensor("rec", loss.paraphraser.reconstruct(factor));
    });
}

#[test]
fn factors_that_are_given() {
    on_all_within(LOOSE_GRADIENT, &["ft_same", "ft_zero_s"], |check| {
        let student = check.student::<4>("f_s");
        let value = FtLossConfig::new()
            .init(Pair::both(8), &check.training())
            .expect("a loss")
            .compare(student.clone(), check.teacher("f_t"));
        let grads = value.backward();
        check.loss("loss", value);
        check.gradient("f_s", &student, &grads);
    });
}

#[test]
fn pretraining() {
    on_all(&["ft_paraphraser_init"], |check| {
        // There is no translator in this phase.
        let loss = FtLossConfig::new()
            .with_rate(check.hyper("k"))
            .init(CHANNELS, &check.training())
            .expect("a loss");
        let key = |path: &str| key(&format!("paraphraser.{path}"));
        let paraphraser = check.fill(loss.paraphraser.clone(), &["paraphraser"], key);
        let loss = FtLoss {
            paraphraser,
            ..loss
        };
        let teacher = check.teacher::<4>("f_t");
        let value = loss.reconstruction(teacher.clone());
        let grads = value.backward();
        check.loss("loss", value);
        assert_eq!(check.gradients(&loss.paraphraser, &grads, key), 12);
        let factor = loss.paraphraser.factor(teacher);
        check.tensor("factor", factor.clone());
        check.tensor("rec", loss.paraphraser.reconstruct(factor));

        // The teacher's map is a constant in ours; the reference's gradient with respect to it
        // is that through the paraphraser.
        let teacher = check.student::<4>("f_t");
        let again = loss
            .paraphraser
            .reconstruct(loss.paraphraser.factor(teacher.clone()));
        let target = teacher.clone().inner();
        let grads = (again - target).square().mean().backward();
        check.gradient("f_t", &teacher, &grads);
    });
}
