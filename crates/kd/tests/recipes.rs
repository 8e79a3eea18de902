//! Recipes by name, and other programs' files and command lines, run by the binary.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use common::kd;
use predicates::prelude::*;
use serde_json::Value;
use tempfile::tempdir;

/// 40 images of the layout of CIFAR-100 to train on, 20 to test on.
fn images() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/datasets/cifar-100-binary")
}

fn result(folder: &Path) -> Value {
    let path = folder.join("result.json");
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).expect("JSON")
}

/// A command in a folder, with arguments in one text.
fn command(folder: &Path, line: &str) -> Command {
    let mut command = kd();
    command.current_dir(folder).args(line.split_whitespace());
    command
}

fn printed(folder: &Path, line: &str) -> String {
    let output = command(folder, line)
        .assert()
        .success()
        .get_output()
        .clone();
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn recipes_are_listed_filtered_and_shown() {
    let folder = tempdir().expect("a folder");
    let list = printed(folder.path(), "recipes");
    for study in [
        "askd",
        "kdrefine",
        "mdistiller",
        "repdistiller",
        "sakd",
        "zoo",
    ] {
        assert!(list.contains(study), "{study}");
    }
    let list = printed(folder.path(), "recipes sakd-cifar100 resnet56 at");
    assert!(
        list.contains("71.06 (best)") && list.contains("sakd-cifar100-resnet56"),
        "{list}"
    );
    let names = printed(folder.path(), "recipes --names kdrefine");
    assert_eq!(names.lines().count(), 9);
    // What is shown is a recipe as a file has it.
    let shown = printed(
        folder.path(),
        "recipes show sakd-cifar100-wrn-40-2-shufflev1-nst-adaptive",
    );
    let path = folder.path().join("shown.yaml");
    fs::write(&path, &shown).expect("a file");
    let again = printed(folder.path(), "recipe --config shown.yaml");
    assert!(
        shown.trim_end().ends_with(again.trim_end()),
        "{shown}\n{again}"
    );
    assert!(again.contains("batch_size: 32"), "{again}");
    command(
        folder.path(),
        "recipes show sakd-cifar100-resnet56-resnet20-att",
    )
    .assert()
    .code(2)
    .stderr(predicate::str::contains("did you mean"));
}

#[test]
fn a_recipe_trains_its_teacher_at_first_need() {
    let folder = tempdir().expect("a folder");
    let name = "zoo-cifar100-resnet20-resnet20-st";
    let line = format!(
        "distill --recipe {name} --epochs 2 --root {} --set data.batch_size=20 --threads 1",
        images().display()
    );
    let trained = "teacher: zoo-cifar100-resnet20";
    let first = command(folder.path(), &line).assert().success();
    first.stderr(predicate::str::contains(trained));
    let runs = folder.path().join("runs");
    let (student, teacher) = (
        result(&runs.join(name)),
        result(&runs.join("zoo-cifar100-resnet20")),
    );
    assert_eq!(student["student"], "zoo_resnet20");
    assert_eq!(
        (&teacher["epochs"], &student["epochs"]),
        (&2.into(), &2.into())
    );
    // The schedule is shortened with the epochs, and the name is written.
    let recipe = fs::read_to_string(runs.join(name).join("recipe.yaml")).expect("a recipe");
    assert!(recipe.contains(&format!("name: {name}")), "{recipe}");
    assert!(recipe.contains("milestones:\n  - 1\n  gamma"), "{recipe}");
    let other = line.replace("-st", "-at");
    let second = command(folder.path(), &other).assert().success();
    second.stderr(predicate::str::contains("teacher: ").not());
    // Both networks of one seed start from the same weights, as the Zoo's do from a file.
    assert!(
        runs.join("zoo-cifar100-resnet20-resnet20-at/student-best.safetensors")
            .exists()
    );
}

#[test]
fn command_lines_of_repdistiller_run_as_they_are() {
    let folder = tempdir().expect("a folder");
    let root = images();
    let root = root.display();
    let teacher = format!(
        "train --model resnet8 --epochs 1 --batch_size 20 --trial 3 --root {root} --threads 1 \
         --out save/models/resnet8_vanilla"
    );
    command(folder.path(), &teacher).assert().success();
    let student = format!(
        "distill --path_t save/models/resnet8_vanilla/student.safetensors --distill attention \
         --model_s resnet8 -r 1 -a 0 -b 1000 --trial 1 --epochs 1 --batch_size 20 --root {root} \
         --threads 1 --out runs/at"
    );
    let assert = command(folder.path(), &student).assert().success();
    assert.stderr(predicate::str::contains(
        "read as a command line of RepDistiller",
    ));
    let found = result(&folder.path().join("runs/at"));
    assert_eq!(found["losses"], serde_json::json!(["ce", "at"]));
    assert_eq!(
        (&found["teacher"], &found["seed"]),
        (&"resnet8".into(), &1.into())
    );
}

#[test]
fn files_of_spot_adaptive_pytorch_run_in_every_mode() {
    let folder = tempdir().expect("a folder");
    let root = images();
    let teacher = format!(
        "train --model resnet8 --data cifar100 --epochs 1 --batch-size 20 --root {} --threads 1 --out t",
        root.display()
    );
    command(folder.path(), &teacher).assert().success();
    let file = format!(
        "dataset: {{name: CIFAR100, root: '{}', num_classes: 100}}\n\
         training:\n  optimizer: {{name: SGD, lr: 0.05, weight_decay_stage2: 5.0e-4, momentum: 0.9, \
         weight_decay_agent: 0.001}}\n  lr: 0.05\n  lr_agent: 0.025\n  lr_decay_epochs: [1]\n  \
         lr_decay_rate: 0.1\n  batch_size: 20\n  num_workers: 8\n  epochs: 2\n  seed: 1029\n\
         validation: {{batch_size: 64, num_workers: 8}}\n\
         kd:\n  teacher: {{name: resnet8, checkpoint: t/student.safetensors}}\n  \
         student: {{name: resnet8}}\n  loss_weights: {{classify_weight: 2.0, kd_weight: 1.0, other_kd: 1000.0}}\n\
         kd_loss: {{name: AT, KD_T: 4, T: 4, homo: true}}\n",
        root.display()
    );
    fs::write(folder.path().join("theirs.yml"), file).expect("a file");
    for mode in ["always", "adaptive", "anti", "random", "joint"] {
        let line =
            format!("distill --config theirs.yml --routing {mode} --threads 1 --logdir {mode}");
        command(folder.path(), &line).assert().success();
        let found = result(&folder.path().join(mode));
        assert_eq!(found["routing"], mode);
        assert_eq!(found["losses"], serde_json::json!(["ce", "kd", "at"]));
    }
    let recipe = fs::read_to_string(folder.path().join("adaptive/recipe.yaml")).expect("a recipe");
    assert!(
        recipe.contains("bias: 10") && recipe.contains("gamma: 2"),
        "{recipe}"
    );
    command(folder.path(), "distill --config theirs.yml SOLVER.LR 0.1")
        .assert()
        .code(2)
        .stderr(predicate::str::contains("SOLVER.LR"));
}
