//! Sweeps: shared, killed, continued, and with cells that fail.

mod common;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::{kd, tiny_run};
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use tempfile::tempdir;

/// A teacher, a student alone with two seeds, and a method both ways with two seeds.
const SWEEP: &str = "
base:
  data: { name: procedural, limit_train: 40, limit_test: 20, batch_size: 16 }
  train: { epochs: 2 }
seeds: [0, 1]
cells:
  - { name: alone, set: { student: { network: resnet8 } } }
matrix:
  - { teacher: resnet8x4, student: resnet8, methods: [kd], routing: [always, adaptive] }
";

/// The cells of it.
const CELLS: [&str; 7] = [
    "alone-seed0",
    "alone-seed1",
    "resnet8x4-resnet8-kd-adaptive-seed0",
    "resnet8x4-resnet8-kd-adaptive-seed1",
    "resnet8x4-resnet8-kd-always-seed0",
    "resnet8x4-resnet8-kd-always-seed1",
    "resnet8x4-seed0",
];

fn written(folder: &Path, text: &str) -> String {
    let path = folder.join("sweep.yaml");
    fs::write(&path, text).expect("a file");
    path.display().to_string()
}

/// A sweep in a process of its own, with its progress in a file.
fn started(file: &str, out: &Path, log: &Path) -> Child {
    Command::new(env!("CARGO_BIN_EXE_kd"))
        .args(["sweep", file, "--out"])
        .arg(out)
        .stdout(Stdio::null())
        .stderr(fs::File::create(log).expect("a file"))
        .spawn()
        .expect("kd runs")
}

