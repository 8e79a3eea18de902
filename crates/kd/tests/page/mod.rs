//! `kd report`: what stands on the page, and what it does without.

mod nesting;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::common::{kd, tiny_flags, tiny_run_with};
use super::reports::assert_one_line;

/// A teacher, a student alone and two distilled ones, in a folder.
fn runs() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let runs = folder.path().join("runs");
    let student = [("--epochs", "2"), ("--seed", "1")];
    let teacher = [("--model", "resnet14")];
    tiny_run_with(&runs.join("teacher"), &teacher)
        .assert()
        .success();
    tiny_run_with(&runs.join("alone"), &student)
        .assert()
        .success();
    for (name, routing) in [("kd", "always"), ("kd-adaptive", "adaptive")] {
        let flags = [("--epochs", "2"), ("--seed", "1"), ("--routing", routing)];
        let flags = tiny_flags(&flags);
        let flags = flags.into_iter().map(|flag| match flag {
            "--model" => "--student",
            flag => flag,
        });
        kd().args(["distill", "--method", "kd"])
            .args(flags)
            .arg("--teacher-weights")
            .arg(runs.join("teacher").join("student.safetensors"))
            .arg("--out")
            .arg(runs.join(name))
            .assert()
            .success();
    }
    (folder, runs)
}

/// The page of runs.
fn page(runs: &[&Path], flags: &[&str]) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("report.html");
    kd().arg("report")
        .args(runs)
        .args(flags)
        .arg("-o")
        .arg(&out)
        .assert()
        .success();
    let page = fs::read_to_string(out).expect("a page");
    nesting::check(&page);
    assert!(!page.contains("http"), "an address of a network");
    page
}

/// A section by its id.
fn section<'a>(page: &'a str, id: &str) -> &'a str {
    let start = page.find(&format!("<section id=\"{id}\">"));
    let rest = &page[start.unwrap_or_else(|| panic!("no section {id}"))..];
    &rest[..rest.find("</section>").expect("an end")]
}

#[track_caller]
fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in: {text}");
    }
}

#[test]
fn a_page_has_all_of_its_runs_and_says_what_is_missing() {
    let (folder, runs) = runs();
    let whole = page(&[&runs], &[]);
    assert_says(
        &whole,
        &["4 of 4 runs are complete", "<title>4 runs of distillation"],
    );
    let results = section(&whole, "results");
    assert_says(
        results,
        &[
            "resnet14 → resnet8 by KD, adaptive",
            "20 test images",
            "gain (points)",
        ],
    );
    assert_says(section(&whole, "settings"), &["0.9 kd", "0.1 ce", "flex"]);
    assert_says(
        section(&whole, "curves"),
        &["Learning rate", "data-plots", "kd-adaptive: loss"],
    );
    assert_says(
        section(&whole, "routing"),
        &["kd-adaptive by epoch", "kd-adaptive by class"],
    );
    assert_says(
        section(&whole, "predictions"),
        &["teacher</th>", "all 20 test images"],
    );
    assert!(!section(&whole, "predictions").contains("its records say"));
    assert_says(section(&whole, "agreement"), &["KL (nats)", "kd-adaptive"]);
    assert_says(section(&whole, "change"), &["alone (%)", "color-mix"]);
    assert_says(section(&whole, "calibration"), &["teacher: ", "<svg"]);
    assert_says(section(&whole, "features"), &["t-SNE", "stroke-linecap"]);
    assert_says(section(&whole, "examples"), &["Fixed", "Broken"]);
    assert_says(
        section(&whole, "cost"),
        &["78\u{202f}042", "MACs an image (M)"],
    );
    assert_says(
        section(&whole, "recipes"),
        &["kd distill --config", "name: procedural"],
    );
    // The same runs make the same page.
    assert_eq!(whole, page(&[&runs], &[]));

    // Few images, and a baseline by name.
    let alone = runs.join("alone");
    let flags = ["--images", "10", "--baseline", &alone.display().to_string()];
    let few = page(&[&runs.join("kd")], &flags);
    assert_says(
        section(&few, "predictions"),
        &["10 of the test images, at equal distances"],
    );
    assert_says(section(&few, "predictions"), &["teacher resnet14"]);
    assert_says(section(&few, "routing"), &["No run chooses"]);

    // Without the teacher's weights, the runs are there all the same.
    fs::remove_dir_all(runs.join("teacher")).expect("a folder");
    let left = page(&[&runs], &[]);
    assert_says(
        section(&left, "agreement"),
        &["no teacher:", "student.safetensors"],
    );
    assert_says(section(&left, "change"), &["color-mix"]);

    // A run that was stopped, one whose recipe is damaged, and nobody to compare with.
    fs::remove_file(runs.join("kd").join("result.json")).expect("a file");
    fs::write(runs.join("kd-adaptive").join("recipe.yaml"), "data: [").expect("a file");
    fs::remove_dir_all(&alone).expect("a folder");
    let left = page(&[&runs], &["--no-predictions"]);
    assert_says(&left, &["Could not be read: ", "0 of 1 runs are complete"]);
    assert_says(
        section(&left, "results"),
        &["stopped after epoch 2 of 2", "No gain of kd"],
    );
    assert_says(section(&left, "predictions"), &["--no-predictions"]);
    drop(folder);
}

#[test]
fn without_a_run_there_is_no_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("report.html");
    let report = |runs: &Path| {
        let command = kd().arg("report").arg(runs).arg("-o").arg(&out).output();
        command.expect("kd runs")
    };
    assert_one_line(&report(&folder.path().join("none")), &["none"]);
    let empty = folder.path().join("empty");
    fs::create_dir(&empty).expect("a folder");
    assert_one_line(&report(&empty), &["empty", "no runs (recipe.yaml)"]);
    fs::write(empty.join("recipe.yaml"), "data: [").expect("a file");
    assert_one_line(
        &report(&empty),
        &["none of the 1 runs can be read", "recipe.yaml"],
    );
    assert!(!out.exists());
}
