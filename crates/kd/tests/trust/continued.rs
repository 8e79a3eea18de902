//! A run that was killed continues to the same numbers.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use burn::tensor::Device;
use kd::models::weights::{WeightsFile, state_dict};
use tempfile::tempdir;

use super::common::{self, kd, metrics};

fn arguments(out: &Path) -> Vec<String> {
    [
        "train",
        "--model",
        "resnet8",
        "--epochs",
        "4",
        "--limit-train",
        "48",
        "--limit-test",
        "20",
        "--batch-size",
        "16",
        "--nesterov",
        "--resume=auto",
        "--out",
    ]
    .iter()
    .map(|arg| (*arg).to_owned())
    .chain([out.display().to_string()])
    .collect()
}

#[test]
fn a_run_killed_at_any_moment_continues_to_the_same_numbers() {
    let folder = tempdir().expect("a folder");
    let whole = folder.path().join("whole");
    kd().args(arguments(&whole)).assert().success();
    let expected = metrics(&whole);
    assert_eq!(expected.len(), 4);

    let killed = folder.path().join("killed");
    // Each session gets a little further, wherever that is: in start-up, in a step, in the
    // writing of a checkpoint.
    for session in 1..=12 {
        let mut child = Command::new(env!("CARGO_BIN_EXE_kd"))
            .args(arguments(&killed))
            .stdout(Stdio::null())
            .spawn()
            .expect("kd runs");
        sleep(Duration::from_millis(97 * session));
        child.kill().expect("a signal");
        child.wait().expect("an end");
        let so_far = metrics(&killed);
        assert_eq!(so_far, expected[..so_far.len()]);
    }
    kd().args(arguments(&killed)).assert().success();
    assert_eq!(metrics(&killed), expected);
    let weights = |folder: &Path| {
        let file = WeightsFile::open(folder.join("student.safetensors")).expect("weights");
        let network = file
            .into_network(None, Some(10), &Device::default())
            .expect("a network");
        state_dict(&network).expect("tensors")
    };
    assert_eq!(weights(&whole), weights(&killed));
}

/// Kills a distillation of a tiny set as soon as `reached` holds for its folder, and compares what
/// its continuation comes to with a run in one go.
fn interrupt(method: &[&str], reached: impl Fn(&Path) -> bool) {
    let folder = tempdir().expect("a folder");
    let teacher = folder.path().join("teacher");
    common::tiny_run(&teacher).assert().success();
    let distill = |out: &Path| -> Vec<String> {
        let fixed = [
            "distill",
            "--student",
            "resnet8",
            "--epochs",
            "3",
            "--limit-train",
            "48",
            "--limit-test",
            "20",
            "--batch-size",
            "16",
            "--resume=auto",
        ];
        let places = [
            "--teacher-weights".to_owned(),
            teacher.join("student.safetensors").display().to_string(),
            "--out".to_owned(),
            out.display().to_string(),
        ];
        let given = fixed.iter().chain(method).map(|arg| (*arg).to_owned());
        given.chain(places).collect()
    };
    let whole = folder.path().join("whole");
    kd().args(distill(&whole)).assert().success();

    let killed = folder.path().join("killed");
    let mut child = Command::new(env!("CARGO_BIN_EXE_kd"))
        .args(distill(&killed))
        .stdout(Stdio::null())
        .spawn()
        .expect("kd runs");
    while !reached(&killed) && child.try_wait().expect("a state").is_none() {
        sleep(Duration::from_millis(5));
    }
    child.kill().expect("a signal");
    child.wait().expect("an end");
    kd().args(distill(&killed)).assert().success();
    assert_eq!(metrics(&killed), metrics(&whole), "{method:?}");
    assert_eq!(metrics(&killed).len(), 3);
    let routing = |out: &Path| std::fs::read_to_string(out.join("routing.json")).ok();
    assert_eq!(routing(&killed), routing(&whole), "{method:?}");
    assert_eq!(routing(&whole).is_some(), method.contains(&"--routing"));
}

fn after_an_epoch(out: &Path) -> bool {
    !metrics(out).is_empty()
}

#[test]
fn an_interrupted_distillation_with_adapters_continues_to_the_same_numbers() {
    interrupt(&["--method", "hint"], after_an_epoch);
}

/// Banks and their scale are part of the checkpoint, and an epoch draws the same negatives.
#[test]
fn an_interrupted_distillation_with_banks_continues_to_the_same_numbers() {
    let method = "{ name: crd, dim: 8, negatives: 24, sampling: relax }";
    interrupt(&["--method", method], after_an_epoch);
}

#[test]
fn an_interrupted_preliminary_phase_continues_to_the_same_numbers() {
    let phase = ["--method", "fsp", "--preliminary-epochs", "2"];
    interrupt(&phase, |out| out.join("checkpoint/epoch-0001").exists());
}

#[test]
fn an_interruption_after_the_preliminary_phase_continues_to_the_same_numbers() {
    let phase = ["--method", "ft", "--preliminary-epochs", "1"];
    interrupt(&phase, |out| out.join("checkpoint/epoch-0001").exists());
}

/// Policy, adapters and their optimizer are part of the checkpoint, and an epoch draws the same noise.
#[test]
fn an_interrupted_adaptive_distillation_continues_to_the_same_numbers() {
    interrupt(&["--method", "at", "--routing", "adaptive"], after_an_epoch);
}

/// So is a teacher that is trained.
#[test]
fn an_interrupted_joint_distillation_continues_to_the_same_numbers() {
    interrupt(&["--method", "hint", "--routing", "joint"], after_an_epoch);
}

#[test]
fn an_interrupted_random_distillation_continues_to_the_same_numbers() {
    interrupt(&["--method", "kd", "--routing", "random"], after_an_epoch);
}

/// So are the velocities of a teacher that is trained with the student, and its running statistics.
#[test]
fn an_interrupted_joint_distillation_by_the_authors_rules_continues_to_the_same_numbers() {
    let joint = ["--method", "hint", "--routing", "joint"];
    let sakd = ["--routing-convention", "sakd"];
    interrupt(&[joint.as_slice(), &sakd].concat(), after_an_epoch);
}
