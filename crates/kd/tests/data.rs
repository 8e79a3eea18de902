//! Data sets on the command line.

mod common;

use std::path::{Path, PathBuf};

use common::{kd, tiny_run};
use predicates::prelude::*;
use tempfile::tempdir;

fn dataset(name: &str) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/datasets");
    root.join(name).display().to_string()
}

/// What a run says of itself.
fn result(out: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(out.join("result.json")).expect("a result");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn a_folder_of_images_is_trained_on_and_streamed() {
    let folder = tempdir().expect("a folder");
    let runs = ["held", "streamed"].map(|name| folder.path().join(name));
    for (out, memory) in runs.iter().zip(["4096", "0"]) {
        tiny_run(out)
            .args(["--data", "folder", "--root", &dataset("imagenet")])
            .args(["--set", "data.image_size=32", "--workers", "1"])
            .args(["--set", &format!("data.memory_mib={memory}")])
            .assert()
            .success();
        let result = result(out);
        assert_eq!(result["train_images"], 12);
        assert_eq!(result["test_images"], 6);
        assert_eq!(result["evaluated_on"], "test");
    }
    let [held, streamed] = runs.map(|out| common::metrics(&out));
    assert_eq!(held.len(), 1);
    assert_eq!(held, streamed);
}

#[test]
fn a_dev_split_is_evaluated_and_the_result_says_so() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("run");
    tiny_run(&out)
        .args(["--dev-split", "0.25"])
        .assert()
        .success();
    let result = result(&out);
    assert_eq!(result["evaluated_on"], "dev");
    assert_eq!(
        (&result["train_images"], &result["test_images"]),
        (&30.into(), &10.into())
    );
}

#[test]
fn odd_data_and_another_normalization_give_a_warning() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("run");
    let root = dataset("cifar-10-python");
    let data = ["--data", "cifar10", "--root", &root];
    tiny_run(&out)
        .args(data)
        .assert()
        .success()
        .stderr(predicate::str::contains("but the official data set has 50000").not());
    let weights = out.join("student.safetensors").display().to_string();
    let eval = ["eval", "--weights", &weights];
    // Without a limit the numbers of images are compared.
    kd().args(eval)
        .args(data)
        .assert()
        .success()
        .stderr(predicate::str::contains(
            "40 training images, but the official data set has 50000",
        ))
        .stderr(predicate::str::contains("normalized").not());
    kd().args(eval)
        .args(["--limit-test", "20"])
        .assert()
        .success()
        .stderr(predicate::str::contains(
            "trained on images normalized by mean [0.4914",
        ));
}

#[test]
fn data_that_cannot_be_used_is_refused_before_the_folder_is_made() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("run");
    let refused = |args: &[&str], part: &str| {
        let output = tiny_run(&out).args(args).output().expect("kd runs");
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert_eq!(message.trim_end().lines().count(), 1, "{message}");
        assert!(message.contains(part), "{message}");
        assert!(!out.exists());
    };
    let root = dataset("imagenet");
    refused(
        &["--data", "folder", "--root", &root],
        "set data.image_size",
    );
    refused(&["--data", "folder"], "data.root is missing");
    refused(&["--data", "imagenets"], "unknown variant");
    refused(&["--dev-split", "1"], "data.dev_split is 1");
    refused(&["--download"], "data.download cannot be used with");
    let no_ids = dataset("corrupt/tiny-no-wnids");
    refused(&["--data", "tiny-imagenet", "--root", &no_ids], "wnids.txt");
    refused(&["--set", "data.normalization=cifar"], "cifar10-zoo");
}
