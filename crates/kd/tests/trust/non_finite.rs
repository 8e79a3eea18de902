//! Numbers that are not finite have an address, and advice is for the case.

use std::path::Path;

use tempfile::tempdir;

use super::common::{kd, tiny_run};
use super::inputs::{distill, teacher, with_tensor};

/// The one line of a command that fails.
fn message(command: &mut assert_cmd::Command) -> String {
    let output = command.output().expect("kd runs");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{message}");
    let errors = message.lines().filter(|line| line.starts_with("error: "));
    errors.collect::<Vec<_>>().join("\n")
}

fn eval(weights: &Path) -> assert_cmd::Command {
    let mut command = kd();
    command
        .args(["eval", "--limit-test", "20", "--weights"])
        .arg(weights);
    command
}

#[test]
fn report_f13_broken_running_statistics_are_named_when_the_file_is_read() {
    let folder = tempdir().expect("a folder");
    let weights = teacher(folder.path());
    let broken = with_tensor(&weights, "layer1.0.bn1.running_var", -1.0);
    let out = folder.path().join("run");
    for mut command in [eval(&broken), {
        let mut command = kd();
        command.args(distill(&broken, 1, &out));
        command
    }] {
        let message = message(&mut command);
        for part in [
            &*broken.display().to_string(),
            "`layer1.0.bn1.running_var` of resnet8 holds -1",
        ] {
            assert!(message.contains(part), "{message}");
        }
        assert!(!message.contains("learning rate"), "{message}");
    }
    assert!(!out.exists());
}

#[test]
fn report_f13_a_teacher_that_is_not_finite() {
    let folder = tempdir().expect("a folder");
    let weights = teacher(folder.path());
    // Finite numbers, whose products are not.
    let broken = with_tensor(&weights, "fc.weight", 3e38);
    let message = message(kd().args(distill(&broken, 1, &folder.path().join("run"))));
    assert!(
        message.contains("because the outputs of the teacher `resnet8` are not finite"),
        "{message}"
    );
    assert!(!message.contains("learning rate"), "{message}");
    let of_eval = self::message(&mut eval(&broken));
    assert!(of_eval.contains("in batch 1 of the images"), "{of_eval}");
    assert!(of_eval.contains(&broken.display().to_string()), "{of_eval}");
    assert!(!of_eval.contains("learning rate"), "{of_eval}");
}

#[test]
fn report_f13_a_student_that_is_not_finite() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("run");
    let message = message(tiny_run(&out).args(["--lr", "1e30"]));
    for part in [
        "the loss `ce` is ",
        "at epoch 1, step ",
        "because the outputs of `resnet8` are not finite",
        "lower the learning rate",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!out.join("result.json").exists());
}
