//! Losses against the reference values: value, gradients of the student and of the adapters,
//! running statistics.

mod afd;
mod askd;
mod attention;
mod boundary;
mod check;
mod correlation;
mod crd;
mod dkd;
mod factor;
mod fsp;
mod gradients;
mod hint;
mod irg;
mod kdsvd;
mod logits;
mod logits_zoo;
mod ofd;
mod pkt;
mod reviewkd;
mod rkd;
mod selectivity;
mod semckd;
mod similarity;
mod srrl;
mod standardised;
mod vid;

use kd_tests::cases;

/// The cases of each file.
const USED: &[&[&str]] = &[
    afd::CASES,
    askd::CASES,
    attention::CASES,
    boundary::CASES,
    correlation::CASES,
    crd::CASES,
    dkd::CASES,
    factor::CASES,
    fsp::CASES,
    gradients::CASES,
    hint::CASES,
    irg::CASES,
    kdsvd::CASES,
    logits::CASES,
    logits_zoo::CASES,
    ofd::CASES,
    pkt::CASES,
    reviewkd::CASES,
    rkd::CASES,
    selectivity::CASES,
    semckd::CASES,
    similarity::CASES,
    srrl::CASES,
    standardised::CASES,
    vid::CASES,
];

#[test]
fn every_fixture_is_used() {
    let mut used = USED.concat();
    used.sort_unstable();
    assert_eq!(cases("losses", ""), used);
}
