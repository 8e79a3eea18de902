//! The command line: what it prints, what it writes, and how it fails.

mod common;
#[path = "page/mod.rs"]
mod page;
#[path = "reports/mod.rs"]
mod reports;
#[path = "shell/mod.rs"]
mod shell;
#[path = "watching/mod.rs"]
mod watching;

use std::fs;
use std::path::Path;

use common::{kd, metrics, tiny_run, tiny_run_with};
use predicates::prelude::*;
use tempfile::tempdir;

/// Asserts that a command fails with exit code 2 and one line that holds all of `parts`.
#[track_caller]
fn assert_one_line_error(args: &[&str], parts: &[&str]) {
    let output = kd().args(args).output().expect("kd runs");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {message}");
    assert_eq!(message.trim_end().lines().count(), 1, "{args:?}: {message}");
    for part in parts {
        assert!(
            message.contains(part),
            "{args:?}: no `{part}` in: {message}"
        );
    }
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn the_registries_are_printed_as_tables_and_json() {
    kd().arg("methods")
        .assert()
        .success()
        .stdout(predicate::str::contains("attention"));
    kd().args(["methods", "at"])
        .assert()
        .success()
        .stdout(predicate::str::contains("p = 2: power of the activations"));
    kd().args(["methods", "--json"])
        .assert()
        .success()
        .stdout(predicate::str::contains("\"name\": \"hint\""));
    kd().args(["models", "--json", "--classes", "10"])
        .assert()
        .success()
        .stdout(predicate::str::contains("\"name\": \"resnet8x4\""));
}

#[test]
fn a_run_writes_its_folder_and_can_be_evaluated_and_repeated() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("run");
    tiny_run_with(&out, &[("--epochs", "2")]).assert().success();
    for file in [
        "recipe.yaml",
        "metrics.jsonl",
        "result.json",
        "student.safetensors",
        "student-best.safetensors",
        "checkpoint/epoch-0002/model.bpk",
    ] {
        assert!(out.join(file).is_file(), "{file}");
    }
    let events = fs::read_dir(&out)
        .expect("the folder")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("events.out.tfevents."))
        .count();
    assert_eq!(events, 1);

    // The recipe that was written repeats the run to the same numbers, also with other threads.
    let again = folder.path().join("again");
    kd().args(["train", "--workers", "2"])
        .arg("--config")
        .arg(out.join("recipe.yaml"))
        .arg("--out")
        .arg(&again)
        .assert()
        .success();
    assert_eq!(metrics(&out), metrics(&again));

    // The weights evaluate to the last epoch's accuracy.
    let result = fs::read_to_string(out.join("result.json")).expect("a result");
    let top1 = result
        .lines()
        .find_map(|line| line.trim().strip_prefix("\"last_top1\": "))
        .expect("last_top1")
        .trim_end_matches(',');
    kd().args(["eval", "--limit-test", "20", "--json", "--weights"])
        .arg(out.join("student.safetensors"))
        .assert()
        .success()
        .stdout(predicate::str::contains(format!("\"top1\": {top1}")));
}

#[test]
fn optimizers_schedules_and_number_types_run_and_are_written_down() {
    let folder = tempdir().expect("a folder");
    for (name, assignments) in [
        (
            "adamw",
            &[
                "optimizer.name=adamw",
                "optimizer.decay_norms_and_biases=false",
                "scheduler.name=onecycle",
                "train.ema_decay=0.9",
                "losses.0.smoothing=0.1",
            ][..],
        ),
        (
            "sgd",
            &[
                "scheduler.name=cosine",
                "scheduler.warmup_epochs=1",
                "optimizer.clip_norm=1",
                "train.epochs=2",
                "compute.dtype=f64",
            ],
        ),
    ] {
        let out = folder.path().join(name);
        let mut run = tiny_run(&out);
        for assignment in assignments {
            run.args(["--set", assignment]);
        }
        run.assert().success();
        let recipe = fs::read_to_string(out.join("recipe.yaml")).expect("a recipe");
        for assignment in assignments {
            let (path, value) = assignment.split_once('=').expect("an assignment");
            let key = path.rsplit('.').next().expect("a key");
            let written = format!("{key}: {value}");
            assert!(recipe.contains(&written), "{written}: {recipe}");
        }
        // What was saved is read again.
        kd().args(["eval", "--limit-test", "20", "--weights"])
            .arg(out.join("student.safetensors"))
            .assert()
            .success();
    }
    let error = tiny_run(&folder.path().join("typo"))
        .args(["--set", "optimizer.lrr=1"])
        .output()
        .expect("kd runs");
    assert_eq!(error.status.code(), Some(2));
    let message = String::from_utf8_lossy(&error.stderr).into_owned();
    assert!(message.contains("did you mean `lr`?"), "{message}");
}

