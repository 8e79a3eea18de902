//! Reading PyTorch checkpoints in every form that users have, and refusing damaged ones.

mod python;
mod reports;

use std::path::PathBuf;

use burn::tensor::{Device, Tensor, TensorData};
use kd_models::weights::WeightsFile;
use kd_models::{Architecture, ModelError, Network};
use kd_tests::{assert_close, fill};
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/checkpoints")
}

fn manifest() -> Value {
    let text = std::fs::read_to_string(folder().join("manifest.json")).expect("a manifest");
    serde_json::from_str(&text).expect("JSON")
}

/// Names of the files that load, or of those that do not.
fn files(load: bool) -> Vec<String> {
    manifest()["files"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|file| file["loads"] == load)
        .map(|file| file["file"].as_str().expect("a name").to_owned())
        .collect()
}

fn images(key: &str, device: &Device) -> Tensor<4> {
    let shape = [4, 3, 32, 32];
    let values = fill(key, shape.iter().product(), 1.0, 0.0);
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn expected(logits: &Value) -> Vec<f32> {
    let rows: Vec<Vec<f32>> = serde_json::from_value(logits.clone()).expect("logits");
    rows.concat()
}

fn open(name: &str) -> Result<WeightsFile, ModelError> {
    WeightsFile::open(folder().join(name))
}

#[test]
fn good_checkpoints_give_the_logits_of_pytorch_by_name_and_by_guess() {
    let device = Device::default();
    let manifest = manifest();
    let names = files(true);
    assert!(names.len() >= 16);
    for name in names {
        let (model, key, logits) = if name.starts_with("zoo_") {
            let zoo = &manifest["zoo"];
            ("zoo_resnet20", "ckpt_zoo/x", expected(&zoo["logits_eval"]))
        } else {
            ("resnet8", "ckpt/x", expected(&manifest["logits_eval"]))
        };
        let file = open(&name).unwrap_or_else(|error| panic!("{error}"));
        let identity = file.identify().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(identity.architecture.name(), model, "{name}");
        assert_eq!(identity.classes, 10, "{name}");
        assert!(identity.guessed, "{name}");

        let named = Architecture::by_name(model).expect("a network");
        for architecture in [Some(named), None] {
            let network = file
                .clone()
                .into_network(architecture, Some(10), &device)
                .unwrap_or_else(|error| panic!("{error}"));
            let actual = network.forward(images(key, &device)).into_data();
            // Half precision holds three digits.
            let tolerance = if name.starts_with("float16") {
                1e-2
            } else {
                1e-5
            };
            let actual: Vec<f32> = actual.try_to_vec().expect("f32");
            assert_close(&name, &actual, &logits, tolerance);
        }
    }
}

#[test]
fn each_bad_checkpoint_has_an_error_of_its_own() {
    let device = Device::default();
    let resnet8 = Architecture::by_name("resnet8").ok();
    let messages: Vec<(String, String)> = files(false)
        .into_iter()
        .map(|name| {
            let error = open(&name)
                .and_then(|file| file.into_network(resnet8, Some(10), &device))
                .map(|_| ())
                .expect_err(&name);
            let message = error.to_string();
            assert!(message.contains(&name), "the file is named: {message}");
            assert!(!message.contains('\n'), "on one line: {message}");
            (name, message)
        })
        .collect();
    let parts = [
        ("bad_truncated_zip.pth", "zip archive"),
        ("bad_truncated_legacy.pth", "beyond the end of the file"),
        (
            "bad_text.pth",
            "neither a safetensors file nor a PyTorch checkpoint",
        ),
        ("bad_empty.pth", "it is empty"),
        ("bad_missing_key.pth", "missing `layer2.0.bn2.weight` [32]"),
        (
            "bad_wrong_shape.pth",
            "trained for 100 classes, expected 10",
        ),
        ("bad_extra_key.pth", "unexpected `"),
        (
            "bad_nan.pth",
            "`layer1.0.conv1.weight` contains a number that is not finite",
        ),
        ("bad_no_model.pth", "found `acc`, `epoch`"),
        ("bad_plain_pickle.pth", "found `model`"),
        ("bad_code.pth", "Python would call `__builtin__.print`"),
    ];
    assert_eq!(messages.len(), parts.len(), "each bad file has its line");
    for (name, part) in parts {
        let (_, message) = messages
            .iter()
            .find(|(file, _)| file == name)
            .unwrap_or_else(|| panic!("no such file: {name}"));
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn the_wrong_name_is_answered_with_the_right_one() {
    let device = Device::default();
    let message = open("zoo_net_zip.pth")
        .and_then(|file| {
            let wrong = Architecture::by_name("resnet20").ok();
            file.into_network(wrong, None, &device)
        })
        .map(|_| ())
        .expect_err("other keys")
        .to_string();
    assert!(message.contains("those of zoo_resnet20"), "{message}");
    assert!(
        message.contains("missing `layer1.0.conv1.weight`"),
        "{message}"
    );
    assert!(message.contains("unexpected `res1.0."), "{message}");
    assert!(message.ends_with(" more"), "{message}");
}

#[test]
fn without_a_name_the_closest_network_and_all_differences_are_said() {
    let message = open("bad_missing_key.pth")
        .and_then(|file| file.identify())
        .map(|_| ())
        .expect_err("a key is missing")
        .to_string();
    assert!(message.contains("closest, resnet8"), "{message}");
    assert!(
        message.contains("missing `layer2.0.bn2.weight`"),
        "{message}"
    );
}
