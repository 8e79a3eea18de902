//! Networks against the reference values: keys, shapes, logits, features, pre-activations,
//! slices of stages and running statistics.

use std::collections::BTreeMap;

use burn::tensor::{Device, TensorData};
use kd_models::weights::{load_state_dict, state_dict};
use kd_models::{AnyNetwork, Architecture, Feature, Network};
use kd_tests::{Case, assert_close, assert_scalar, cases, devices};
use serde_json::Value;

/// Cases small enough for the `ndarray` backend, one of each family and naming.
const SMALL: &[&str] = &[
    "rep_resnet20",
    "sakd_resnet8",
    "sakd_resnet8x4",
    "sakd_wrn_16_1",
];

fn load(case: &Case, device: &Device) -> AnyNetwork {
    let class = case.manifest["source"]["cls"].as_str().expect("a class");
    let name = class
        .split(['[', ']'])
        .nth(1)
        .unwrap_or(class)
        .trim_matches('"');
    let classes = case.manifest["num_classes"].as_u64().expect("a number");
    let network = Architecture::by_name(name)
        .unwrap_or_else(|error| panic!("{}: {error}", case.name))
        .init(classes as usize, device);
    let entries = case
        .params()
        .into_iter()
        .map(|(key, shape, values)| (key, TensorData::new(values, shape)));
    load_state_dict(network, entries)
        .unwrap_or_else(|problems| panic!("{}: {}", case.name, problems.join("\n")))
}

fn values(feature: Feature) -> Vec<f32> {
    let data = match feature {
        Feature::Map(map) => map.into_data(),
        Feature::Vector(vector) => vector.into_data(),
    };
    data.try_to_vec().expect("f32")
}

fn l2(values: &[f32]) -> f64 {
    values
        .iter()
        .map(|value| f64::from(*value).powi(2))
        .sum::<f64>()
        .sqrt()
}

/// Compares with a summary `{shape, first, mean, std, l2}`.
fn assert_summary(label: &str, dims: &[usize], actual: &[f32], summary: &Value, tolerance: f64) {
    let shape: Vec<usize> = serde_json::from_value(summary["shape"].clone()).expect("a shape");
    assert_eq!(dims, shape, "{label}: shape");
    let number = |name: &str| summary[name].as_f64().expect("a number");
    let largest = actual
        .iter()
        .fold(0.0f64, |max, v| max.max(f64::from(v.abs())));
    let first: Vec<f64> = serde_json::from_value(summary["first"].clone()).expect("values");
    for (index, (value, expected)) in actual.iter().zip(&first).enumerate() {
        assert!(
            (f64::from(*value) - expected).abs() <= tolerance * largest,
            "{label}: value {index} is {value}, expected {expected}"
        );
    }
    assert_scalar(
        &format!("{label}: l2"),
        l2(actual),
        number("l2"),
        10.0 * tolerance,
    );
    if summary["mean"].is_number() {
        let mean = actual.iter().map(|v| f64::from(*v)).sum::<f64>() / actual.len() as f64;
        assert!(
            (mean - number("mean")).abs() <= 10.0 * tolerance * largest,
            "{label}: mean is {mean}, expected {}",
            number("mean")
        );
    }
}

fn check(name: &str, device: &Device) {
    let case = Case::load("models", name);
    let network = load(&case, device);

    // All tensors stand under their PyTorch keys.
    let keys: Vec<String> = state_dict(&network)
        .expect("readable tensors")
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(keys.len(), case.params().len(), "{name}: number of tensors");

    // Evaluation.
    let images = case.input::<4>("x", device);
    let features = network.features_with_preact(images.clone());
    let logits = values(features.logits.into());
    assert_close(
        &format!("{name}: logits in evaluation"),
        &logits,
        case.expected("logits_eval"),
        1e-5,
    );
    let pooled = Feature::from(features.pooled);
    let check_list = |list: &str, maps: Vec<Feature>| {
        let summaries = case.manifest[list].as_array().expect("a list");
        assert_eq!(maps.len(), summaries.len(), "{name}: {list}");
        for (index, (feature, summary)) in maps.into_iter().zip(summaries).enumerate() {
            let dims = feature.dims();
            let label = format!("{name}: {list}[{index}]");
            assert_summary(&label, &dims, &values(feature), summary, 1e-5);
        }
    };
    let with_pooled = |maps: Vec<burn::tensor::Tensor<4>>| {
        maps.into_iter()
            .map(Feature::from)
            .chain([pooled.clone()])
            .collect()
    };
    check_list("features", with_pooled(features.maps));
    check_list("features_preact", with_pooled(features.preact));

    // Slices of stages, chained.
    let mut feature = Feature::from(images);
    for segment in case.manifest["segments"].as_array().into_iter().flatten() {
        let index = |name: &str| segment[name].as_u64().expect("an index") as usize;
        let end = index("end").min(network.head());
        feature = network.run(index("begin")..end + 1, feature);
        let dims = feature.dims();
        let label = format!("{name}: segment {}", index("begin"));
        assert_summary(&label, &dims, &values(feature.clone()), segment, 1e-5);
    }

    // One forward in training mode.
    let training = device.clone().autodiff();
    let network = load(&case, &training);
    let logits = network.forward(case.input("x", &training));
    assert_close(
        &format!("{name}: logits in training"),
        &values(logits.inner().into()),
        case.expected("logits_train"),
        1e-4,
    );
    let state: BTreeMap<String, Vec<f32>> = state_dict(&network)
        .expect("readable tensors")
        .into_iter()
        .map(|(key, data)| (key, data.try_to_vec().expect("f32")))
        .collect();
    for which in [
        "first_bn_after_train_forward",
        "last_bn_after_train_forward",
    ] {
        let summary = &case.manifest[which];
        let layer = summary["name"].as_str().expect("a name");
        for statistic in ["running_mean", "running_var"] {
            let actual = &state[&format!("{layer}.{statistic}")];
            let label = format!("{name}: {layer}.{statistic}");
            assert_summary(&label, &[actual.len()], actual, &summary[statistic], 1e-4);
        }
    }
}

#[test]
fn networks_match_on_flex() {
    let names = cases("models", "");
    assert!(names.len() >= 26, "the fixtures are there");
    for (backend, device) in devices() {
        if backend == "flex" {
            names.iter().for_each(|name| check(name, &device));
        }
    }
}

#[test]
fn small_networks_match_on_ndarray() {
    for (backend, device) in devices() {
        if backend == "ndarray" {
            SMALL.iter().for_each(|name| check(name, &device));
        }
    }
}
