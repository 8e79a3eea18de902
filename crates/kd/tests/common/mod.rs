//! Running the binary on tiny data.
// Each test binary uses its part.
#![allow(dead_code)]

use std::fs;
use std::path::Path;

use assert_cmd::Command;

/// The `kd` binary.
pub fn kd() -> Command {
    Command::new(env!("CARGO_BIN_EXE_kd"))
}

/// `kd train` of a resnet8 on 40 images for one epoch into `out`.
pub fn tiny_run(out: &Path) -> Command {
    let mut command = kd();
    command
        .args(["train", "--model", "resnet8", "--epochs", "1"])
        .args([
            "--limit-train",
            "40",
            "--limit-test",
            "20",
            "--batch-size",
            "16",
        ])
        .arg("--out")
        .arg(out);
    command
}

/// The lines of `metrics.jsonl` without the wall time.
pub fn metrics(out: &Path) -> Vec<String> {
    fs::read_to_string(out.join("metrics.jsonl"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| Some(line.split_once(",\"seconds\"")?.0.to_owned()))
        .collect()
}