/// Also by a list of terms, and what `kd recipe` prints is what runs.
#[test]
fn a_recipe_that_is_printed_is_the_recipe_that_runs() {
    let folder = tempdir().expect("a folder");
    let teacher = folder.path().join("teacher");
    tiny_run(&teacher).assert().success();
    let weights = text(&teacher.join("student.safetensors"));
    let flags = ["--student", "resnet8", "--method", "at", "-a", "0.5"];
    let limits = ["--limit-train", "40", "--limit-test", "20", "--epochs", "1"];
    let printed = kd()
        .arg("recipe")
        .args(flags)
        .args(limits)
        .args(["--teacher-weights", &weights])
        .output()
        .expect("kd runs");
    let config = folder.path().join("recipe.yaml");
    fs::write(&config, &printed.stdout).expect("a file");
    let runs = ["flags", "file"].map(|name| folder.path().join(name));
    let weights = ["--teacher-weights", &weights];
    kd().arg("distill")
        .args([&flags[..], &limits, &weights].concat())
        .arg("--out")
        .arg(&runs[0])
        .assert()
        .success();
    kd().args(["distill", "--config"])
        .arg(&config)
        .arg("--out")
        .arg(&runs[1])
        .assert()
        .success();
    assert_eq!(metrics(&runs[0]), metrics(&runs[1]));
    assert!(metrics(&runs[0])[0].contains("\"kd\":"));
}

#[test]
fn a_student_is_distilled_by_each_method() {
    let folder = tempdir().expect("a folder");
    let teacher = folder.path().join("teacher");
    tiny_run(&teacher).assert().success();
    let weights = text(&teacher.join("student.safetensors"));
    for (method, part) in [("kd", "\"kd\":"), ("hint", "\"hint\":"), ("at", "\"at\":")] {
        let out = folder.path().join(method);
        kd().args(["distill", "--student", "resnet8", "--method", method])
            .args(["--limit-train", "40", "--limit-test", "20", "--epochs", "1"])
            .args(["--teacher-weights", &weights, "--out", &text(&out)])
            .assert()
            .success();
        let metrics = fs::read_to_string(out.join("metrics.jsonl")).expect("metrics");
        assert!(metrics.contains(part), "{method}: {metrics}");
    }
}

#[test]
fn a_teacher_that_does_not_fit_is_an_error_that_names_its_file() {
    let folder = tempdir().expect("a folder");
    let teacher = folder.path().join("teacher");
    tiny_run(&teacher).assert().success();
    let weights = text(&teacher.join("student.safetensors"));
    let out = folder.path().join("run");
    let config = folder.path().join("classes.yaml");
    fs::write(&config, "data: {procedural: {classes: 20}}\n").expect("a file");
    let config = text(&config);
    let distill = |more: &[&str], parts: &[&str]| {
        let out = text(&out);
        let mut args = vec!["distill", "--student", "resnet8", "--limit-train", "40"];
        args.extend(["--teacher-weights", &weights, "--out", &out]);
        args.extend(more);
        assert_one_line_error(&args, parts);
    };
    distill(
        &["--method", "kd", "--config", &config],
        &["teacher/student.safetensors", "10 classes", "expected 20"],
    );
    distill(
        &["--method", "kd", "--teacher", "resnet14"],
        &[
            "teacher/student.safetensors",
            "resnet14",
            "the file holds resnet8",
        ],
    );
    assert!(!out.exists());
    let args = [
        "distill",
        "--student",
        "vgg8",
        "--limit-train",
        "40",
        "--method",
        "fsp",
    ];
    let out = text(&out);
    let args = [&args[..], &["--teacher-weights", &weights, "--out", &out]].concat();
    assert_one_line_error(&args, &["stage 0", "equal channels"]);
}

