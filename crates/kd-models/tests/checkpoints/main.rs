//! Checkpoints of every make, and damaged or hostile ones.

mod pickle;

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use burn::tensor::{DType, Device, TensorData};
use kd_models::weights::{Form, Identity, WeightsFile, WeightsInfo, save, state_dict};
use kd_models::{AnyNetwork, Architecture};
use pickle::{Tensor, Value};
use safetensors::tensor::{Dtype, TensorView};
use tempfile::{TempDir, tempdir};

/// A checkpoint that is there as long as this is.
struct Checkpoint {
    _folder: TempDir,
    path: PathBuf,
}

impl Checkpoint {
    fn new(root: &Value) -> Self {
        let folder = tempdir().expect("a folder");
        let path = folder.path().join("checkpoint.pth");
        pickle::save(&path, root);
        Self {
            _folder: folder,
            path,
        }
    }

    /// The message with which it is refused.
    fn refusal(&self) -> String {
        let message = refusal(&self.path, None);
        assert!(message.contains("checkpoint.pth"), "{message}");
        assert!(!message.contains('\n'), "{message}");
        message
    }
}

fn refusal(path: &Path, architecture: Option<Architecture>) -> String {
    WeightsFile::open(path)
        .and_then(|file| file.into_network(architecture, None, &Device::default()))
        .map(|_| ())
        .expect_err("a bad file")
        .to_string()
}

fn named(name: &str) -> Architecture {
    Architecture::by_name(name).expect("a known name")
}

fn entries_of(network: &AnyNetwork) -> Vec<(String, TensorData)> {
    state_dict(network).expect("readable parameters")
}

fn resnet8() -> Vec<(String, TensorData)> {
    entries_of(&named("resnet8").init(10, &Device::default()))
}

fn tensor(data: &TensorData) -> Value {
    let bytes = data.as_bytes().to_vec();
    Value::Tensor(Tensor::new("FloatStorage", bytes, data.shape().to_vec()))
}

fn flat(entries: &[(String, TensorData)]) -> Vec<(String, Value)> {
    let entries = entries.iter();
    entries
        .map(|(key, data)| (key.clone(), tensor(data)))
        .collect()
}

/// The state dict of a resnet8 in which one entry is another, or is added.
fn with(key: &str, value: Value) -> Checkpoint {
    let mut entries = flat(&resnet8());
    entries.retain(|(own, _)| own != key);
    entries.push((key.to_owned(), value));
    Checkpoint::new(&Value::Dict(entries))
}

/// The module that has this state dict.
fn module(entries: &[(String, Value)]) -> Value {
    let mut parameters = Vec::new();
    let mut modules: BTreeMap<&str, Vec<(String, Value)>> = BTreeMap::new();
    for (key, value) in entries {
        match key.split_once('.') {
            None => parameters.push((key.clone(), value.clone())),
            Some((first, rest)) => {
                let inner = modules.entry(first).or_default();
                inner.push((rest.to_owned(), value.clone()));
            }
        }
    }
    let modules = modules.into_iter();
    let modules = modules.map(|(name, inner)| (name.to_owned(), module(&inner)));
    Value::Module(parameters, modules.collect())
}

/// Reads a file and compares with the state dict that it was made of.
fn assert_reads(path: &Path, name: &str, expected: &[(String, TensorData)]) {
    let file = WeightsFile::open(path).unwrap_or_else(|error| panic!("{error}"));
    let network = file
        .into_network(None, None, &Device::default())
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    for ((key, found), (_, expected)) in entries_of(&network).iter().zip(expected) {
        assert!(found == expected, "{name}: {key} is as it was written");
    }
}

#[test]
fn whole_modules_are_read_bare_and_in_a_checkpoint() {
    // MobileNetV1 has a part that is called `model`, as checkpoints call the weights.
    for name in ["resnet8", "mobilenetv1-imagenet"] {
        let entries = entries_of(&named(name).init(10, &Device::default()));
        let whole = module(&flat(&entries));
        let parallel = Value::Module(Vec::new(), vec![("module".to_owned(), whole.clone())]);
        let wrapped = Value::Dict(vec![
            ("epoch".to_owned(), Value::Int(240)),
            ("model".to_owned(), whole.clone()),
        ]);
        let alone = Value::Dict(vec![("model".to_owned(), whole.clone())]);
        for root in [whole, parallel, wrapped, alone, Value::Dict(flat(&entries))] {
            assert_reads(&Checkpoint::new(&root).path, name, &entries);
        }
    }
}

