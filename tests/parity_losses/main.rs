//! Losses against the reference values: value, gradients of the student and of the adapters,
//! running statistics.

mod attention;
mod check;
mod correlation;
mod crd;
mod hint;
mod kdsvd;
mod logits;

use kd_tests::cases;

/// The cases of each file.
const USED: &[&[&str]] = &[
    attention::CASES,
    correlation::CASES,
    crd::CASES,
    hint::CASES,
    kdsvd::CASES,
    logits::CASES,
];

#[test]
fn every_fixture_is_used() {
    let mut used = USED.concat();
    used.sort_unstable();
    assert_eq!(cases("losses", ""), used);
}
