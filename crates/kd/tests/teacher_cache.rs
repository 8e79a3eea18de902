//! Keeping the teacher's outputs changes the time of a run and nothing else.

mod common;

use std::path::Path;

use common::{kd, metrics, tiny_run};
use tempfile::tempdir;

const IMAGES: usize = 40;
const EPOCHS: usize = 3;

/// Distills into `out`; returns the outputs taken from the cache and all of them, and what is kept.
fn distill(teacher: &Path, out: &Path, more: &[&str]) -> Option<(usize, usize, usize)> {
    let output = kd()
        .args(["distill", "--student", "resnet8", "--limit-test", "20"])
        .args(["--batch-size", "16", "--limit-train", &IMAGES.to_string()])
        .args(["--epochs", &EPOCHS.to_string(), "--teacher-weights"])
        .arg(teacher.join("student.safetensors"))
        .args(more)
        .arg("--out")
        .arg(out)
        .output()
        .expect("kd runs");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().find(|line| line.starts_with("teacher: "))?;
    let numbers: Vec<usize> = line
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .collect();
    match numbers[..] {
        [read, images, rows] => Some((read, images, rows)),
        _ => panic!("{line}"),
    }
}

#[test]
fn runs_with_a_cache_have_the_metrics_of_runs_without() {
    let folder = tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    let teacher = place("teacher");
    tiny_run(&teacher).assert().success();
    let plain = place("plain.yaml");
    std::fs::write(&plain, "augmentation: {kind: none}\n").expect("written");
    let mirror = place("mirror.yaml");
    std::fs::write(&mirror, "augmentation: {kind: crop_flip, pad: 0}\n").expect("written");
    let shared = place("outputs").display().to_string();

    let all = IMAGES * EPOCHS;
    for method in ["kd", "rkd"] {
        for (config, views) in [(&plain, 1), (&mirror, 2)] {
            let out = |run: &str| {
                let config = config.file_stem().expect("a name").to_string_lossy();
                place(&format!("{method}-{config}-{run}"))
            };
            let config = config.display().to_string();
            let run = |name: &str, more: &[&str]| {
                let common = ["--method", method, "--config", &config];
                distill(&teacher, &out(name), &[&common[..], more].concat())
            };
            assert_eq!(run("without", &[]), None);
            let expected = metrics(&out("without"));
            assert_eq!(expected.len(), EPOCHS);

            let (read, images, rows) =
                run("memory", &["--teacher-cache", "memory"]).expect("a line");
            assert_eq!((images, read), (all, all - rows));
            // Each view is computed once.
            assert!((IMAGES..=views * IMAGES).contains(&rows), "{rows}");
            assert!(read >= (EPOCHS - views) * IMAGES, "{read}");
            assert_eq!(metrics(&out("memory")), expected);

            let file = ["--teacher-cache", &shared];
            assert_eq!(run("first", &file), Some((read, all, rows)));
            assert_eq!(metrics(&out("first")), expected);
            // The same views, and the teacher has nothing to do.
            assert_eq!(run("second", &file), Some((all, all, rows)));
            assert_eq!(metrics(&out("second")), expected);

            let small = [&file[..], &["--teacher-cache-mb", "0"]].concat();
            assert_eq!(run("small", &small), Some((all, all, rows)));
            assert_eq!(metrics(&out("small")), expected);
        }
    }
}

#[test]
fn a_method_that_reads_maps_runs_without() {
    let folder = tempdir().expect("a folder");
    let teacher = folder.path().join("teacher");
    tiny_run(&teacher).assert().success();
    let out = folder.path().join("at");
    let more = ["--method", "at", "--teacher-cache", "memory"];
    assert_eq!(distill(&teacher, &out, &more), None);
    assert_eq!(metrics(&out).len(), EPOCHS);
}
