//! Networks that learn from each other.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::{kd, metrics, tiny_run, tiny_run_with};
use predicates::prelude::*;
use serde_json::Value;
use tempfile::tempdir;

/// Arguments of a mutual run on 40 images.
fn arguments(out: &Path, special: &[&str]) -> Vec<String> {
    let small = [
        "--limit-train",
        "40",
        "--limit-test",
        "20",
        "--batch-size",
        "16",
    ];
    let out = out.display().to_string();
    let fixed = ["mutual", "--out", &out];
    let all = fixed.iter().chain(&small).chain(special);
    all.map(|argument| (*argument).to_owned()).collect()
}

fn epochs(out: &Path) -> Vec<Value> {
    let lines = metrics(out).into_iter();
    lines
        .map(|line| serde_json::from_str(&format!("{line}}}")).expect("JSON"))
        .collect()
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

#[test]
fn networks_train_together_and_are_written_one_by_one() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("mutual");
    let special = ["--networks", "resnet8,resnet8,resnet14", "--epochs", "2"];
    kd().args(arguments(&out, &special))
        .assert()
        .success()
        .stdout(predicate::str::contains("resnet14").and(predicate::str::contains("top-1")));
    let epochs = epochs(&out);
    assert_eq!(epochs.len(), 2);
    for epoch in &epochs {
        let all = [
            &epoch["train"],
            &epoch["peers"][0]["train"],
            &epoch["peers"][1]["train"],
        ];
        for train in all {
            let number = |value: &Value| value.as_f64().expect("a number");
            let terms = number(&train["terms"]["ce"]) + number(&train["terms"]["dml"]);
            let loss = number(&train["loss"]);
            assert!((loss - terms).abs() < 1e-4 * loss, "{epoch}");
        }
        // Networks of one architecture start differently.
        assert_ne!(all[0]["loss"], all[1]["loss"]);
    }
    let result = json(&out.join("result.json"));
    assert_eq!(result["student"], "resnet8");
    for (index, name) in ["resnet8", "resnet14"].into_iter().enumerate() {
        let peer = &result["peers"][index];
        assert_eq!(peer["network"], name);
        assert_eq!(peer["last_top1"], epochs[1]["peers"][index]["test"]["top1"]);
        for (weights, top1) in [("", "last_top1"), ("-best", "best_top1")] {
            let file = format!("peer-{}{weights}.safetensors", index + 2);
            let eval = kd()
                .args(["eval", "--json", "--limit-test", "20", "--weights"])
                .arg(out.join(file))
                .output()
                .expect("kd runs");
            let tested: Value = serde_json::from_slice(&eval.stdout).expect("JSON");
            assert_eq!(tested["top1"], peer[top1]);
        }
    }
    // What was written is the recipe of the same run.
    let again = folder.path().join("again");
    let config = out.join("recipe.yaml").display().to_string();
    kd().args(arguments(&again, &["--config", &config]))
        .assert()
        .success();
    assert_eq!(metrics(&again), metrics(&out));
    // Without the divergence, a network learns as it does alone.
    let alone = folder.path().join("alone");
    tiny_run(&alone).assert().success();
    let apart = folder.path().join("apart");
    let special = [
        "--networks",
        "resnet8,resnet14",
        "-b",
        "1e-30",
        "--epochs",
        "1",
    ];
    kd().args(arguments(&apart, &special)).assert().success();
    let test = |out: &Path| self::epochs(out)[0]["test"].clone();
    assert_eq!(test(&apart), test(&alone));
}