#[test]
fn bfloat16_is_read() {
    let entries: Vec<_> = resnet8()
        .into_iter()
        .map(|(key, data)| (key, data.convert::<burn::tensor::bf16>()))
        .collect();
    let stored: Vec<_> = entries
        .iter()
        .map(|(key, data)| {
            assert_eq!(data.dtype(), DType::BF16);
            let bytes = data.as_bytes().to_vec();
            let tensor = Tensor::new("BFloat16Storage", bytes, data.shape().to_vec());
            (key.clone(), Value::Tensor(tensor))
        })
        .collect();
    let expected: Vec<_> = entries
        .into_iter()
        .map(|(key, data)| (key, data.convert::<f32>()))
        .collect();
    let checkpoint = Checkpoint::new(&Value::Dict(stored));
    assert_reads(&checkpoint.path, "resnet8", &expected);
}

#[test]
fn nothing_in_a_state_dict_is_silently_ignored_but_counters() {
    let longs = Tensor::new("LongStorage", vec![0; 80], vec![10]);
    let message = with("fc.bias", Value::Tensor(longs.clone())).refusal();
    assert!(
        message.contains("`fc.bias` is (I64 [10]), expected [10]"),
        "{message}"
    );
    let message = with("epoch", Value::Int(3)).refusal();
    assert!(message.contains("unexpected `epoch` (int)"), "{message}");
    let message = with("my_num_batches_tracked", Value::Tensor(longs)).refusal();
    assert!(
        message.contains("unexpected `my_num_batches_tracked`"),
        "{message}"
    );
    let message = with("optimizer", Value::Dict(vec![])).refusal();
    assert!(
        message.contains("unexpected `optimizer` (dict)"),
        "{message}"
    );

    // What PyTorch puts in itself.
    let versions = Value::Dict(vec![("fc".to_owned(), Value::Dict(vec![]))]);
    for (key, value) in [
        ("bn1.num_batches_tracked", Value::Int(3)),
        ("_metadata", versions),
    ] {
        assert_reads(&with(key, value).path, key, &[]);
    }
}

#[test]
fn tensors_that_repeat_a_few_numbers_do_not_fill_the_memory() {
    let bomb = Tensor {
        stride: vec![0, 0],
        count: 1,
        ..Tensor::new("FloatStorage", vec![0; 4], vec![30_000, 30_000])
    };
    let message = with("bomb", Value::Tensor(bomb)).refusal();
    assert!(message.contains("expand to"), "{message}");
}

#[test]
fn calls_are_refused_and_types_are_not() {
    for (module, name) in [
        ("os", "system"),
        ("posix", "system"),
        ("builtins", "eval"),
        ("subprocess", "Popen"),
    ] {
        let message = with("x", Value::Call(module, name, "true")).refusal();
        assert!(
            message.contains(&format!("would call `{module}.{name}`")),
            "{message}"
        );
    }
    let root = Value::Dict(vec![
        ("type".to_owned(), Value::Global("builtins", "float")),
        ("host".to_owned(), Value::Text("a".to_owned())),
        ("model".to_owned(), Value::Dict(flat(&resnet8()))),
    ]);
    assert_reads(&Checkpoint::new(&root).path, "resnet8", &[]);
}

#[test]
fn keys_cannot_break_lines_or_hide_each_other() {
    let ones = || Value::Tensor(Tensor::new("FloatStorage", vec![0; 4], vec![1]));
    let message = with("a\n\u{1b}[31mb", ones()).refusal();
    assert!(
        message.contains(r"unexpected `a\n\u{1b}[31mb`"),
        "{message}"
    );
    let hidden = Value::Dict(vec![("weight".to_owned(), ones())]);
    let message = with("conv1", hidden).refusal();
    assert!(
        message.contains("two tensors are named `conv1.weight`"),
        "{message}"
    );
}