fn table(out: &Path) -> String {
    let output = kd().args(["table", "--report", "both"]).arg(out).output();
    let output = output.expect("kd runs");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

fn runs(out: &Path) -> Vec<String> {
    let entries = fs::read_dir(out).expect("a folder");
    let mut names: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

#[test]
fn a_killed_and_a_shared_sweep_come_to_the_table_of_an_undisturbed_one() {
    let folder = tempdir().expect("a folder");
    let file = written(folder.path(), SWEEP);
    let whole = folder.path().join("whole");
    kd().args(["sweep", &file, "--jobs", "2", "--out"])
        .arg(&whole)
        .assert()
        .success()
        .stdout(contains("resnet8x4").and(contains("of 2 runs")));
    assert_eq!(runs(&whole), CELLS);
    let expected = table(&whole);

    // Killed when the second cell is there, with its process.
    let killed = folder.path().join("killed");
    let mut sweep = started(&file, &killed, &folder.path().join("killed.log"));
    while !killed.join(CELLS[1]).join("recipe.yaml").exists() {
        sleep(Duration::from_millis(5));
        assert_eq!(sweep.try_wait().expect("a state"), None);
    }
    sweep.kill().expect("a signal");
    sweep.wait().expect("an end");
    assert!(table(&killed).contains("not started"));

    // Two sweeps at once take it from there.
    let logs = ["first.log", "second.log"].map(|name| folder.path().join(name));
    let mut sweeps = logs.clone().map(|log| started(&file, &killed, &log));
    for sweep in &mut sweeps {
        assert!(sweep.wait().expect("an end").success());
    }
    assert_eq!(table(&killed), expected);
    let log: String = logs
        .iter()
        .map(|log| fs::read_to_string(log).expect("a log"))
        .collect();
    for cell in &CELLS[1..] {
        let starts = log
            .lines()
            .filter(|line| *line == format!("started {cell}"));
        assert_eq!(starts.count(), 1, "{cell}: {log}");
    }
}

/// One cell on each of two devices at a time, and a run on two devices whose report is of one.
#[test]
fn devices_share_a_sweep_and_a_run() {
    let folder = tempdir().expect("a folder");
    let file = written(folder.path(), SWEEP);
    let out = folder.path().join("out");
    kd().args(["sweep", &file, "--devices", "flex,flex", "--out"])
        .arg(&out)
        .assert()
        .success();
    assert_eq!(runs(&out), CELLS);
    // The recipe of a cell says where it was computed.
    let recipe = out.join(CELLS[2]).join("recipe.yaml");
    let recipe = fs::read_to_string(recipe).expect("a recipe");
    assert!(recipe.contains("device: flex\n  devices: []\n"), "{recipe}");

    let run = folder.path().join("run");
    let weights = out.join("resnet8x4-seed0").join("student.safetensors");
    kd().args(["distill", "--student", "resnet8", "--method", "at"])
        .args(["--epochs", "1", "--limit-train", "40", "--limit-test", "20"])
        .args(["--batch-size", "16", "--devices", "flex,flex"])
        .arg("--teacher-weights")
        .arg(&weights)
        .arg("--out")
        .arg(&run)
        .assert()
        .success();
    // Whoever looks at it may have another device, and only one.
    kd().args(["report", "--device", "flex", "--output"])
        .arg(folder.path().join("report.html"))
        .arg(&run)
        .assert()
        .success();
}

/// One cell fails, and so does what needs it; all else is carried out, and the table says why.
#[test]
fn a_cell_that_fails_stops_no_other() {
    let folder = tempdir().expect("a folder");
    let text = "
base:
  data: { name: procedural, limit_train: 40, limit_test: 20, batch_size: 16 }
  train: { epochs: 1 }
cells:
  - { name: wild, set: { student: { network: resnet8 }, optimizer: { lr: 1.0e30 } } }
  - { name: of-wild, teacher: wild, set: { student: { network: resnet8 }, losses: [{ name: kd, weight: 1 }] } }
  - { name: tame, set: { student: { network: resnet8 } } }
";
    let file = written(folder.path(), text);
    let out = folder.path().join("out");
    let sweep = || {
        let mut command = kd();
        command.args(["sweep", &file, "--out"]).arg(&out);
        command
    };
    sweep()
        .assert()
        .code(2)
        .stderr(contains(
            "error: 2 of 3 cells failed, first wild-seed0: the loss",
        ))
        .stderr(contains(
            "of-wild-seed0: failed: needs the teacher wild-seed0, which failed",
        ))
        .stdout(contains("teacher failed"))
        .stdout(contains("wild-seed0: failed: the loss"));
    assert!(out.join("tame-seed0/result.json").exists());
    assert!(!out.join("of-wild-seed0").exists());
    let watched = contains("3 cells · 1 done · 2 failed")
        .and(contains("needs wild-seed0, which failed"))
        .and(contains("the loss `"));
    kd().arg("watch")
        .arg(&out)
        .assert()
        .success()
        .stdout(watched);

    // With another rate, which is another recipe, the folder is not touched.
    sweep()
        .args(["--set", "optimizer.lr=0.01"])
        .assert()
        .code(2)
        .stderr(contains(
            "contains a run of another recipe: `optimizer.lr` is",
        ));
    // The failed cell is tried again, the others are not.
    sweep()
        .arg("--list")
        .assert()
        .success()
        .stdout(contains("failed: the loss").and(contains("complete")));
    sweep()
        .assert()
        .code(2)
        .stderr(contains("1 of 3 cells are complete already"))
        .stderr(contains("started wild-seed0").and(contains("started tame").not()));
}

#[test]
fn shards_have_all_cells_and_the_teachers_that_they_need() {
    let folder = tempdir().expect("a folder");
    let file = written(folder.path(), SWEEP);
    let listed = |shard: &str| -> Vec<String> {
        let mut command = kd();
        command.args(["sweep", &file, "--list", "--shard", shard]);
        let output = command.output().expect("kd runs").stdout;
        let output = String::from_utf8(output).expect("text");
        let cells = CELLS.iter().filter(|cell| {
            let named = format!("│ {cell} ");
            output.lines().any(|line| line.starts_with(&named))
        });
        cells.map(|cell| (*cell).to_owned()).collect()
    };
    let (first, second) = (listed("1/2"), listed("2/2"));
    for cell in CELLS {
        let both = [&first, &second].map(|shard| shard.iter().any(|name| name == cell));
        assert!(both[0] || both[1], "{cell}");
        assert_eq!(both[0] && both[1], cell == "resnet8x4-seed0", "{cell}");
    }
    kd().args(["sweep", &file, "--emit", "slurm", "--shards", "2"])
        .assert()
        .success()
        .stdout(contains("#SBATCH --array=1-2\n"))
        .stdout(contains(format!(
            "exec kd sweep {file} --shard \"$SLURM_ARRAY_TASK_ID/2\""
        )));
    assert!(!Path::new("runs/sweep").exists());
}

#[test]
fn mistakes_in_a_sweep_are_found_before_anything_starts() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("out");
    let refused = |text: &str, message: &str| {
        let file = written(folder.path(), text);
        kd().args(["sweep", &file, "--out"])
            .arg(&out)
            .assert()
            .code(2)
            .stderr(contains(message));
        assert!(!out.exists());
    };
    refused(
        "seds: [1]",
        "sweep.yaml: unknown key `seds`; did you mean `seeds`?",
    );
    refused("{}", "no `cells` and no `matrix`");
    refused(
        "cells: [{ set: {} }]",
        "cells.0: needs a `recipe` of the catalog or a `name`",
    );
    refused(
        "cells: [{ name: a, set: { train: { epoch: 1 } } }]",
        "cells.0.set.train.epoch: unknown key `epoch`; did you mean `epochs`?",
    );
    refused(
        "cells: [{ name: a, teacher: nobody, set: { student: { network: resnet8 } } }]",
        "`a` has the teacher `nobody`, which is not a cell, recipe or network",
    );
    refused(
        "cells: [{ name: a, teacher: b }, { name: b, teacher: a }]",
        "needs itself as a teacher",
    );
    refused(
        "cells: [{ name: a }, { name: a }]",
        "two cells are named `a`",
    );
    refused(
        "matrix: [{ teacher: resnet8, student: resnet8, methods: [{ name: at, q: 2 }] }]",
        "matrix.0.methods.0: unknown field `q`",
    );
    refused("cells: [{ name: ../a }]", "cannot be the name of a cell");
    refused(
        "cells: [{ name: a, set: { train: { epochs: 0 } } }]",
        "a-seed0: train.epochs is 0, expected at least 1",
    );
    kd().args(["sweep", "sakd-cifar100"])
        .assert()
        .code(2)
        .stderr(contains("data.root is missing"));
    for devices in ["flex,tpu", "cuda:x,cuda:1"] {
        kd().args(["sweep", "sakd-cifar100", "--devices", devices])
            .assert()
            .code(2)
            .stderr(contains("error: device: "));
    }
    kd().args(["sweep", "sakd-cifar10", "--list"])
        .assert()
        .code(2)
        .stderr(contains("no recipe is named"));
}

/// A published table by its name: both variants that it has, and no others.
#[test]
fn a_published_table_is_a_sweep() {
    let folder = tempdir().expect("a folder");
    let list = |words: &[&str]| {
        let mut command = kd();
        command.arg("sweep").args(words).arg("--list");
        command.arg("--root").arg(folder.path());
        let output = command.output().expect("kd runs").stdout;
        let output = String::from_utf8(output).expect("text");
        output.lines().filter(|line| line.contains("sakd-")).count()
    };
    let table = kd::recipes::select(&["sakd-cifar100".to_owned()]).expect("recipes");
    let published = |variant: &str| matches!(variant, "alone" | "standard" | "adaptive");
    let count = table.iter().filter(|recipe| published(&recipe.variant));
    // Ten methods both ways on ten pairs are part of it.
    assert_eq!(list(&["sakd-cifar100"]), count.clone().count());
    assert!(count.count() > 200 && table.len() > 500);
    let at = ["sakd-cifar100", "resnet56", "at", "--seeds", "0,1,2"];
    // Both ways with three seeds, and the teacher once.
    assert_eq!(list(&at), 2 * 3 + 1);
    assert_eq!(list(&["sakd-cifar100", "resnet56", "at", "anti"]), 2);
}

#[test]
fn two_processes_on_one_run_refuse_each_other() {
    let folder = tempdir().expect("a folder");
    let out = folder.path().join("run");
    let mut first = Command::new(env!("CARGO_BIN_EXE_kd"))
        .args(["train", "--model", "resnet8", "--epochs", "50", "--out"])
        .arg(&out)
        .stdout(Stdio::null())
        .spawn()
        .expect("kd runs");
    while !out.join("metrics.jsonl").exists() {
        sleep(Duration::from_millis(5));
        assert_eq!(first.try_wait().expect("a state"), None);
    }
    kd().args([
        "train", "--model", "resnet8", "--epochs", "50", "--resume", "--out",
    ])
    .arg(&out)
    .assert()
    .code(2)
    .stderr(contains("another process is running it"));
    first.kill().expect("a signal");
    first.wait().expect("an end");
    tiny_run(&folder.path().join("other")).assert().success();
}
