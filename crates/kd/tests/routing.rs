//! Choosing where to distill, on the command line: runs, what they write, figures, questions to the
//! policy, and mistakes.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::assert::Assert;
use common::{kd, metrics, tiny_run};
use predicates::prelude::*;
use tempfile::{TempDir, tempdir};

/// A folder with a trained teacher.
fn with_teacher() -> (TempDir, PathBuf) {
    let folder = tempdir().expect("a folder");
    let teacher = folder.path().join("teacher");
    tiny_run(&teacher).assert().success();
    let weights = teacher.join("student.safetensors");
    (folder, weights)
}

/// `kd distill` of a resnet8 on 40 images for two epochs.
fn distill(weights: &Path, out: &Path, special: &[&str]) -> Assert {
    let resnet8 = ["--student", "resnet8", "--epochs", "2"];
    distill_into(weights, out, &[&resnet8, special].concat())
}

/// `kd distill` on 40 images.
fn distill_into(weights: &Path, out: &Path, special: &[&str]) -> Assert {
    kd().args(["distill", "--limit-train", "40", "--limit-test", "20"])
        .args(["--batch-size", "16", "--teacher-weights"])
        .arg(weights)
        .arg("--out")
        .arg(out)
        .args(special)
        .assert()
}

#[test]
fn every_routing_runs_and_says_what_it_distilled() {
    let (folder, weights) = with_teacher();
    let run = |special: &[&str]| {
        let out = folder.path().join(special.join("").replace([',', '-'], ""));
        distill(&weights, &out, special).success();
        (metrics(&out).join("\n"), out)
    };
    let (text, out) = run(&["--method", "at", "--routing", "always"]);
    assert!(!text.contains("distilled") && !out.join("routing.json").exists());

    for routing in ["adaptive", "anti", "random", "joint"] {
        let (text, out) = run(&["--method", "at", "--routing", routing]);
        let policy = routing != "random";
        assert_eq!(text.contains("\"routing\":"), policy, "{routing}: {text}");
        assert_eq!(text.matches("\"distilled\":[").count(), 2, "{routing}");
        let record = fs::read_to_string(out.join("routing.json")).expect("a record");
        let record: serde_json::Value = serde_json::from_str(&record).expect("JSON");
        assert_eq!(record["routing"], routing);
        let spots = ["stage 1", "stage 2", "stage 3", "logits"];
        assert_eq!(record["spots"], serde_json::json!(spots));
        assert_eq!(record["epochs"].as_array().map(Vec::len), Some(2));
        assert_eq!(record["by_class"].as_array().map(Vec::len), Some(10));
        // Attention transfer has no loss of logits.
        assert_eq!(
            record["distills"],
            serde_json::json!([true, true, true, false])
        );
        let teacher = out.join("teacher.safetensors");
        assert_eq!(teacher.exists(), routing == "joint", "{routing}");
        if teacher.exists() {
            let eval = kd()
                .args(["eval", "--limit-test", "20", "--weights"])
                .arg(teacher)
                .assert();
            eval.success();
        }
    }

    let gates = "true,false,true,false";
    let fixed = [
        "--method",
        "at",
        "--routing",
        "fixed",
        "--routing-gates",
        gates,
    ];
    let (text, _) = run(&fixed);
    assert!(text.contains("\"distilled\":[1.0,0.0,1.0,0.0]"), "{text}");
    let certain = [
        "--method",
        "kd",
        "--routing",
        "random",
        "--routing-probability",
        "1",
    ];
    let (text, _) = run(&certain);
    assert!(text.contains("\"distilled\":[1.0,1.0]"), "{text}");
}