#[test]
fn networks_start_from_given_weights() {
    let folder = tempdir().expect("a folder");
    let weights = ["resnet8", "resnet14"].map(|name| {
        let out = folder.path().join(name);
        tiny_run_with(&out, &[("--model", name)]).assert().success();
        out.join("student.safetensors").display().to_string()
    });
    let run = |name: &str, special: &[&str]| {
        let out = folder.path().join(name);
        let special = [&["--epochs", "1"], special].concat();
        kd().args(arguments(&out, &special)).assert().success();
        metrics(&out)
    };
    let files = weights.join(",");
    let named = ["--networks", "resnet8,resnet14"];
    let drawn = run("drawn", &named);
    let started = run("started", &[&named[..], &["--weights", &files]].concat());
    assert_ne!(started, drawn);
    // The files say what networks they are of.
    assert_eq!(run("files", &["--weights", &files]), started);
}

#[test]
fn an_interrupted_run_continues_to_the_same_numbers() {
    let folder = tempdir().expect("a folder");
    let special = [
        "--networks",
        "resnet8,resnet8",
        "--epochs",
        "3",
        "--resume=auto",
    ];
    let whole = folder.path().join("whole");
    kd().args(arguments(&whole, &special)).assert().success();
    let killed = folder.path().join("killed");
    let mut child = Command::new(env!("CARGO_BIN_EXE_kd"))
        .args(arguments(&killed, &special))
        .stdout(Stdio::null())
        .spawn()
        .expect("kd runs");
    while metrics(&killed).is_empty() && child.try_wait().expect("a state").is_none() {
        sleep(Duration::from_millis(5));
    }
    child.kill().expect("a signal");
    child.wait().expect("an end");
    kd().args(arguments(&killed, &special)).assert().success();
    assert_eq!(metrics(&killed), metrics(&whole));
    assert_eq!(metrics(&killed).len(), 3);
    let result = |out: &Path| json(&out.join("result.json"))["peers"].clone();
    assert_eq!(result(&killed), result(&whole));
}

#[test]
fn mistakes_are_one_line_and_write_nothing() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("run");
    let both = ["--networks", "resnet8,resnet8"];
    let with = |special: &[&'static str]| [&both[..], special].concat();
    for (special, parts) in [
        (
            vec![],
            &["peers is missing", "--networks resnet20,resnet20"][..],
        ),
        (
            vec!["--networks", "resnet8"],
            &["--networks is one network"],
        ),
        (
            vec!["--networks", "resnet8,resnet9"],
            &["unknown model `resnet9`"],
        ),
        (
            with(&["--weights", "a.pth"]),
            &["--weights is a list of 1", "the 2 networks"],
        ),
        (with(&["--weights", "a.pth,b.pth"]), &["a.pth"]),
        (
            with(&["--set", "routing.mode=adaptive"]),
            &["mutual learning", "no features"],
        ),
        (
            with(&["--set", "teacher.weights=a.pth"]),
            &["teacher.weights", "mutual learning"],
        ),
        (
            with(&["--set", "train.ema_decay=0.9"]),
            &["train.ema_decay", "mutual learning"],
        ),
        (
            with(&["--set", "losses=[{name: at, weight: 1}]"]),
            &["the loss `at`", "only logits"],
        ),
        (with(&["-b", "0"]), &["losses is missing", "dml"]),
    ] {
        let one_line = |text: &str| text.starts_with("error: ") && text.lines().count() == 1;
        let mut assert = kd()
            .args(arguments(&out, &special))
            .assert()
            .failure()
            .code(2);
        assert = assert.stderr(predicate::function(one_line));
        for part in parts {
            assert = assert.stderr(predicate::str::contains(*part));
        }
        assert!(!out.exists());
    }
}

#[test]
fn a_named_recipe_names_the_folder() {
    let folder = tempdir().expect("a folder");
    fs::write(folder.path().join("mine.yaml"), "name: mine\n").expect("written");
    let special = ["--networks", "resnet8,resnet8", "--epochs", "1"];
    let small = [
        "--config",
        "mine.yaml",
        "--limit-train",
        "16",
        "--limit-test",
        "8",
    ];
    kd().current_dir(folder.path())
        .arg("mutual")
        .args(special)
        .args(small)
        .assert()
        .success();
    assert!(folder.path().join("runs/mine/metrics.jsonl").is_file());
}
