//! Losses against the reference values: value, gradients of the student and of the adapters,
//! running statistics.

mod ab;
mod afd;
mod askd;
mod at;
mod cc;
mod ce;
mod check;
mod crd;
mod dkd;
mod fsp;
mod ft;
mod gradients;
mod hint;
mod irg;
mod kd;
mod kdrefine;
mod kdsvd;
mod logits;
mod nst;
mod ofd;
mod pkt;
mod reviewkd;
mod rkd;
mod semckd;
mod sp;
mod srrl;
mod vid;

use kd_tests::cases;

/// The cases of each file.
const USED: &[&[&str]] = &[
    ab::CASES,
    afd::CASES,
    askd::CASES,
    at::CASES,
    cc::CASES,
    ce::CASES,
    crd::CASES,
    dkd::CASES,
    fsp::CASES,
    ft::CASES,
    gradients::CASES,
    hint::CASES,
    irg::CASES,
    kd::CASES,
    kdrefine::CASES,
    kdsvd::CASES,
    logits::CASES,
    nst::CASES,
    ofd::CASES,
    pkt::CASES,
    reviewkd::CASES,
    rkd::CASES,
    semckd::CASES,
    sp::CASES,
    srrl::CASES,
    vid::CASES,
];

#[test]
fn every_fixture_is_used() {
    let mut used = USED.concat();
    used.sort_unstable();
    assert_eq!(cases("losses", ""), used);
}
