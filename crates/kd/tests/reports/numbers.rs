//! Numbers that nobody means.

use std::process::Output;

use tempfile::tempdir;

use super::assert_one_line;
use crate::common::{kd, tiny_run_with};

const VALUES: [&str; 9] = [
    "0",
    "1",
    "-1",
    "9223372036854775807",
    "18446744073709551615",
    "18446744073709551616",
    "1e308",
    "nan",
    "inf",
];

/// An end with success, or with one line.
#[track_caller]
fn assert_orderly(output: &Output, args: &[&str]) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!message.contains("panicked"), "{args:?}: {message}");
    match output.status.code() {
        Some(0) => {}
        Some(2) => assert_eq!(message.trim_end().lines().count(), 1, "{args:?}: {message}"),
        other => panic!("{args:?}: {other:?}: {message}"),
    }
}

/// `--epochs 18446744073709551615` panicked.
#[test]
fn report_no_number_of_a_flag_panics() {
    let adaptive = [
        "--routing",
        "adaptive",
        "--teacher-weights",
        "t.pth",
        "--student",
        "resnet8",
    ];
    for flag in [
        "--epochs",
        "--batch-size",
        "--limit-train",
        "--limit-test",
        "--threads",
        "--workers",
        "--seed",
        "--lr",
        "--gamma",
        "--momentum",
        "--weight-decay",
        "--dev-split",
        "--milestones",
        "--temperature",
        "--standardize",
        "--weight-ce",
        "--weight-kd",
        "--weight-method",
        "--teacher-cache-mib",
        "--pretrain-epochs",
        "--routing-temperature",
        "--routing-gamma",
        "--routing-bias",
        "--routing-lr",
        "--routing-weight-decay",
    ] {
        for value in VALUES {
            let method = if flag == "--pretrain-epochs" {
                "ft"
            } else {
                "at"
            };
            let given = format!("{flag}={value}");
            let args = ["recipe", "--method", method, &given];
            let args = [&args[..], &adaptive].concat();
            assert_orderly(&kd().args(&args).output().expect("kd runs"), &args);
        }
    }
    for value in VALUES {
        let shard = format!("{value}/{value}");
        let jobs = format!("--jobs={value}");
        for args in [
            &["sweep", "kdrefine", "--data", "procedural", "--list", &jobs][..],
            &[
                "sweep",
                "kdrefine",
                "--data",
                "procedural",
                "--list",
                "--epochs",
                value,
            ],
            &[
                "sweep",
                "kdrefine",
                "--data",
                "procedural",
                "--list",
                "--seeds",
                value,
            ],
            &[
                "sweep",
                "kdrefine",
                "--data",
                "procedural",
                "--list",
                "--shard",
                &shard,
            ],
            &[
                "sweep",
                "kdrefine",
                "--data",
                "procedural",
                "--emit",
                "slurm",
                "--shards",
                value,
            ],
            &["models", "resnet8", "--classes", value],
            &["models", "resnet8", "--size", value],
        ] {
            assert_orderly(&kd().args(args).output().expect("kd runs"), args);
        }
    }
    let jobs = kd().args(["sweep", "kdrefine", "--jobs", "0"]).output();
    assert_one_line(&jobs.expect("kd runs"), &["--jobs"]);
    let epochs = [
        "recipe",
        "--student",
        "resnet8",
        "--epochs",
        "18446744073709551615",
    ];
    let epochs = kd().args(epochs).output().expect("kd runs");
    assert_one_line(&epochs, &["train.epochs", "at most 1000000"]);
}

/// What a recipe may say runs, too.
#[test]
fn report_the_largest_numbers_that_are_allowed_run() {
    let folder = tempdir().expect("a folder");
    for (index, (flag, value)) in [
        ("--batch-size", "1048576"),
        ("--limit-train", "18446744073709551615"),
        ("--limit-test", "18446744073709551615"),
        ("--seed", "18446744073709551615"),
        ("--workers", "1024"),
    ]
    .into_iter()
    .enumerate()
    {
        let out = folder.path().join(index.to_string());
        let output = tiny_run_with(&out, &[(flag, value)])
            .output()
            .expect("kd runs");
        assert_orderly(&output, &[flag, value]);
        assert!(output.status.success(), "{flag} {value}: {output:?}");
    }
    let weights = folder.path().join("0/student.safetensors");
    for value in VALUES {
        let batch = format!("--batch-size={value}");
        let args = ["eval", "--limit-test", "20", &batch, "--weights"];
        let output = kd().args(args).arg(&weights).output().expect("kd runs");
        assert_orderly(&output, &args);
    }
}
