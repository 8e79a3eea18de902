//! `kd init`.

use std::fs;

use predicates::str::contains;
use tempfile::tempdir;

use super::printed;
use super::validator::errors;
use crate::common::kd;

#[test]
fn what_is_written_is_the_recipe_of_its_flags() {
    let folder = tempdir().expect("a folder");
    for (index, flags) in [
        &["--student", "resnet8"][..],
        &[
            "--student",
            "resnet20",
            "--epochs",
            "3",
            "--set",
            "optimizer.lr=0.2",
        ],
        &[
            "--student",
            "resnet8",
            "--method",
            "crd",
            "--teacher-weights",
            "/t.pth",
        ],
        &[
            "--student",
            "vgg8",
            "--routing",
            "adaptive",
            "--method",
            "at",
            "--teacher-weights",
            "/t.pth",
        ],
        &["--recipe", "kdrefine-cifar100-resnet56-resnet20-kdrefine"],
    ]
    .iter()
    .enumerate()
    {
        let file = folder.path().join(format!("recipe-{index}.yaml"));
        let path = file.display().to_string();
        let written = printed(&[&["init", &path][..], flags].concat());
        assert!(written.contains(&path), "{written}");
        let expected = printed(&[&["recipe"][..], flags].concat());
        assert_eq!(
            printed(&["recipe", "--config", &path]),
            expected,
            "{flags:?}"
        );
    }
}

#[test]
fn each_key_is_explained_and_the_schema_is_beside() {
    let folder = tempdir().expect("a folder");
    let init = || {
        let mut command = kd();
        command
            .current_dir(folder.path())
            .args(["init", "--with-schema"]);
        command
    };
    init().assert().success();
    let text = fs::read_to_string(folder.path().join("recipe.yaml")).expect("a recipe");
    let mode = "# yaml-language-server: $schema=recipe.schema.json";
    assert_eq!(text.lines().next(), Some(mode));
    let mut before = "";
    for line in text.lines().skip(4).filter(|line| !line.trim().is_empty()) {
        let is_comment = |line: &str| line.trim_start().starts_with('#');
        assert!(
            is_comment(line) || is_comment(before),
            "not explained: {line}"
        );
        before = line;
    }
    let schema = fs::read_to_string(folder.path().join("recipe.schema.json")).expect("a schema");
    assert_eq!(
        schema.trim_end(),
        printed(&["recipe", "--schema"]).trim_end()
    );
    let schema = serde_json::from_str(&schema).expect("JSON");
    let recipe = kd::train::from_yaml(&text).expect("YAML");
    assert_eq!(errors(&schema, &recipe), [""; 0]);

    // It is somebody's work now.
    fs::write(folder.path().join("recipe.yaml"), "mine").expect("a file");
    init()
        .assert()
        .code(2)
        .stderr(contains("recipe.yaml: the file exists already"));
    let kept = fs::read_to_string(folder.path().join("recipe.yaml"));
    assert_eq!(kept.expect("a file"), "mine");
}
