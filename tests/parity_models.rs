//! Networks against the reference values: keys, shapes, logits, features, pre-activations,
//! slices of stages and running statistics.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use kd_models::weights::{count_parameters, load_state_dict, state_dict};
use kd_models::{
    AnyNetwork, Architecture, Feature, Foldable, Network, Repository, ResnetConfig, UnitKind,
    VggConfig, VggHead, VggPooling,
};
use kd_tests::{Case, assert_close, assert_scalar, cases, devices, gpu};
use serde_json::Value;

/// Half of the cases for the slow `ndarray` backend: the small ones, of every family and naming.
const SMALL: &[&str] = &[
    "kdr_repmobilenetv2",
    "kdr_represnet20",
    "kdr_represnet20_base",
    "kdr_repshufflev1",
    "kdr_repvgg8",
    "kdr_resnet50_cifar",
    "rep_MobileNetV2",
    "rep_ShuffleV1",
    "rep_ShuffleV2",
    "rep_resnet20",
    "rep_resnet8x4",
    "rep_vgg8",
    "rep_wrn_16_2",
    "sakd_MobileNetV2",
    "sakd_MobileNetV2_tiny200",
    "sakd_ResNet18",
    "sakd_ShuffleNetV1",
    "sakd_ShuffleNetV2",
    "sakd_resnet14",
    "sakd_resnet20",
    "sakd_resnet32",
    "sakd_resnet44",
    "sakd_resnet8",
    "sakd_resnet8x4",
    "sakd_vgg8",
    "sakd_wrn_16_1",
    "sakd_wrn_16_2",
    "zoo_resnet20",
];

/// The network that a case is about, with its weights.
fn load(case: &Case, device: &Device) -> AnyNetwork {
    let entries = case
        .params()
        .into_iter()
        .map(|(key, shape, values)| (key, TensorData::new(values, shape)));
    load_state_dict(blank(case, device), entries)
        .unwrap_or_else(|problems| panic!("{}: {}", case.name, problems.join("\n")))
}

fn blank(case: &Case, device: &Device) -> AnyNetwork {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let class = text(&case.manifest["source"]["cls"]);
    let name = match class.split(['[', ']']).nth(1) {
        Some(name) => name.trim_matches('"').to_owned(),
        // The Zoo's networks are functions.
        None => case.name.trim_start_matches("zoo_").to_owned(),
    };
    let classes = case.manifest["num_classes"].as_u64().expect("a number") as usize;

    // Two forms are not in the registry, because they are variants for comparisons only.
    if case.manifest["block"] == "base" {
        let config = ResnetConfig::small(20, [16, 16, 32, 64], classes);
        return AnyNetwork::Resnet(config.with_unit(UnitKind::Base).init(device));
    }
    if case.manifest["train_note"].is_string() {
        // Expected in training without dropout, which is random.
        let convs = match name.trim_end_matches("-imagenet") {
            "vgg8" => [1, 1, 1, 1, 1],
            "vgg11" => [1, 1, 2, 2, 2],
            "vgg13" => [2, 2, 2, 2, 2],
            "vgg16" => [2, 2, 3, 3, 3],
            "vgg19" => [2, 2, 4, 4, 4],
            other => panic!("no such VGG: {other}"),
        };
        let config = VggConfig::new(convs, classes)
            .with_head(VggHead::Imagenet)
            .with_pooling(VggPooling::Always);
        return AnyNetwork::Vgg(config.with_dropout(0.0).init(device));
    }

    let repository = match text(&case.manifest["source"]["repo"]).as_str() {
        "zju-vipa/spot-adaptive-pytorch" => Repository::Sakd,
        "HobbitLong/RepDistiller" => Repository::RepDistiller,
        "YujieZheng99/KDrefine" => Repository::KdRefine,
        "AberHu/Knowledge-Distillation-Zoo" => Repository::Zoo,
        other => panic!("{}: unknown repository {other}", case.name),
    };
    Architecture::by_name_in(repository, &name)
        .unwrap_or_else(|error| panic!("{}: {error}", case.name))
        .init(classes, device)
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
    // Loaded for training, so that one set of weights serves both modes.
    let training = device.clone().autodiff();
    let trained = load(&case, &training);
    let network = trained.valid();

    // All tensors stand under their PyTorch keys, in their PyTorch shapes.
    let expected: BTreeMap<_, _> = case
        .params()
        .into_iter()
        .map(|(key, shape, _)| (key, shape))
        .collect();
    assert_eq!(state_shapes(&network), expected, "{name}: keys and shapes");
    assert_eq!(
        count_parameters(&network) as u64,
        case.manifest["param_count"].as_u64().expect("a number"),
        "{name}: trainable parameters"
    );

    check_evaluation(&case, &network, device);
    if case.manifest["deploy_params"].is_array() {
        check_deployed(&case, network.clone(), device);
    }
    check_folded(&case, network, device);
    check_training(&case, &trained, &training);
}

