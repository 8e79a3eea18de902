//! Several teachers as one.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::assert::Assert;
use common::{kd, metrics, tiny_run_with};
use predicates::prelude::*;
use tempfile::{TempDir, tempdir};

/// Two teachers of different architectures.
fn with_teachers() -> (TempDir, [PathBuf; 2]) {
    let folder = tempdir().expect("a folder");
    let teachers = ["resnet8", "resnet14"].map(|name| {
        let out = folder.path().join(name);
        tiny_run_with(&out, &[("--model", name)]).assert().success();
        out.join("student.safetensors")
    });
    (folder, teachers)
}

/// `kd distill` of a resnet8 on 40 images for two epochs.
fn distill(teachers: &[&Path], out: &Path, special: &[&str]) -> Assert {
    let mut command = kd();
    command
        .args(["distill", "--student", "resnet8", "--epochs", "2"])
        .args(["--limit-train", "40", "--limit-test", "20"])
        .args(["--batch-size", "16"]);
    for teacher in teachers {
        command.arg("--teacher-weights").arg(teacher);
    }
    command.arg("--out").arg(out).args(special).assert()
}

#[test]
fn an_ensemble_is_distilled_by_its_average() {
    let (folder, [first, second]) = with_teachers();
    let run = |name: &str, teachers: &[&Path], special: &[&str]| {
        let out = folder.path().join(name);
        distill(teachers, &out, &[&["--method", "kd"], special].concat()).success();
        metrics(&out)
    };
    let recipe = |name: &str| {
        let path = folder.path().join(name).join("recipe.yaml");
        fs::read_to_string(path).expect("a recipe")
    };
    let single = run("single", &[&first], &[]);
    assert!(recipe("single").contains(&format!("weights: {}\n", first.display())));
    // The mean of a teacher with itself is the teacher.
    assert_eq!(run("twice", &[&first, &first], &[]), single);

    let both = run("both", &[&first, &second], &[]);
    assert_ne!(both, single);
    let written = recipe("both");
    assert!(
        written.contains(&format!("- {}\n", second.display())),
        "{written}"
    );
    assert!(written.contains("average: logits"), "{written}");
    let result = folder.path().join("both").join("result.json");
    let result = fs::read_to_string(result).expect("a result");
    assert!(result.contains("resnet8+resnet14"), "{result}");
    // The recipe that was written is the recipe of the same run.
    let again = folder.path().join("again");
    let config = folder.path().join("both").join("recipe.yaml");
    let config = config.display().to_string();
    distill(&[], &again, &["--config", &config]).success();
    assert_eq!(metrics(&again), both);

    let names = ["--teacher", "resnet8", "--teacher", "resnet14"];
    assert_eq!(run("named", &[&first, &second], &names), both);
    let cached = run("cached", &[&first, &second], &["--teacher-cache", "memory"]);
    assert_eq!(cached, both);
    let probabilities = ["--set", "teacher.ensemble.average=probabilities"];
    assert_ne!(
        run("probabilities", &[&first, &second], &probabilities),
        both
    );
    let weighted = ["--set", "teacher.ensemble.weights=[1, 9]"];
    assert_ne!(run("weighted", &[&first, &second], &weighted), both);
}

#[test]
fn what_an_ensemble_cannot_do_is_one_line_and_writes_nothing() {
    let (folder, [first, second]) = with_teachers();
    let out = folder.path().join("run");
    let both: [&Path; 2] = [&first, &second];
    let fails = |teachers: &[&Path], special: &[&str], parts: &[&str]| {
        let one_line = |text: &str| text.starts_with("error: ") && text.lines().count() == 1;
        let mut assert = distill(teachers, &out, special).failure().code(2);
        assert = assert.stderr(predicate::function(one_line));
        for part in parts {
            assert = assert.stderr(predicate::str::contains(*part));
        }
        assert!(!out.exists());
    };
    for method in ["at", "rkd", "srrl"] {
        let named = format!("the loss `{method}`");
        let parts = ["an ensemble of teachers", &named, "only logits"];
        fails(&both, &["--method", method], &parts);
    }
    fails(
        &both,
        &["--method", "kd", "--routing", "adaptive"],
        &[
            "an ensemble of teachers",
            "routing.mode: adaptive",
            "no features",
        ],
    );
    fails(
        &both,
        &["--method", "kd", "--teacher", "resnet8"],
        &[
            "teacher.network is a list of 1",
            "one for each of the 2 files in teacher.weights",
        ],
    );
    fails(
        &both,
        &["--method", "kd", "--set", "teacher.ensemble.weights=[1]"],
        &[
            "teacher.ensemble.weights is [1.0]",
            "each of the 2 teachers",
        ],
    );
    fails(
        &[&first],
        &["--method", "kd", "--set", "teacher.ensemble.average=logits"],
        &["teacher.ensemble cannot be used with a single file"],
    );
    fails(
        &both,
        &[
            "--method",
            "kd",
            "--teacher",
            "resnet14",
            "--teacher",
            "resnet14",
        ],
        &["resnet8/student.safetensors", "the file holds resnet8"],
    );
}