/// The teacher is tested after each epoch, and written as the network that was tested.
#[test]
fn a_teacher_that_is_trained_with_the_student_is_tested_and_written() {
    let (folder, weights) = with_teacher();
    let out = folder.path().join("joint");
    let joint = ["--method", "at", "--routing", "joint"];
    let sakd = ["-a", "1", "--routing-convention", "sakd"];
    distill(&weights, &out, &[joint.as_slice(), &sakd].concat()).success();
    let epochs: Vec<serde_json::Value> = metrics(&out)
        .into_iter()
        .map(|line| serde_json::from_str(&format!("{line}}}")).expect("JSON"))
        .collect();
    assert_eq!(epochs.len(), 2);
    for epoch in &epochs {
        let term = epoch["train"]["terms"]["teacher ce"].as_f64();
        assert!(term.is_some_and(f64::is_finite), "{epoch}");
    }
    let eval = kd()
        .args(["eval", "--json", "--limit-test", "20", "--weights"])
        .arg(out.join("teacher.safetensors"))
        .output()
        .expect("kd runs");
    let tested: serde_json::Value = serde_json::from_slice(&eval.stdout).expect("JSON");
    assert!(tested["top1"].is_number());
    assert_eq!(epochs[1]["teacher_top1"], tested["top1"]);
    // Its policy is asked with this teacher.
    let route = kd()
        .args(["route", "--images", "0", "--run"])
        .arg(&out)
        .assert();
    route.success();

    let random = ["--method", "at", "--routing", "random", "-a", "1"];
    let gamma = ["--routing-convention", "sakd", "--routing-gamma", "2"];
    let out = folder.path().join("random");
    distill(&weights, &out, &[random.as_slice(), &gamma].concat()).success();
    for line in metrics(&out) {
        let epoch: serde_json::Value = serde_json::from_str(&format!("{line}}}")).expect("JSON");
        let shares = &epoch["train"]["distilled"];
        assert_eq!(shares[2], shares[3], "{line}");
        let term = |name: &str| epoch["train"]["terms"][name].as_f64().expect("a term");
        let sum = 2.0 * term("ce") + term("kd") + 1000.0 * term("at");
        let loss = epoch["train"]["loss"].as_f64().expect("a loss");
        assert!((loss - sum).abs() < 1e-4 * sum, "{line}");
    }
}

#[test]
fn a_probability_of_one_is_standard_distillation() {
    let (folder, weights) = with_teacher();
    let losses = |name: &str, special: &[&str]| -> Vec<f64> {
        let out = folder.path().join(name);
        distill(&weights, &out, &[&["--method", "at"], special].concat()).success();
        let loss = |line: String| {
            // `metrics` leaves out the wall time, which is the last field.
            let line: serde_json::Value = serde_json::from_str(&format!("{line}}}")).expect("JSON");
            line["train"]["loss"].as_f64().expect("a number")
        };
        metrics(&out).into_iter().map(loss).collect()
    };
    let standard = losses("standard", &[]);
    let certain = losses(
        "certain",
        &["--routing", "random", "--routing-probability", "1"],
    );
    assert_eq!(standard.len(), 2);
    for (certain, standard) in certain.iter().zip(&standard) {
        assert!(
            (certain - standard).abs() < 1e-4 * standard,
            "{certain} {standard}"
        );
    }
}

#[test]
fn a_run_is_drawn_and_its_policy_is_asked() {
    let (folder, weights) = with_teacher();
    let out = folder.path().join("run");
    distill(
        &weights,
        &out,
        &["--method", "hint", "--routing", "adaptive"],
    )
    .success();

    kd().arg("plot")
        .arg(&out)
        .assert()
        .success()
        .stdout(predicate::str::contains("curves"));
    for figure in ["curves", "routing-epochs", "routing-classes"] {
        let path = |format| out.join("plots").join(figure).with_extension(format);
        let svg = fs::read_to_string(path("svg")).expect("SVG");
        assert!(svg.contains("<svg") && svg.len() > 1000, "{figure}");
        assert!(
            fs::read(path("png")).expect("PNG").starts_with(b"\x89PNG"),
            "{figure}"
        );
    }
    // A run without routing has curves only.
    let teacher = folder.path().join("teacher");
    let elsewhere = folder.path().join("figures");
    kd().arg("plot")
        .arg(&teacher)
        .arg("--out")
        .arg(&elsewhere)
        .assert()
        .success();
    assert_eq!(fs::read_dir(&elsewhere).expect("figures").count(), 2);

    let route = |special: &[&str]| {
        let mut command = kd();
        command.args(["route", "--run"]).arg(&out).args(special);
        command.assert()
    };
    route(&["--images", "3,5"]).success().stdout(
        predicate::str::contains("image 3")
            .and(predicate::str::contains("image 5"))
            .and(predicate::str::contains("stage 2"))
            .and(predicate::str::contains("all 20 images")),
    );
    let output = route(&["--json", "--train", "--limit-train", "7"]).success();
    let report: serde_json::Value =
        serde_json::from_slice(&output.get_output().stdout).expect("JSON");
    let images = report["images"].as_array().expect("images");
    assert_eq!(images.len(), 7);
    for image in images {
        let probabilities = image["probabilities"].as_array().expect("numbers");
        assert_eq!(probabilities.len(), 2);
        let likely = |p: &serde_json::Value| p.as_f64().is_some_and(|p| (0.0..=1.0).contains(&p));
        assert!(probabilities.iter().all(likely));
    }

    let fails = |assert: Assert, part: &str| {
        assert
            .code(2)
            .stderr(
                predicate::str::contains(part).and(predicate::function(|text: &str| {
                    text.trim_end().lines().count() == 1
                })),
            );
    };
    fails(
        route(&["--images", "20"]),
        "20 is out of range: there are 20 images",
    );
    let run = |command: &str, path: &Path| kd().arg(command).args(["--run"]).arg(path).assert();
    fails(
        run("route", &teacher),
        "`routing.mode: always` has no policy to query",
    );
    fails(run("route", folder.path()), "not a run directory");
    fails(
        kd().arg("plot").arg(folder.path()).assert(),
        "not a run directory",
    );
}