/// Shapes by key, without the counters that a case lists among its parameters.
fn state_shapes(network: &AnyNetwork) -> BTreeMap<String, Vec<usize>> {
    state_dict(network)
        .expect("readable tensors")
        .into_iter()
        .map(|(key, data)| (key, data.shape().to_vec()))
        .collect()
}

fn check_evaluation(case: &Case, network: &AnyNetwork, device: &Device) {
    let name = &case.name;
    let images = case.input::<4>("x", device);
    let features = network.features_with_preact(images.clone());
    assert_close(
        &format!("{name}: logits in evaluation"),
        &values(features.logits.into()),
        case.expected("logits_eval"),
        1e-5,
    );
    let pooled = Feature::from(features.pooled);
    let with_pooled = |maps: Vec<Tensor<4>>| -> Vec<Feature> {
        maps.into_iter()
            .map(Feature::from)
            .chain([pooled.clone()])
            .collect()
    };
    let zoo = case.manifest["features_note"].is_string();
    if zoo {
        // Both forms in turn: before and after the activation.
        let both = features.preact.into_iter().zip(features.maps);
        let maps = both.flat_map(|(before, after)| [before, after]).collect();
        check_list(case, "features", with_pooled(maps));
    } else {
        check_list(case, "features", with_pooled(features.maps));
        check_list(case, "features_preact", with_pooled(features.preact));
    }

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
}

fn check_list(case: &Case, list: &str, maps: Vec<Feature>) {
    let summaries = case.manifest[list].as_array().expect("a list");
    assert_eq!(maps.len(), summaries.len(), "{}: {list}", case.name);
    for (index, (feature, summary)) in maps.into_iter().zip(summaries).enumerate() {
        let dims = feature.dims();
        let label = format!("{}: {list}[{index}]", case.name);
        assert_summary(&label, &dims, &values(feature), summary, 1e-5);
    }
}

/// The deployed form of a re-parameterizable network.
fn check_deployed(case: &Case, network: AnyNetwork, device: &Device) {
    let name = &case.name;
    let deployed = network.deploy();
    let expected: BTreeMap<String, Vec<usize>> = case.manifest["deploy_params"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|param| {
            let key = param["key"].as_str().expect("a key").to_owned();
            let shape = serde_json::from_value(param["shape"].clone()).expect("a shape");
            (key, shape)
        })
        .filter(|(key, _)| !key.ends_with("num_batches_tracked"))
        .collect();
    assert_eq!(
        state_shapes(&deployed),
        expected,
        "{name}: keys when deployed"
    );
    assert_eq!(
        count_parameters(&deployed) as u64,
        case.manifest["deploy_param_count"]
            .as_u64()
            .expect("a number"),
        "{name}: parameters when deployed"
    );
    let features = deployed.features(case.input("x", device));
    assert_close(
        &format!("{name}: logits when deployed"),
        &values(features.logits.into()),
        case.expected("logits_deploy"),
        1e-5,
    );
    let maps = features.maps.into_iter().map(Feature::from);
    let pooled = Feature::from(features.pooled);
    check_list(case, "deploy_features", maps.chain([pooled]).collect());

    let state: BTreeMap<String, TensorData> = state_dict(&deployed)
        .expect("readable tensors")
        .into_iter()
        .collect();
    let value = |key: &str| -> Vec<f32> { state[key].clone().try_to_vec().expect("f32") };
    for key in case.manifest["deploy_sample_keys"]
        .as_array()
        .expect("keys")
    {
        let key = key.as_str().expect("a key");
        let label = format!("{name}: deployed {key}");
        match case.manifest["deploy_sample"].get(key) {
            Some(summary) => {
                let dims = state[key].shape().to_vec();
                assert_summary(&label, &dims, &value(key), summary, 1e-5);
            }
            None => assert_close(
                &label,
                &value(key),
                case.expected(&format!("deploy/{key}")),
                1e-5,
            ),
        }
    }
}

