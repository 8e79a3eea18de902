//! What `--resume` continues, and what it refuses.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use predicates::prelude::*;
use predicates::str::contains;
use tempfile::tempdir;

use super::common::{kd, metrics, tiny_run};
use super::inputs::{cifar100, distill, teacher, with_tensor};

/// Runs with more arguments and expects an error of one line that has all parts.
fn refused(mut command: assert_cmd::Command, more: &[&str], parts: &[&str]) {
    let output = command.args(more).output().expect("kd runs");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    assert!(parts.iter().all(|part| message.contains(part)), "{message}");
}

#[test]
fn report_f7_resume_of_nothing() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("run");
    refused(
        tiny_run(&out),
        &["--resume"],
        &["run: contains no run to continue", "--resume=auto"],
    );
    assert!(!out.exists());
    fs::create_dir(&out).expect("a folder");
    refused(
        tiny_run(&out),
        &["--resume"],
        &["contains no run to continue"],
    );
    assert_eq!(fs::read_dir(&out).expect("a folder").count(), 0);
    // Whoever wants either says so.
    tiny_run(&out).arg("--resume=auto").assert().success();
    assert_eq!(metrics(&out).len(), 1);
}

#[test]
fn report_f7_records_without_a_checkpoint_are_not_overwritten() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("run");
    tiny_run(&out).assert().success();
    fs::remove_file(out.join("result.json")).expect("removed");
    fs::remove_dir_all(out.join("checkpoint")).expect("removed");
    let before = fs::read(out.join("metrics.jsonl")).expect("records");
    for flag in ["--resume", "--resume=auto"] {
        refused(
            tiny_run(&out),
            &[flag],
            &["metrics.jsonl has 1 epochs", "checkpoint/ has none"],
        );
    }
    assert_eq!(
        fs::read(out.join("metrics.jsonl")).expect("records"),
        before
    );
}

/// A distillation on CIFAR-100 for the first of its epochs, all of which are told apart by a seed.
fn on_cifar(epochs: usize, [root, teacher, out]: [&Path; 3]) -> assert_cmd::Command {
    let mut command = kd();
    command.args(distill(teacher, epochs, out));
    let root = root.display().to_string();
    command.args(["--data", "cifar100", "--root", &root, "--lr", "0.001"]);
    command
}

#[test]
fn report_f8_data_teacher_and_run_that_moved() {
    let folder = tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    let (data, moved_data) = (at("data"), at("elsewhere/data"));
    cifar100(&data, 1);
    let taught = at("teacher");
    let mut train = tiny_run(&taught);
    let root = data.display().to_string();
    train
        .args(["--data", "cifar100", "--root", &root])
        .assert()
        .success();
    let (weights, moved_weights) = (at("t.safetensors"), at("elsewhere/u.safetensors"));
    fs::copy(taught.join("student.safetensors"), &weights).expect("a copy");
    let (out, moved_out) = (at("run"), at("moved"));
    on_cifar(1, [&data, &weights, &out]).assert().success();

    // Other contents are refused, and both places named.
    let other_data = at("other");
    cifar100(&other_data, 2);
    let other_weights = with_tensor(&weights, "bn1.weight", 0.5);
    let text = |path: &Path| path.display().to_string();
    refused(
        on_cifar(1, [&other_data, &weights, &out]),
        &["--resume"],
        &[
            "the training images had the contents",
            &text(&data),
            &text(&other_data),
        ],
    );
    refused(
        on_cifar(1, [&data, &other_weights, &out]),
        &["--resume"],
        &["`teacher.weights`", &text(&weights), &text(&other_weights)],
    );

    // The same contents in other places are the same run, complete or to be continued.
    fs::create_dir(at("elsewhere")).expect("a folder");
    for (from, to) in [
        (&data, &moved_data),
        (&weights, &moved_weights),
        (&out, &moved_out),
    ] {
        fs::rename(from, to).expect("moved");
    }
    let moved = [&*moved_data, &*moved_weights, &*moved_out];
    on_cifar(1, moved).arg("--resume").assert().success();
    let recipe = fs::read_to_string(moved_out.join("recipe.yaml")).expect("a recipe");
    assert!(recipe.contains(&text(&moved_data)) && recipe.contains(&text(&moved_weights)));
    on_cifar(2, moved)
        .args(["--resume", "--extend"])
        .assert()
        .success();
    assert_eq!(metrics(&moved_out).len(), 2);
    // Data that were replaced in their place are found out too.
    cifar100(&moved_data, 3);
    refused(
        on_cifar(3, moved),
        &["--resume", "--extend"],
        &["the training images in", "have other contents now"],
    );
}