#[test]
fn networks_of_other_families_are_distilled_stage_by_stage() {
    let (folder, weights) = with_teacher();
    for (student, method) in [("vgg8", "at"), ("vgg8", "ofd"), ("mobilenetv2", "nst")] {
        let out = folder.path().join(format!("{student}-{method}"));
        distill_into(
            &weights,
            &out,
            &[
                "--student",
                student,
                "--method",
                method,
                "--routing",
                "adaptive",
                "--epochs",
                "1",
            ],
        )
        .success();
    }
}

#[test]
fn mistakes_are_one_line_and_write_nothing() {
    let (folder, weights) = with_teacher();
    let out = folder.path().join("out");
    let fails = |special: &[&str], parts: &[&str]| {
        let assert = distill(&weights, &out, special).code(2);
        let error = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
        assert_eq!(error.trim_end().lines().count(), 1, "{special:?}: {error}");
        for part in parts {
            assert!(error.contains(part), "{special:?}: {error}");
        }
        assert!(!out.exists(), "{special:?}");
    };
    let at = |special: &[&'static str]| [&["--method", "at"], special].concat();
    fails(
        &at(&["--routing", "adaptiv"]),
        &["routing.mode", "`adaptiv`", "`adaptive`, `anti`"],
    );
    fails(
        &at(&["--routing-gamma", "2"]),
        &["routing.gamma", "with routing.mode: always"],
    );
    fails(
        &at(&["--routing", "random", "--routing-probability", "1.5"]),
        &["routing.probability is 1.5", "from 0 to 1"],
    );
    fails(
        &at(&["--routing", "adaptive", "--routing-temperature", "0"]),
        &["routing.temperature is 0"],
    );
    fails(&at(&["--routing", "fixed"]), &["routing.gates is missing"]);
    fails(
        &at(&["--routing", "fixed", "--routing-gates", "true"]),
        &[
            "routing.gates is [true]",
            "each spot: stage 1, stage 2, stage 3, logits",
        ],
    );
    fails(
        &at(&["--routing", "joint", "--teacher-cache", "memory"]),
        &["teacher.cache"],
    );
    let sakd = ["--routing-convention", "sakd"];
    fails(
        &at(&[
            &["--routing", "joint", "--scheduler", "cosine"],
            sakd.as_slice(),
        ]
        .concat()),
        &["routing.convention: sakd", "without milestones"],
    );
    fails(
        &at(&[&["--routing", "adaptive"], sakd.as_slice()].concat()),
        &["routing.convention cannot be used with routing.mode: adaptive"],
    );
    fails(
        &at(&["--routing", "adaptive", "--routing-cuts", "9:9"]),
        &["[9]", "no such stage"],
    );
    fails(
        &at(&["--routing", "adaptive", "--routing-cuts", "2:1,1:2"]),
        &["[2, 1] of the student", "after the one before"],
    );
    fails(
        &at(&["--routing", "adaptive", "--routing-cuts", "4:1"]),
        &["before their pooling"],
    );
    fails(
        &at(&["--routing", "random", "--routing-cuts", "9:9"]),
        &["[9]", "no such stage"],
    );
    fails(
        &at(&["--routing", "adaptive", "--routing-cuts", "here"]),
        &["routing.cuts is `here`"],
    );

    fails(
        &at(&["--routing", "adaptive", "-b", "0"]),
        &["routing.mode: adaptive", "needs a distillation term"],
    );
    fails(
        &["--method", "srrl", "--routing", "joint"],
        &["routing.mode: joint", "`srrl`", "copies teacher weights"],
    );
    // A comparison says so before anything runs.
    fails(
        &["--routing", "fixed", "--routing-gates", "true"],
        &["routing.mode: fixed"],
    );
    fails(
        &["--routing", "always", "--routing-gamma", "2"],
        &["routing.gamma"],
    );
    fails(&["--routing-probability", "0.3"], &["routing.probability"]);

    let args = [
        "train",
        "--model",
        "resnet8",
        "--limit-train",
        "40",
        "--config",
    ];
    let recipe = folder.path().join("recipe.yaml");
    fs::write(&recipe, "routing: { mode: adaptive }\n").expect("a recipe");
    let alone = kd().args(args).arg(&recipe).arg("--out").arg(&out).assert();
    alone
        .code(2)
        .stderr(predicate::str::contains("teacher.weights is missing"));
}
