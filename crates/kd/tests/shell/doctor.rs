//! `kd doctor`.

use serde_json::Value;

use super::{document, printed};
use crate::common::kd;

fn check<'a>(report: &'a Value, topic: &str) -> &'a Value {
    let checks = report["checks"].as_array().expect("checks");
    let found = checks.iter().find(|check| check["topic"] == topic);
    found.unwrap_or_else(|| panic!("no {topic}: {report}"))
}

#[test]
fn the_build_and_the_machine_are_described() {
    let report = document(&["doctor", "--json"]);
    assert_eq!(report["status"], "note", "a debug build: {report}");
    let versions = &check(&report, "versions")["values"];
    assert_eq!(versions["kd"], env!("CARGO_PKG_VERSION"));
    assert!(
        versions["burn"]
            .as_str()
            .is_some_and(|v| v.starts_with("0."))
    );
    assert!(
        versions["rustc"]
            .as_str()
            .is_some_and(|v| v.starts_with("rustc "))
    );
    assert!(check(&report, "threads")["values"]["threads"].as_u64() > Some(0));
    assert!(check(&report, "memory")["values"]["free_mib"].as_u64() > Some(0));
    assert!(check(&report, "disk")["values"]["free_mib"].is_u64());
    for topic in ["build", "device", "SIMD", "terminal"] {
        check(&report, topic);
    }
    let text = printed(&["doctor"]);
    assert!(text.contains("note     build"), "{text}");
    assert!(text.contains("→ build with --release"), "{text}");
}

#[test]
fn data_sets_caches_and_variables_are_found() {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/datasets");
    let report = document(&[
        "doctor",
        "--json",
        "--root",
        &format!("{data}/cifar-100-binary"),
    ]);
    let sets = &check(&report, "data")["values"]["data_sets"];
    assert_eq!(*sets, serde_json::json!(["cifar100"]));
    let missing = document(&["doctor", "--json", "--root", "/nowhere"]);
    let missing = check(&missing, "data");
    assert_eq!(missing["status"], "note");
    assert!(
        missing["advice"]
            .as_str()
            .is_some_and(|advice| advice.contains("--root"))
    );

    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("rows"), [0; 1000]).expect("a file");
    let output = kd()
        .args(["doctor", "--json", "--teacher-cache"])
        .arg(folder.path())
        .env("KD_SIMD", "sse")
        .env("KD_GPU_CACHE", "/nowhere/kernels")
        .output()
        .expect("kd runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(check(&report, "teacher cache")["values"]["bytes"], 1000);
    if cfg!(any(feature = "cuda", feature = "wgpu")) {
        let kernels = &check(&report, "GPU cache")["values"]["folder"];
        assert_eq!(*kernels, "/nowhere/kernels");
    }
    let environment = check(&report, "environment");
    assert_eq!(environment["status"], "note");
    assert_eq!(environment["values"]["variables"]["KD_SIMD"], "sse");
}
