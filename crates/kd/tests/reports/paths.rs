//! Paths that are no text.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use tempfile::tempdir;

use super::assert_one_line;
use crate::common::{kd, metrics, tiny_flags, tiny_run};

/// A name that is Latin-1 and not UTF-8, as a message shows it.
const SHOWN: &str = "caf\u{fffd}";

fn named(folder: &Path) -> PathBuf {
    folder.join(OsStr::from_bytes(b"caf\xe9"))
}

/// The message blamed `recipe.yaml`, and a folder was left.
#[test]
fn report_a_path_that_is_not_utf8_is_named_and_leaves_nothing() {
    let folder = tempdir().expect("a folder");
    let path = named(folder.path());
    let out = folder.path().join("run");
    for (command, flag) in [
        ("train", "--root"),
        ("train", "--student-weights"),
        ("distill", "--teacher-weights"),
        ("mutual", "--weights"),
        ("sweep", "--root"),
        ("eval", "--root"),
    ] {
        let output = kd().arg(command).arg(flag).arg(&path).output();
        assert_one_line(&output.expect("kd runs"), &[flag, SHOWN, "UTF-8"]);
    }
    let cache = kd()
        .args(["distill", "--teacher-cache"])
        .arg(&path)
        .output();
    assert_one_line(&cache.expect("kd runs"), &[SHOWN, "UTF-8"]);
    for args in [
        &["eval", "--weights"][..],
        &["train", "--config"],
        &["table"],
        &["plot"],
    ] {
        let output = kd().args(args).arg(&path).output().expect("kd runs");
        assert_one_line(&output, &[SHOWN]);
    }

    // A path that is text in a folder whose name is none.
    fs::create_dir(&path).expect("a folder");
    let output = kd()
        .current_dir(&path)
        .args([
            "train", "--data", "cifar100", "--root", "data", "--model", "resnet8", "--out",
        ])
        .arg(&out)
        .output()
        .expect("kd runs");
    assert_one_line(&output, &["data.root", SHOWN, "UTF-8"]);
    assert!(!out.exists());
    assert_eq!(fs::read_dir(&path).expect("a folder").count(), 0);
}

/// What no recipe speaks of may have any name.
#[test]
fn report_a_run_directory_that_is_not_utf8_is_one() {
    let folder = tempdir().expect("a folder");
    let out = named(folder.path());
    tiny_run(&out).assert().success();
    assert_eq!(metrics(&out).len(), 1);
    let again = ["train", "--resume"].iter().copied().chain(tiny_flags(&[]));
    kd().args(again).arg("--out").arg(&out).assert().success();
    for file in [
        "recipe.yaml",
        "result.json",
        "checkpoint/epoch-0001/model.bpk",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    kd().args(["eval", "--limit-test", "20", "--weights"])
        .arg(out.join("student.safetensors"))
        .assert()
        .success();
    kd().arg("plot").arg(&out).assert().success();
    kd().arg("table").arg(&out).assert().success();
    // A teacher whose place the student's recipe could not name is not trained for nothing.
    let below = out.join("student");
    let recipe = ["distill", "--recipe", "zoo-cifar100-resnet20-resnet20-st"];
    let output = kd()
        .args(recipe)
        .args(["--root", "/tmp", "--out"])
        .arg(&below)
        .output();
    assert_one_line(&output.expect("kd runs"), &["--out", SHOWN, "UTF-8"]);
    assert!(!below.exists());
}