#[test]
fn bad_values_name_their_field_and_write_nothing() {
    let folder = tempdir().expect("a folder");
    let out = text(&folder.path().join("run"));
    for (flags, parts) in [
        (&["--batch-size", "0"][..], &["batch_size"][..]),
        (&["--lr", "nan"], &["lr", "NaN"]),
        (&["--lr", "-0.1"], &["lr", "-0.1"]),
        (&["--lr", "fast"], &["--lr", "fast"]),
        (&["--epochs", "0"], &["epochs"]),
        (&["--limit-test", "0"], &["limit_test"]),
        (&["--milestones", "3,2"], &["milestones"]),
        (
            &["--model", "resnet9"],
            &["unknown model `resnet9`", "resnet8x4"],
        ),
        (&["--data", "mnist"], &["data", "`mnist`", "cifar100"]),
        (&["--data", "cifar100"], &["root"]),
        (&["--data", "cifar100", "--root", "/nowhere"], &["/nowhere"]),
        (&["--device", "tpu"], &["device", "tpu", "flex"]),
        (&["--device", "flex:1"], &["device", "flex:1"]),
        (&["--devices", "flex,tpu"], &["device", "tpu", "flex"]),
        (
            &["--devices", "flex,flex,flex", "--batch-size", "2"],
            &["data.batch_size", "each of the 3 devices"],
        ),
        (&["--config", "/nowhere.yaml"], &["/nowhere.yaml"]),
        (&["--no-such-flag"], &["--no-such-flag"]),
    ] {
        let mut args = vec!["train", "--out", &out];
        if !flags.contains(&"--model") {
            args.extend(["--model", "resnet8"]);
        }
        args.extend(flags);
        assert_one_line_error(&args, parts);
    }
    assert_one_line_error(&["train", "--out", &out], &["student"]);
    for (method, parts) in [
        ("magic", &["unknown method `magic`", "hint"][..]),
        ("at", &["teacher.weights"]),
    ] {
        let args = [
            "distill",
            "--student",
            "resnet8",
            "--method",
            method,
            "--out",
            &out,
        ];
        assert_one_line_error(&args, parts);
    }
    assert_one_line_error(
        &["distill", "-b", "5", "--out", &out],
        &["method", "weight"],
    );
    assert!(!folder.path().join("run").exists());
}

#[cfg(not(feature = "cuda"))]
#[test]
fn a_device_that_is_not_in_the_build_names_the_feature() {
    assert_one_line_error(
        &["train", "--model", "resnet8", "--device", "cuda:0"],
        &["cuda", "flex", "--features cuda"],
    );
}

#[test]
fn a_recipe_file_with_an_unknown_key_names_file_and_key() {
    let folder = tempdir().expect("a folder");
    let config = folder.path().join("recipe.yaml");
    let path = text(&config);
    for (content, part) in [
        ("student: {network: resnet8}\ntrain: {epoch: 3}\n", "epoch"),
        ("student: {network: resnet9}\n", "resnet9"),
        ("losses: [{name: at, weight: 1, q: 2}]\n", "q"),
        ("losses: [{name: magic, weight: 1}]\n", "magic"),
        ("train:\n  epochs: many\n", "line 2"),
        ("student: [\n", "recipe.yaml"),
        // Of the first version, without sections.
        ("student: resnet8\nepoch: 3\n", "epoch"),
        ("student: resnet8\nepochs: many\n", "train.epochs"),
    ] {
        fs::write(&config, content).expect("a file");
        assert_one_line_error(&["train", "--config", &path], &[&path, part]);
    }
}

#[test]
fn a_folder_that_holds_something_else_is_left_alone() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("run");
    tiny_run(&out).assert().success();
    let result = out.join("result.json");
    let before = fs::read(&result).expect("a result");
    let out = text(&out);
    let train = |out: &str, more: &[&str], parts: &[&str]| {
        let mut args = vec!["train", "--model", "resnet8", "--limit-train", "40"];
        args.extend(["--limit-test", "20", "--batch-size", "16", "--out", out]);
        args.extend(more);
        assert_one_line_error(&args, parts);
    };
    train(&out, &["--epochs", "1"], &[&out, "contains another run"]);
    train(
        &out,
        &["--epochs", "3", "--resume"],
        &[&out, "another recipe", "`train.epochs` is 1 there, 3 here"],
    );
    assert_eq!(fs::read(&result).expect("a result"), before);

    let other = folder.path().join("photos");
    fs::create_dir(&other).expect("a folder");
    fs::write(other.join("cat.jpg"), "meow").expect("a file");
    train(&text(&other), &[], &[&text(&other), "not empty"]);
    // A folder that cannot be written.
    let below = text(&other.join("cat.jpg").join("run"));
    train(&below, &[], &[&below]);
}

