//! Weights from PyTorch and deployed networks, on the command line.

mod common;

use std::path::{Path, PathBuf};

use common::{kd, tiny_run};
use predicates::prelude::*;
use serde_json::Value;
use tempfile::tempdir;

fn checkpoint(name: &str) -> String {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    fixtures
        .join("checkpoints")
        .join(name)
        .display()
        .to_string()
}

/// What `kd eval` measures on 20 procedural images.
fn eval(weights: &str) -> Value {
    let output = kd()
        .args(["eval", "--limit-test", "20", "--json", "--weights", weights])
        .output()
        .expect("kd runs");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The one line of an error.
fn failure(args: &[&str]) -> String {
    let output = kd().args(args).output().expect("kd runs");
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    assert_eq!(message.trim_end().lines().count(), 1, "{args:?}: {message}");
    message
}

#[test]
fn a_checkpoint_of_pytorch_is_a_teacher_and_is_evaluated() {
    let folder = tempdir().expect("a folder");
    let teacher = checkpoint("kdrefine_ns_legacy.pth");
    kd().args(["eval", "--limit-test", "20", "--weights", &teacher])
        .assert()
        .success()
        .stderr(predicate::str::contains("identified as resnet8"));
    let out = folder.path().join("run").display().to_string();
    kd().args(["distill", "--student", "resnet8", "--method", "at"])
        .args(["--limit-train", "40", "--limit-test", "20", "--epochs", "1"])
        .args([
            "--teacher-weights",
            &teacher,
            "--fold-teacher",
            "--out",
            &out,
        ])
        .assert()
        .success();
    let recipe = std::fs::read_to_string(Path::new(&out).join("recipe.yaml")).expect("a recipe");
    assert!(recipe.contains("fold: true"), "{recipe}");
}

#[test]
fn a_trained_student_is_deployed_and_measures_the_same() {
    let folder = tempdir().expect("a folder");
    let run = folder.path().join("run");
    kd().args(["train", "--model", "repmobilenetv2", "--epochs", "1"])
        .args(["--limit-train", "32", "--limit-test", "20", "--out"])
        .arg(&run)
        .assert()
        .success();
    let trained = run.join("student.safetensors").display().to_string();
    let deployed = folder.path().join("deployed.safetensors");
    let deployed = deployed.display().to_string();
    let output = kd()
        .args(["deploy", "--in", &trained, "--out", &deployed, "--json"])
        .output()
        .expect("kd runs");
    assert!(output.status.success());
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["architecture"], "repmobilenetv2");
    assert_eq!(report["form"], "deployed");
    let number = |name: &str| report[name].as_f64().expect("a number");
    assert!(number("params_after") < number("params_before"));
    assert!(number("flops_after") < number("flops_before"));
    assert!(number("relative_difference") < 1e-5, "{report}");

    let (before, after) = (eval(&trained), eval(&deployed));
    assert_eq!(before["top1"], after["top1"]);
    let loss = |metrics: &Value| metrics["loss"].as_f64().expect("a number");
    assert!((loss(&before) - loss(&after)).abs() < 1e-4 * loss(&before));

    // What is deployed cannot be deployed again, but what is left can be folded.
    let again = folder.path().join("again.safetensors");
    let again_text = again.display().to_string();
    let message = failure(&["deploy", "--in", &deployed, "--out", &again_text]);
    assert!(message.contains("nothing to fold"), "{message}");
    assert!(!again.exists());
    kd().args([
        "deploy",
        "--in",
        &deployed,
        "--out",
        &again_text,
        "--fold-all",
    ])
    .assert()
    .success()
    .stdout(predicate::str::contains("folded"));
    assert_eq!(before["top1"], eval(&again_text)["top1"]);
}

#[test]
fn a_file_is_not_deployed_over_itself_nor_for_images_that_do_not_fit() {
    let folder = tempdir().expect("a folder");
    let copy = folder.path().join("teacher.pth");
    std::fs::copy(checkpoint("sakd_zip.pth"), &copy).expect("a copy");
    let before = std::fs::read(&copy).expect("readable");
    let path = copy.display().to_string();
    let message = failure(&["deploy", "--in", &path, "--out", &path]);
    assert!(message.contains("must not be the input file"), "{message}");
    assert!(std::fs::read(&copy).expect("readable") == before);

    let message = failure(&["models", "vgg8-imagenet", "--size", "16"]);
    assert!(message.contains("32 to 2048 pixels"), "{message}");
    let message = failure(&["models", "--size", "4000"]);
    assert!(message.contains("4000"), "{message}");
}

#[test]
fn a_teacher_that_is_to_be_folded_has_to_be_there() {
    let message = failure(&[
        "distill",
        "--student",
        "resnet8",
        "--method",
        "kd",
        "--fold-teacher",
    ]);
    assert!(message.contains("teacher.weights"), "{message}");
}

