//! Standard output that takes nothing.

use std::fs::File;
use std::io::Read;
use std::process::{Command, Output, Stdio};

use tempfile::tempdir;

use super::{assert_last_line, assert_one_line};
use crate::common::{kd, tiny_flags, tiny_run};

fn full_output(args: &[&str]) -> Output {
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("a full device");
    Command::new(env!("CARGO_BIN_EXE_kd"))
        .args(args)
        .stdout(full)
        .stderr(Stdio::piped())
        .output()
        .expect("kd runs")
}

const FULL: [&str; 2] = ["error: standard output", "No space left on device"];

fn on_full_output(args: &[&str]) {
    assert_one_line(&full_output(args), &FULL);
}

/// What did not arrive counted as printed.
#[test]
fn report_f17_a_full_output_is_an_error_of_every_command() {
    let folder = tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name).display().to_string();
    let run = place("run");
    tiny_run(run.as_ref()).assert().success();
    let weights = format!("{run}/student.safetensors");
    for args in [
        "--help",
        "--version",
        "help distill",
        "methods",
        "methods at --json",
        "models resnet8",
        "models resnet8 --json",
        "recipes",
        "recipes kdrefine --names",
        "recipe --student resnet8",
        "sweep kdrefine --list --data procedural",
        "sweep kdrefine --emit slurm --data procedural",
    ] {
        on_full_output(&args.split(' ').collect::<Vec<_>>());
    }
    let eval = ["eval", "--limit-test", "20", "--weights", &weights];
    on_full_output(&eval);
    on_full_output(&[&eval[..], &["--json"]].concat());
    on_full_output(&["table", &run]);
    on_full_output(&["plot", &run, "--out", &place("plots")]);
    on_full_output(&[
        "deploy",
        "--in",
        &weights,
        "--out",
        &place("deployed.safetensors"),
    ]);
    // A run is worth more than its lines: it goes on to its end.
    let second = place("second");
    let train = [&["train", "--out", &second][..], &tiny_flags(&[])].concat();
    assert_last_line(&full_output(&train), &FULL);
    assert!(folder.path().join("second/result.json").is_file());
}

#[test]
fn report_f17_a_closed_pipe_is_none() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kd"))
        .args(["recipes", "sakd-cifar100", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kd runs");
    let mut first = [0];
    let mut pipe = child.stdout.take().expect("a pipe");
    pipe.read_exact(&mut first).expect("a letter");
    drop(pipe);
    let output = child.wait_with_output().expect("an end");
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    // As much as a pipe does not hold was to be printed.
    let whole = kd().args(["recipes", "sakd-cifar100", "--json"]).output();
    assert!(whole.expect("kd runs").stdout.len() > 1 << 16);
}