#[test]
fn damaged_data_and_weights_name_the_file() {
    let folder = tempdir().expect("a folder");
    let root = folder.path().join("cifar-100-binary");
    fs::create_dir(&root).expect("a folder");
    let record = |coarse: u8, fine: u8| {
        let mut record = vec![coarse, fine];
        record.resize(3074, 7);
        record
    };
    let parent = text(folder.path());
    let args = [
        "train", "--model", "resnet8", "--data", "cifar100", "--root", &parent,
    ];
    fs::write(root.join("train.bin"), record(1, 2)).expect("a file");
    assert_one_line_error(&args, &["test.bin"]);
    fs::write(root.join("test.bin"), &record(1, 2)[..3000]).expect("a file");
    assert_one_line_error(&args, &["test.bin", "3000", "3074"]);
    fs::write(root.join("test.bin"), record(1, 100)).expect("a file");
    assert_one_line_error(&args, &["test.bin", "record 0", "100"]);

    let weights = folder.path().join("teacher.safetensors");
    fs::write(&weights, "not weights").expect("a file");
    let weights = text(&weights);
    assert_one_line_error(
        &["eval", "--limit-test", "20", "--weights", &weights],
        &[&weights, "neither a safetensors file nor"],
    );
    assert_one_line_error(
        &[
            "eval",
            "--limit-test",
            "20",
            "--weights",
            "/nowhere.safetensors",
        ],
        &["/nowhere.safetensors"],
    );
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_names_epoch_step_and_part() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("run");
    let output = tiny_run_with(&out, &[("--lr", "1e30"), ("--batch-size", "8")])
        .output()
        .expect("kd runs");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        message.contains("`ce`") && message.contains("epoch 1, step "),
        "{message}"
    );
    assert!(!out.join("result.json").exists());
}

#[test]
fn devices_are_listed_with_the_default_one_first() {
    let output = kd().args(["devices", "--json"]).output().expect("kd runs");
    let devices: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(devices[0]["name"], "flex");
    kd().arg("devices")
        .assert()
        .success()
        .stdout(predicate::str::contains("CPU"));
}

/// Burn's default device is the GPU of a build that has one; this name makes Burn panic. A resumed run
/// is no part of it: Burn's optimizers ask, though what they load is not put there.
#[test]
fn nothing_asks_for_a_default_device() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("run");
    let weights = text(&out.join("student.safetensors"));
    let deployed = text(&folder.path().join("deployed.safetensors"));
    tiny_run(&out).env("BURN_DEVICE", "none").assert().success();
    for args in [
        ["eval", "--weights", &weights, "--limit-test", "20"].as_slice(),
        &["deploy", "--in", &weights, "--out", &deployed],
        &["models", "resnet8"],
        &["devices"],
    ] {
        kd().args(args)
            .env("BURN_DEVICE", "none")
            .assert()
            .success();
    }
}

#[test]
fn a_cpu_needs_no_warm_up() {
    let flags = ["--recipe", "sakd-cifar100-resnet56-resnet20-at"];
    kd().arg("warm-up")
        .args(flags)
        .assert()
        .success()
        .stdout(predicate::str::contains("`flex` is a CPU"));
}

/// On a machine without any driver for Vulkan or OpenGL.
#[cfg(feature = "wgpu")]
#[test]
fn a_gpu_that_is_not_there_is_an_error_of_one_line() {
    let nowhere = "/nowhere/driver.json";
    let flags = ["train", "--model", "resnet8", "--device", "wgpu"];
    let output = kd()
        .args(flags)
        .env("VK_DRIVER_FILES", nowhere)
        .env("VK_ICD_FILENAMES", nowhere)
        .env("__EGL_VENDOR_LIBRARY_FILENAMES", nowhere)
        .output()
        .expect("kd runs");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    // Mesa writes on standard error by itself.
    assert_eq!(
        message.lines().last(),
        Some(
            "error: device: `wgpu` cannot be used: this machine has no GPU that has a driver for \
             Vulkan, Metal or WebGPU"
        ),
        "{message}"
    );
    assert!(!message.contains("panicked"), "{message}");
}