#[test]
fn more_epochs_are_an_option_that_says_what_becomes_of_the_schedule() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("run");
    let run = |epochs: &str, more: &[&str]| {
        let mut command = kd();
        let fixed = [
            "train",
            "--model",
            "resnet8",
            "--limit-train",
            "40",
            "--limit-test",
            "20",
        ];
        command
            .args(fixed)
            .args(["--batch-size", "16", "--epochs", epochs]);
        command.args(more).arg("--out").arg(&out);
        command
    };
    run("4", &[]).assert().success();
    let first = metrics(&out);
    let longer = ["--resume"];
    refused(
        run("8", &longer),
        &[],
        &["`train.epochs` is 4 there, 8 here", "--resume --extend"],
    );
    refused(
        run("3", &["--resume", "--extend"]),
        &[],
        &["train.epochs is 3, expected at least 4"],
    );
    // Four epochs have milestones after the second and the third.
    let stay = "extended from 4 to 8 epochs: milestones stay (2, 3); the learning rate is 5.00e-4 in \
                epoch 4 and 5.00e-4 in epoch 5";
    run("8", &["--resume", "--extend"])
        .assert()
        .success()
        .stderr(contains(stay));
    let second = metrics(&out);
    assert_eq!((&second[..4], second.len()), (&first[..], 8));
    // It is a run of eight epochs from now on.
    run("8", &["--resume"]).assert().success();
    let move_on = "extended from 8 to 9 epochs: milestones move (2, 9); the learning rate is 5.00e-4 in \
                   epoch 8 and 5.00e-3 in epoch 9";
    let moved = ["--resume", "--extend", "--milestones", "2,9"];
    run("9", &moved)
        .assert()
        .success()
        .stderr(contains(move_on));
    assert_eq!(metrics(&out).len(), 9);
}

/// A checkpoint that goes while it is read is an error of one line, and no panic.
#[test]
fn report_f9_a_checkpoint_that_goes_while_it_is_read() {
    let folder = tempdir().expect("a folder");
    let whole = folder.path().join("whole");
    tiny_run(&whole).assert().success();
    fs::remove_file(whole.join("result.json")).expect("removed");
    for attempt in 0..4 {
        let out = folder.path().join(format!("run-{attempt}"));
        copy(&whole, &out);
        let child = Command::new(env!("CARGO_BIN_EXE_kd"))
            .args(["train", "--model", "resnet8", "--epochs", "1", "--resume"])
            .args([
                "--limit-train",
                "40",
                "--limit-test",
                "20",
                "--batch-size",
                "16",
            ])
            .arg("--out")
            .arg(&out)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kd runs");
        sleep(Duration::from_millis(40 * attempt));
        // It may have been written anew meanwhile.
        let _ = fs::remove_dir_all(out.join("checkpoint").join("epoch-0001"));
        let output = child.wait_with_output().expect("an end");
        let message = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(0 | 2)), "{message}");
        assert!(!message.contains("panicked"), "{message}");
    }
    // A checkpoint of which a part is gone.
    fs::remove_file(whole.join("checkpoint/epoch-0001/optimizer.bpk")).expect("removed");
    refused(
        tiny_run(&whole),
        &["--resume"],
        &["epoch-0001/optimizer.bpk: "],
    );
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let place = to.join(path.file_name().expect("a name"));
        match path.is_dir() {
            true => copy(&path, &place),
            false => fs::copy(&path, &place).map(drop).expect("a copy"),
        }
    }
}

/// The teacher is measured once: a continuation takes what the first session wrote down.
#[test]
fn report_f12_the_teachers_accuracy_is_shown_at_the_start() {
    let folder = tempdir().expect("a folder");
    let weights = teacher(folder.path());
    let out = folder.path().join("run");
    let shown = contains("teacher resnet8: ").and(contains(" % top-1 on the 20 test images"));
    kd().args(distill(&weights, 1, &out))
        .assert()
        .success()
        .stderr(shown);
    let path = out.join("inputs.json");
    let text = fs::read_to_string(&path).expect("inputs");
    let inputs: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let top1 = inputs["teacher_top1"].as_f64().expect("a number");
    let other = text.replace(
        &format!("\"teacher_top1\": {top1:?}"),
        "\"teacher_top1\": 71.5",
    );
    assert_ne!(other, text);
    fs::write(&path, other).expect("a file");
    kd().args(distill(&weights, 2, &out))
        .args(["--resume", "--extend"])
        .assert()
        .success()
        .stderr(contains(
            "teacher resnet8: 71.50 % top-1 on the 20 test images",
        ));
}

/// What the file of a teacher states and the run contradicts is a warning that names both.
#[test]
fn report_f12_a_teacher_of_other_data() {
    let folder = tempdir().expect("a folder");
    let weights = teacher(folder.path());
    let data = folder.path().join("data");
    let root = data.display().to_string();
    super::inputs::cifar10(&data, 1);
    kd().args(distill(&weights, 1, &folder.path().join("run")))
        .args(["--data", "cifar10", "--root", &root])
        .assert()
        .success()
        .stderr(contains(
            "trained on the data set procedural, but this one is cifar10",
        ))
        .stderr(contains("but these are by mean [0.4914"));
}

#[test]
fn report_f11_the_number_of_threads_changes_no_number() {
    let folder = tempdir().expect("a folder");
    let with = |threads: &str| {
        let out = folder.path().join(threads);
        tiny_run(&out)
            .env("RAYON_NUM_THREADS", threads)
            .assert()
            .success();
        metrics(&out)
    };
    let one = with("1");
    assert_eq!(one.len(), 1);
    assert_eq!((with("2"), with("5")), (one.clone(), one));
}