#[test]
fn a_classifier_of_no_classes_and_a_missing_one_are_refused() {
    let none = Tensor::new("FloatStorage", Vec::new(), vec![0, 64]);
    let message = with("fc.weight", Value::Tensor(none)).refusal();
    assert!(
        message.contains("`fc.weight` is [0, 64], expected [10, 64]"),
        "{message}"
    );
    let headless: Vec<_> = resnet8()
        .into_iter()
        .filter(|(key, _)| !key.starts_with("fc."))
        .collect();
    let checkpoint = Checkpoint::new(&Value::Dict(flat(&headless)));
    let message = WeightsFile::open(&checkpoint.path)
        .and_then(|file| file.into_network(Some(named("resnet8")), Some(7), &Device::default()))
        .map(|_| ())
        .expect_err("no classifier")
        .to_string();
    assert!(message.contains("missing `fc.weight` [7, 64]"), "{message}");
}

#[test]
fn the_closest_network_is_named_if_there_is_one() {
    let mut entries = flat(&resnet8());
    let extra = entries[0].1.clone();
    entries.extend((0..200).map(|index| (format!("extra.{index}"), extra.clone())));
    let message = Checkpoint::new(&Value::Dict(entries)).refusal();
    assert!(message.contains("closest, resnet8"), "{message}");
    let root = Value::Dict(vec![("conv1.weight".to_owned(), extra)]);
    let message = Checkpoint::new(&root).refusal();
    assert!(message.contains("no known network"), "{message}");
}

#[test]
fn folded_and_deployed_networks_are_known_without_a_header() {
    for (name, form) in [
        ("resnet8", Form::Folded),
        ("wrn_16_1", Form::Folded),
        ("represnet20", Form::Deployed),
        ("represnet20", Form::Folded),
    ] {
        let network = form.of(named(name).init(10, &Device::default()));
        let entries = entries_of(&network);
        let checkpoint = Checkpoint::new(&Value::Dict(flat(&entries)));
        let file = WeightsFile::open(&checkpoint.path).unwrap_or_else(|error| panic!("{error}"));
        let expected = Identity {
            architecture: named(name),
            form,
            classes: 10,
            guessed: true,
        };
        assert_eq!(
            file.identify().ok(),
            Some(expected),
            "{name} {}",
            form.name()
        );
        assert_reads(&checkpoint.path, name, &entries);
    }
}

#[test]
fn a_header_that_lies_is_an_error() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("student.safetensors");
    let network = named("resnet8").init(10, &Device::default());
    let info = WeightsInfo {
        architecture: named("resnet8"),
        form: Form::Trained,
        classes: 10,
        input: [3, 32, 32],
        mean: None,
        std: None,
        data: None,
        top1: None,
    };
    let cases = [
        (
            WeightsInfo {
                classes: 11,
                ..info.clone()
            },
            "its header says 11 classes",
        ),
        (
            WeightsInfo {
                classes: 0,
                ..info.clone()
            },
            "`classes` is 0",
        ),
        (
            WeightsInfo {
                input: [1, 32, 32],
                ..info.clone()
            },
            "images of [1, 32, 32]",
        ),
        (
            WeightsInfo {
                input: [3, 1 << 20, 1],
                ..info.clone()
            },
            "1 to 2048 pixels",
        ),
        (
            WeightsInfo {
                form: Form::Folded,
                ..info.clone()
            },
            "missing `conv1.bias`",
        ),
        (
            WeightsInfo {
                architecture: named("resnet14"),
                ..info
            },
            "missing `layer1.1.conv1.weight`",
        ),
    ];
    for (lie, part) in cases {
        save(&path, &network, &lie).unwrap_or_else(|error| panic!("{error}"));
        let message = refusal(&path, None);
        assert!(message.contains("student.safetensors"), "{message}");
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn whole_numbers_in_safetensors_are_listed() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("student.safetensors");
    let entries = resnet8();
    let zeros = [0u8; 80];
    let views = entries.iter().map(|(key, data)| {
        let view = match key.as_str() {
            "fc.bias" => TensorView::new(Dtype::I64, vec![10], &zeros),
            _ => TensorView::new(Dtype::F32, data.shape().to_vec(), data.as_bytes()),
        };
        (key.clone(), view.expect("a view"))
    });
    let bytes = safetensors::serialize(views, None::<HashMap<String, String>>);
    std::fs::write(&path, bytes.expect("serialized")).expect("written");
    let message = refusal(&path, Some(named("resnet8")));
    assert!(
        message.contains("`fc.bias` is (I64 [10]), expected [10]"),
        "{message}"
    );
}
