//! Messages speak of what the user wrote.

use std::fs;

use kd::train::from_yaml;
use serde_json::Value;
use tempfile::tempdir;

use super::assert_one_line;
use crate::common::kd;

/// A message of the YAML parser advised to set one of its own options.
#[test]
fn report_a_key_that_a_file_has_twice_is_named_without_an_option_of_a_library() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("twice.yaml");
    for (command, text, parts) in [
        (
            "recipe --config",
            "train:\n  epochs: 1\n  epochs: 2\n",
            ["epochs", "line 3"],
        ),
        ("sweep", "seeds: [0]\nseeds: [1]\n", ["seeds", "line 2"]),
    ] {
        fs::write(&file, text).expect("a file");
        let output = kd()
            .args(command.split(' '))
            .arg(&file)
            .output()
            .expect("kd runs");
        assert_one_line(&output, &["twice.yaml", parts[0], parts[1]]);
        let message = String::from_utf8_lossy(&output.stderr);
        for word in ["Policy", "Options", "DuplicateKey"] {
            assert!(!message.contains(word), "{message}");
        }
    }
    let method = "{ name: at, p: 1, p: 2 }";
    let output = kd().args(["distill", "--method", method]).output();
    let output = output.expect("kd runs");
    assert_one_line(&output, &["--method", "duplicate mapping key: p "]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("Options"));
}

/// There was a way in a file only.
#[test]
fn report_an_empty_list_of_milestones_is_a_value_of_the_flag() {
    for list in ["none", ""] {
        let args = ["recipe", "--student", "resnet8", "--milestones", list];
        let output = kd().args(args).output().expect("kd runs");
        let recipe = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{output:?}");
        assert!(recipe.contains("milestones: []"), "{recipe}");
    }
}

#[test]
fn report_no_message_of_a_file_speaks_of_an_option_of_the_parser() {
    for text in [
        "a: 1\na: 2",
        "a: !!binary x",
        "a: *b",
        "a: [",
        "a: 1\n---\nb: 2",
        "a: &x [*x]",
    ] {
        let Err(error) = from_yaml::<Value>(text) else {
            continue;
        };
        let options = ["Options", "Policy", "Option<", "set "];
        assert!(!options.iter().any(|word| error.contains(word)), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    let error = from_yaml::<Value>("a: [").expect_err("no YAML");
    assert!(error.contains("line 1"), "{error}");
}