#[test]
fn the_kernels_can_be_turned_off_and_compute_the_same() {
    let teacher = checkpoint("kdrefine_ns_legacy.pth");
    let run = |flags: &[&str]| -> Value {
        let output = kd()
            .args([
                "eval",
                "--limit-test",
                "20",
                "--json",
                "--weights",
                &teacher,
            ])
            .args(flags)
            .output()
            .expect("kd runs");
        serde_json::from_slice(&output.stdout).expect("JSON")
    };
    let (with, without) = (run(&[]), run(&["--no-kernels"]));
    assert_eq!(with["top1"], without["top1"]);
    let loss = |metrics: &Value| metrics["loss"].as_f64().expect("a number");
    assert!((loss(&with) - loss(&without)).abs() < 1e-5 * loss(&without));
}

#[test]
fn any_network_is_folded_and_its_form_is_known_to_the_file() {
    let folder = tempdir().expect("a folder");
    let run = folder.path().join("run");
    tiny_run(&run).assert().success();
    let trained = run.join("student.safetensors").display().to_string();
    let folded = folder.path().join("folded.safetensors");
    let folded = folded.display().to_string();
    kd().args(["deploy", "--in", &trained, "--out", &folded])
        .assert()
        .success()
        .stdout(predicate::str::contains("resnet8 at 3×32×32, folded"))
        .stdout(predicate::str::contains("largest output difference"));
    assert_eq!(eval(&trained)["top1"], eval(&folded)["top1"]);
}

#[test]
fn bad_checkpoints_are_errors_of_one_line_that_leave_nothing_behind() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("out.safetensors");
    let out_text = out.display().to_string();
    for (name, part) in [
        ("bad_truncated_zip.pth", "damaged"),
        ("bad_missing_key.pth", "missing `layer2.0.bn2.weight`"),
        ("bad_nan.pth", "not finite"),
        ("bad_code.pth", "refused"),
        ("bad_no_model.pth", "no state dict"),
    ] {
        let path = checkpoint(name);
        for message in [
            failure(&["deploy", "--in", &path, "--out", &out_text]),
            failure(&["eval", "--weights", &path]),
        ] {
            assert!(message.contains(name), "{message}");
            assert!(message.contains(part), "{message}");
        }
        assert!(!out.exists(), "{name}");
    }
}

#[test]
fn report_f1_what_was_removed_from_keys_is_said() {
    let path = checkpoint("dataparallel_zip.pth");
    kd().args(["eval", "--limit-test", "20", "--weights", &path])
        .assert()
        .success()
        .stderr(predicate::str::contains("`module.` removed from the keys"));
}

#[test]
fn report_f2_and_f3_sets_and_keys_are_chosen_by_flags_and_recipes() {
    let message = failure(&[
        "eval",
        "--weights",
        &checkpoint("sakd_zip.pth"),
        "--weights-set",
        "ema",
    ]);
    assert!(message.contains("no weights `ema`"), "{message}");
    assert!(message.contains("`model`"), "{message}");

    let folder = tempdir().expect("a folder");
    let extra = checkpoint("bad_extra_key.pth");
    let message = failure(&["eval", "--weights", &extra]);
    assert!(message.contains("see ignore_keys"), "{message}");
    kd().args(["eval", "--limit-test", "20", "--weights", &extra])
        .args(["--ignore-keys", "extra.*"])
        .assert()
        .success()
        .stderr(predicate::str::contains("`extra.weight` ignored"));
    let deployed = folder.path().join("deployed.safetensors");
    kd().args(["deploy", "--in", &extra, "--ignore-keys", "extra.*"])
        .args(["--weights-set", "model", "--out"])
        .arg(&deployed)
        .assert()
        .success();
    let run = folder.path().join("run");
    kd().args(["distill", "--student", "resnet8", "--method", "kd"])
        .args([
            "--teacher-weights",
            &extra,
            "--teacher-ignore-keys",
            "extra.*",
        ])
        .args(["--teacher-weights-set", "model"])
        .args(["--limit-train", "32", "--limit-test", "20", "--epochs", "1"])
        .arg("--out")
        .arg(&run)
        .assert()
        .success();
    let recipe = std::fs::read_to_string(run.join("recipe.yaml")).expect("a recipe");
    assert!(recipe.contains("weights_set: model"), "{recipe}");
    assert!(recipe.contains("ignore_keys"), "{recipe}");
}

#[test]
fn report_f6_two_runs_of_a_recipe_leave_the_same_file() {
    let folder = tempdir().expect("a folder");
    let students = ["one", "two", "three"].map(|name| {
        let run = folder.path().join(name);
        tiny_run(&run).assert().success();
        std::fs::read(run.join("student.safetensors")).expect("weights")
    });
    let [one, two, three] = students;
    assert!(one == two && one == three, "the same, byte for byte");
}

#[test]
fn one_network_is_explained() {
    kd().args(["models", "ShuffleV1", "--classes", "10"])
        .assert()
        .success()
        .stdout(predicate::str::contains("shufflenetv1, ShuffleV1"))
        .stdout(predicate::str::contains("stage 3     960×4×4"));
    let message = failure(&["models", "resnet9"]);
    assert!(message.contains("unknown model `resnet9`"), "{message}");
}