/// With all batch norms folded, any network computes the same.
fn check_folded(case: &Case, network: AnyNetwork, device: &Device) {
    let folded = network.fold_batch_norm();
    let features = folded.features(case.input("x", device));
    assert_close(
        &format!("{}: logits when folded", case.name),
        &values(features.logits.into()),
        case.expected("logits_eval"),
        1e-5,
    );
    // The Zoo's list has both forms of every feature.
    if case.manifest["features_note"].is_null() {
        let maps = features.maps.into_iter().map(Feature::from);
        let pooled = Feature::from(features.pooled);
        check_list(case, "features", maps.chain([pooled]).collect());
    }
}

/// One forward in training mode.
fn check_training(case: &Case, network: &AnyNetwork, device: &Device) {
    let name = &case.name;
    let logits = network.forward(case.input("x", device));
    assert_close(
        &format!("{name}: logits in training"),
        &values(logits.inner().into()),
        case.expected("logits_train"),
        // The deepest one amplifies rounding: PyTorch in f32 is 2.6e-4 from its own f64.
        if name == "sakd_ResNet152" { 1e-3 } else { 1e-4 },
    );
    let state: BTreeMap<String, Vec<f32>> = state_dict(network)
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

/// A third of the cases, of every family and kind of unit, for GPUs: each shape is compiled first.
const ON_GPU: &[&str] = &[
    "kdr_repmobilenetv2",
    "kdr_represnet20",
    "kdr_repshufflev1",
    "kdr_repvgg8",
    "kdr_resnet50_cifar",
    "rep_MobileNetV2",
    "rep_ShuffleV1",
    "rep_ShuffleV2",
    "rep_resnet8x4",
    "rep_vgg8",
    "sakd_MobileNetV2_tiny200",
    "sakd_ResNet18",
    "sakd_resnet20",
    "sakd_resnet56",
    "sakd_resnet8",
    "sakd_vgg8",
    "sakd_wrn_16_1",
    "sakd_wrn_16_2",
    "zoo_resnet20",
];

/// Checks all cases, so that one failure does not hide another.
fn check_all<'a>(names: impl IntoIterator<Item = &'a str>, backend: &str) {
    let Some((_, device)) = devices().into_iter().find(|(name, _)| *name == backend) else {
        // Only the slow backend is a feature that may be off; a GPU is tested alone.
        assert!(backend == "ndarray" || gpu().is_some(), "no {backend}");
        return;
    };
    let failed: Vec<&str> = names
        .into_iter()
        .filter(|name| std::panic::catch_unwind(|| check(name, &device)).is_err())
        .collect();
    assert!(failed.is_empty(), "see above: {}", failed.join(", "));
}

#[test]
fn networks_match_on_flex() {
    let names = cases("models", "");
    assert!(names.len() >= 56, "the fixtures are there");
    check_all(names.iter().map(String::as_str), "flex");
}

#[test]
fn small_networks_match_on_ndarray() {
    check_all(SMALL.iter().copied(), "ndarray");
}

#[test]
fn a_third_of_the_networks_matches_on_a_gpu() {
    if let Some((backend, _)) = gpu() {
        check_all(ON_GPU.iter().copied(), backend);
    }
}
