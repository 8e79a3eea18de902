//! Losses against the reference values: value, gradients of the student and of the adapters,
//! running statistics.

mod askd;
mod attention;
mod check;
mod correlation;
mod crd;
mod dkd;
mod fsp;
mod gradients;
mod hint;
mod kdsvd;
mod logits;
mod logits_zoo;
mod pkt;
mod rkd;
mod selectivity;
mod similarity;
mod standardised;
mod vid;

use kd_tests::cases;

/// The cases of each file.
const USED: &[&[&str]] = &[
    askd::CASES,
    attention::CASES,
    correlation::CASES,
    crd::CASES,
    dkd::CASES,
    fsp::CASES,
    gradients::CASES,
    hint::CASES,
    kdsvd::CASES,
    logits::CASES,
    logits_zoo::CASES,
    pkt::CASES,
    rkd::CASES,
    selectivity::CASES,
    similarity::CASES,
    standardised::CASES,
    vid::CASES,
];

#[test]
fn every_fixture_is_used() {
    let mut used = USED.concat();
    used.sort_unstable();
    assert_eq!(cases("losses", ""), used);
}
