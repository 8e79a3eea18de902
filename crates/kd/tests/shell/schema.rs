//! The JSON Schema of recipes takes what the reader takes, and refuses what it refuses.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::tempdir;

use super::validator::errors;
use super::{document, printed};
use crate::common::kd;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[test]
fn recipes_of_the_catalog_fit() {
    let schema = document(&["recipe", "--schema"]);
    let names = printed(&["recipes", "--names"]);
    let mut studies = std::collections::BTreeSet::new();
    for name in names.lines().step_by(97) {
        studies.insert(name.split('-').next());
        let recipe = document(&["recipes", "show", name, "--json"]);
        assert_eq!(errors(&schema, &recipe), [""; 0], "{name}");
    }
    assert!(studies.len() > 3, "{studies:?}");
}

#[test]
fn recipes_of_the_documentation_fit() {
    let schema = document(&["recipe", "--schema"]);
    let mut texts = Vec::new();
    for folder in [
        "",
        "docs/book/src",
        "docs/book/src/crates",
        "docs/book/src/migrating",
        "benches/tables",
        "benches/kill",
    ] {
        texts.extend(yaml_in(&Path::new(ROOT).join(folder)));
    }
    let mut checked = 0;
    for (place, text) in texts {
        // Parts of recipes and other files are shown too.
        let Ok(Value::Object(mut found)) = kd::train::from_yaml::<Value>(&text) else {
            continue;
        };
        let is_sweep = ["base", "cells", "matrix"]
            .iter()
            .any(|key| found.contains_key(*key));
        let recipe = match is_sweep {
            true => found.remove("base").unwrap_or_default(),
            false => Value::Object(found),
        };
        let sections = schema["properties"].as_object().expect("sections");
        let keys = recipe.as_object().into_iter().flatten();
        if keys.into_iter().any(|(key, _)| sections.contains_key(key)) {
            assert_eq!(errors(&schema, &recipe), [""; 0], "{place}: {text}");
            checked += 1;
        }
    }
    assert!(checked >= 6, "{checked}");
}

/// YAML files in a folder, and blocks of YAML in its pages.
fn yaml_in(folder: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let place = path.display().to_string();
        let text = || fs::read_to_string(&path).expect("text");
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("yaml") => found.push((place, text())),
            Some("md") => {
                let text = text();
                let blocks = text.split("```yaml").skip(1);
                // Behind the language come tags.
                let blocks = blocks.filter_map(|block| block.split_once('\n'));
                let blocks =
                    blocks.filter_map(|(_, block)| Some(block.split_once("```")?.0.to_owned()));
                found.extend(blocks.map(|block| (place.clone(), block)));
            }
            _ => {}
        }
    }
    found
}

/// The same mistakes are refused by the reader.
#[test]
fn mistakes_do_not_fit() {
    let schema = document(&["recipe", "--schema"]);
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("recipe.yaml");
    for (text, place) in [
        ("nonsense: 1", ": additionalProperties"),
        ("train: { epoch: 3 }", ".train: additionalProperties"),
        ("train: { epochs: many }", ".train.epochs: type"),
        ("train: { epochs: -3 }", ".train.epochs: minimum"),
        ("student: { network: resnet9 }", ".student.network: anyOf"),
        ("optimizer: { name: rmsprop }", ".optimizer.name: oneOf"),
        ("optimizer: { betas: [0.9] }", ".optimizer.betas: minItems"),
        (
            "losses: [{ name: at, weight: 1, q: 2 }]",
            ".losses.0: oneOf",
        ),
        ("losses: [{ name: magic, weight: 1 }]", ".losses.0: oneOf"),
        ("losses: [{ name: at }]", ".losses.0: oneOf"),
        (
            "augmentation: { kind: crop_flip, pads: 3 }",
            ".augmentation: anyOf",
        ),
        (
            "data: { normalization: cifar }",
            ".data.normalization: anyOf",
        ),
        ("routing: { cuts: 3 }", ".routing.cuts: anyOf"),
    ] {
        let recipe = kd::train::from_yaml(text).expect("YAML");
        assert_eq!(errors(&schema, &recipe), [place], "{text}");
        fs::write(&file, text).expect("a file");
        let output = kd().args(["recipe", "--config"]).arg(&file).output();
        assert_eq!(output.expect("kd runs").status.code(), Some(2), "{text}");
    }
}
