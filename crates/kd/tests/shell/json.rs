//! One JSON document on standard output, and everything else on standard error.

use serde_json::Value;
use tempfile::tempdir;

use super::{document, printed};
use crate::common::{tiny_flags, tiny_run};

#[test]
fn registries_are_documents() {
    let models = document(&["models", "--json"]);
    let first = &models.as_array().expect("a list")[0];
    let name = first["name"].as_str().expect("a name");
    assert_eq!(document(&["models", name, "--json"]), *first);

    let methods = document(&["methods", "--json"]);
    let methods = methods.as_array().expect("a list");
    let at = document(&["methods", "at", "--json"]);
    assert!(methods.contains(&at));
    assert_eq!(
        (&at["name"], &at["defaults"]["p"]),
        (&"at".into(), &2.into())
    );

    let devices = document(&["devices", "--json"]);
    assert!(devices[0]["name"].is_string() && devices[0].get("memory_bytes").is_some());

    let recipes = document(&["recipes", "sakd-cifar100", "resnet56", "at", "--json"]);
    let recipe = &recipes.as_array().expect("a list")[0];
    assert!(
        recipe["published"][0]["top1"].as_f64() > Some(50.0),
        "{recipe}"
    );
    let name = recipe["name"].as_str().expect("a name");
    let shown = document(&["recipes", "show", name, "--json"]);
    assert!(shown["losses"].is_array(), "{shown}");
    let recipe = document(&["recipe", "--student", "resnet8", "--json"]);
    assert_eq!(recipe["student"]["network"], "resnet8");
}

#[test]
fn runs_and_what_is_made_of_them_are_documents() {
    let folder = tempdir().expect("a folder");
    let place = |name: &str| folder.path().join(name).display().to_string();
    let run = place("run");
    let train = [&["train", "--json", "--out", &run][..], &tiny_flags(&[])].concat();
    let result = document(&train);
    assert_eq!(result["out"], run.as_str());
    assert_eq!(result["student"], "resnet8");
    let top1 = result["last_top1"].as_f64().expect("a number");

    let weights = format!("{run}/student.safetensors");
    let eval = document(&[
        "eval",
        "--json",
        "--limit-test",
        "20",
        "--weights",
        &weights,
    ]);
    assert_eq!(
        (eval["images"].as_u64(), eval["top1"].as_f64()),
        (Some(20), Some(top1))
    );

    let table = document(&["table", &run, "--json"]);
    assert_eq!(table, document(&["table", &run, "--format", "json"]));
    assert!(table["tables"].is_array(), "{table}");

    let limits = ["--limit-train", "40", "--limit-test", "20", "--epochs", "1"];
    let out = place("comparison");
    let compare = [
        "compare",
        "--json",
        "--seeds",
        "1",
        "--student",
        "resnet8",
        "--teacher",
        "resnet8",
        "--out",
        &out,
    ];
    let comparison = document(&[&compare[..], &limits].concat());
    let rows = comparison["rows"].as_array().expect("rows");
    let at = rows
        .iter()
        .find(|row| row["gain_top1"]["mean"].is_f64())
        .expect("a method");
    assert!(at["results"][0]["last_top1"].is_f64(), "{at}");
    assert!(at["routed"][0]["last_top1"].is_f64(), "{at}");
    assert_eq!(at["routing_gain_top1"]["n"], 1, "{at}");
}

#[test]
fn a_sweep_is_a_document() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("sweep.yaml").display().to_string();
    let text = "
base: { data: { limit_train: 40, limit_test: 20, batch_size: 16 }, train: { epochs: 1 } }
cells: [{ name: one, set: { student: { network: resnet8 } } }]
";
    std::fs::write(&file, text).expect("a file");
    let out = folder.path().join("out").display().to_string();
    let sweep = ["sweep", &file, "--out", &out, "--json"];
    let list = |state: &str| {
        let cells = document(&[&sweep[..], &["--list"]].concat());
        assert_eq!(cells[0]["name"], "one-seed0");
        assert_eq!(cells[0]["state"], state, "{cells}");
    };
    list("not_started");
    let outcome = document(&sweep);
    assert_eq!(
        (&outcome["cells"], &outcome["complete"]),
        (&1.into(), &1.into())
    );
    assert_eq!(outcome["failed"], Value::Array(Vec::new()));
    assert!(outcome["tables"][0].is_object(), "{outcome}");
    list("complete");
}

#[test]
fn progress_is_not_in_the_result() {
    let folder = tempdir().expect("a folder");
    let output = tiny_run(&folder.path().join("run"))
        .output()
        .expect("kd runs");
    let [result, progress] =
        [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(
        progress.contains("epoch 1/1") && progress.contains("parameters"),
        "{progress}"
    );
    assert!(result.starts_with("top-1 "), "{result}");
    assert!(!result.contains("epoch 1/1"), "{result}");
    assert!(printed(&["methods"]).starts_with("ce"));
}
