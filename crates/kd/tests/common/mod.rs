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

/// What a tiny run is: a resnet8 on 40 images for one epoch.
const TINY: [(&str, &str); 5] = [
    ("--model", "resnet8"),
    ("--epochs", "1"),
    ("--limit-train", "40"),
    ("--limit-test", "20"),
    ("--batch-size", "16"),
];

/// `kd train` of a tiny run into `out`.
pub fn tiny_run(out: &Path) -> Command {
    tiny_run_with(out, &[])
}

/// The same with other values of some flags, as a flag is given once, and with further ones.
pub fn tiny_run_with(out: &Path, flags: &[(&str, &str)]) -> Command {
    let mut command = kd();
    command
        .arg("train")
        .args(tiny_flags(flags))
        .arg("--out")
        .arg(out);
    command
}

/// The flags of a tiny run, with other values of some of them and with further ones.
pub fn tiny_flags<'a>(flags: &[(&'a str, &'a str)]) -> Vec<&'a str> {
    let given = |flag: &str| flags.iter().any(|(other, _)| *other == flag);
    let kept = TINY.iter().filter(|(flag, _)| !given(flag));
    kept.chain(flags)
        .flat_map(|(flag, value)| [*flag, *value])
        .collect()
}

/// The lines of `metrics.jsonl` without the wall time.
pub fn metrics(out: &Path) -> Vec<String> {
    fs::read_to_string(out.join("metrics.jsonl"))
        .unwrap_or_default()
        .lines()
        .filter_map(|line| Some(line.split_once(",\"seconds\"")?.0.to_owned()))
        .collect()
}
