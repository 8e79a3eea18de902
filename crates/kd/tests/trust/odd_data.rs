//! Data of the right size and the wrong content.

use std::fs;

use predicates::prelude::*;
use predicates::str::contains;
use tempfile::tempdir;

use super::common::{kd, tiny_run};
use super::inputs::cifar100;

#[test]
fn report_f16_data_of_zeros_or_cut_at_a_record() {
    let folder = tempdir().expect("a folder");
    let root = folder.path().display().to_string();
    let train = folder.path().join("cifar-100-binary/train.bin");
    let says = |expected: &str| {
        let folder = tempdir().expect("a folder");
        tiny_run(&folder.path().join("run"))
            .args(["--data", "cifar100", "--root", &root])
            .assert()
            .success()
            .stderr(contains(expected));
    };
    cifar100(folder.path(), 1);
    let whole = fs::read(&train).expect("a file");

    // All zeros, and zeros from some record on.
    fs::write(&train, vec![0; whole.len()]).expect("a file");
    says("all training images have the label 0");
    says("all training images are the same");
    let mut filled = whole.clone();
    filled[30 * 3074..].fill(0);
    fs::write(&train, &filled).expect("a file");
    says("10 of 40 training images have a single color, the first is image 30");

    // Cut at a record: without a limit of images, or below it, the number is not the official one.
    fs::write(&train, &whole[..30 * 3074]).expect("a file");
    says("30 training images, but the official data set has 50000");
    kd().args([
        "train",
        "--model",
        "resnet8",
        "--epochs",
        "1",
        "--limit-test",
        "20",
    ])
    .args(["--data", "cifar100", "--root", &root, "--limit-train", "30"])
    .arg("--out")
    .arg(folder.path().join("whole"))
    .assert()
    .success()
    .stderr(
        contains("official")
            .not()
            .and(contains("single color").not()),
    );
}
