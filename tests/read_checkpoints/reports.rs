//! What users of similar programs reported of checkpoints: `docs/book/src/reports.md` lists them.

use std::path::{Path, PathBuf};

use burn::tensor::{Device, TensorData};
use kd_models::weights::{
    Form, ReadOptions, WeightsFile, WeightsInfo, load_state_dict, save, state_dict,
};
use kd_models::{AnyNetwork, Architecture, ModelError};
use tempfile::{TempDir, tempdir};

use super::python::{Pickled, Py, call, dict, global, object, text};

type Entries = Vec<(String, TensorData)>;

fn resnet8() -> Architecture {
    Architecture::by_name("resnet8").expect("a network")
}

/// Weights that another call has not.
fn weights() -> Entries {
    let network = resnet8().init(10, &Device::default());
    state_dict(&network).expect("readable parameters")
}

/// A state dict with this before each key.
fn prefixed(prefix: &str, entries: &Entries) -> Vec<(Py, Py)> {
    let entries = entries.iter();
    entries
        .map(|(key, data)| (text(&format!("{prefix}{key}")), Py::Floats(data.clone())))
        .collect()
}

fn plain(entries: &Entries) -> Py {
    Py::Dict(prefixed("", entries))
}

/// A checkpoint that is there as long as this is.
struct Saved(TempDir);

impl Saved {
    fn new(root: &Py) -> Self {
        Self::with_protocol(2, root)
    }

    fn with_protocol(protocol: u8, root: &Py) -> Self {
        let saved = Self(tempdir().expect("a folder"));
        Pickled::new(protocol, root).save(&saved.path(), &[]);
        saved
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("checkpoint.pth")
    }

    fn read(
        &self,
        options: &ReadOptions,
        network: Option<Architecture>,
    ) -> Result<AnyNetwork, ModelError> {
        let file = WeightsFile::open_with(self.path(), options)?;
        file.into_network(network, Some(10), &Device::default())
    }

    /// Asserts that the weights are these, whether the network is named or not.
    fn holds(&self, expected: &Entries, what: &str) {
        self.holds_with(&ReadOptions::default(), expected, what);
    }

    fn holds_with(&self, options: &ReadOptions, expected: &Entries, what: &str) {
        for network in [None, Some(resnet8())] {
            let read = self.read(options, network);
            let read = read.unwrap_or_else(|error| panic!("{what}: {error}"));
            let found = state_dict(&read).expect("readable parameters");
            assert!(
                found == *expected,
                "{what}: the weights are those that were saved"
            );
        }
    }

    /// The message with which it is refused.
    fn refusal(&self, options: &ReadOptions) -> String {
        let message = self
            .read(options, None)
            .map(|_| ())
            .expect_err("refused")
            .to_string();
        assert!(!message.contains('\n'), "{message}");
        message
    }
}

fn set(name: &str) -> ReadOptions {
    ReadOptions {
        set: Some(name.to_owned()),
        ..ReadOptions::default()
    }
}

fn ignore(patterns: &[&str]) -> ReadOptions {
    ReadOptions {
        ignore: patterns.iter().map(ToString::to_string).collect(),
        ..ReadOptions::default()
    }
}

#[test]
fn report_f1_keys_behind_wrappers() {
    let weights = weights();
    for prefix in [
        "_orig_mod.",
        "module._orig_mod.",
        "_orig_mod.module.",
        "module.module.",
        "model.",
        "model._orig_mod.",
        "net.module.",
        "backbone.",
        "student.",
        "whatever.it_is.called.",
    ] {
        let wrapped = prefixed(prefix, &weights);
        Saved::new(&Py::Dict(wrapped.clone())).holds(&weights, prefix);
        let mut beside = wrapped.clone();
        let ones = || Py::Floats(TensorData::ones::<f32, _>([10]));
        beside.push((text("criterion.weight"), ones()));
        beside.push((text("train_loss.total"), ones()));
        let saved = Saved::new(&dict([
            ("pytorch-lightning_version", text("2.2.0")),
            ("state_dict", Py::Dict(beside)),
            ("optimizer_states", Py::List(vec![])),
        ]));
        saved.holds(&weights, &format!("{prefix} beside a criterion"));
    }
    // In the middle of the keys, where a part of the network is wrapped.
    let inner = |key: &str| key.replace("layer1.0.", "layer1.0.module._orig_mod.");
    let entries = weights.iter();
    let entries = entries.map(|(key, data)| (text(&inner(key)), Py::Floats(data.clone())));
    Saved::new(&Py::Dict(entries.collect())).holds(&weights, "a wrapped block");
}

#[test]
fn report_f1_two_networks_under_prefixes_are_named() {
    let (student, teacher) = (weights(), weights());
    let mut both = prefixed("student.model.", &student);
    both.extend(prefixed("teacher.model.", &teacher));
    let saved = Saved::new(&dict([("state_dict", Py::Dict(both))]));
    let message = saved.refusal(&ReadOptions::default());
    for name in ["`state_dict.student.model`", "`state_dict.teacher.model`"] {
        assert!(message.contains(name), "{message}");
    }
    for name in ["teacher.model", "state_dict.teacher.model"] {
        saved.holds_with(&set(name), &teacher, name);
    }
    // Another network beside it leaves no choice.
    let large = Architecture::by_name("resnet14").expect("a network");
    let large = state_dict(&large.init(10, &Device::default())).expect("parameters");
    let mut both = prefixed("student.", &student);
    both.extend(prefixed("teacher.", &large));
    let network = Saved::new(&Py::Dict(both)).read(&ReadOptions::default(), Some(resnet8()));
    let network = network.unwrap_or_else(|error| panic!("{error}"));
    assert!(state_dict(&network).expect("parameters") == student);
}

#[test]
fn report_f2_several_sets_in_one_file() {
    let (raw, averaged) = (weights(), weights());
    for name in [
        "state_dict_ema",
        "ema",
        "model_ema",
        "ema_state_dict",
        "swa_model",
    ] {
        let saved = Saved::new(&dict([
            ("epoch", Py::Int(3)),
            (name, Py::Dict(prefixed("module.", &averaged))),
            ("state_dict", plain(&raw)),
        ]));
        saved.holds(&raw, name);
        saved.holds_with(&set(name), &averaged, name);
        let alone = dict([("epoch", Py::Int(3)), (name, plain(&averaged))]);
        Saved::new(&alone).holds(&averaged, name);
    }
    let message = Saved::new(&dict([("model", plain(&raw)), ("ema", plain(&averaged))]))
        .refusal(&set("best"));
    assert!(message.contains("no weights `best`"), "{message}");
    assert!(message.contains("`model`, `ema`"), "{message}");

    let deep = dict([("run", dict([("best", dict([("weights", plain(&raw))]))]))]);
    Saved::new(&deep).holds(&raw, "four dictionaries deep");
    let saved = Saved::new(&dict([("net_a", plain(&raw)), ("net_b", plain(&averaged))]));
    let message = saved.refusal(&ReadOptions::default());
    assert!(message.contains("`net_a`, `net_b`"), "{message}");
    saved.holds_with(&set("net_b"), &averaged, "by name");
}

#[test]
fn report_f2_a_misfit_lists_what_is_there() {
    let mut short = prefixed("", &weights());
    short.truncate(short.len() - 3);
    let saved = Saved::new(&dict([
        ("model", Py::Dict(short.clone())),
        ("model_ema", Py::Dict(short)),
    ]));
    let message = saved.refusal(&ReadOptions::default());
    assert!(message.contains("missing `"), "{message}");
    assert!(message.contains("`model`"), "{message}");
    assert!(message.contains("`model_ema`"), "{message}");
}

#[test]
fn report_f2_counters_of_averaging() {
    let weights = weights();
    let mut entries = prefixed("module.", &weights);
    entries.insert(0, (text("n_averaged"), Py::Longs(vec![7], vec![])));
    Saved::new(&Py::Dict(entries)).holds(&weights, "an averaged model");
}

/// What programs put beside the weights.
fn objects() -> Vec<(&'static str, Py)> {
    let tensor = || Py::Floats(TensorData::ones::<f32, _>([3]));
    let numbers = || Py::List(vec![Py::Float(1.0), Py::Float(2.0)]);
    let history = call(
        "collections",
        "defaultdict",
        [Py::Global("builtins", "list")],
    );
    let history = Py::Entries(Box::new(history), vec![(text("loss"), numbers())]);
    let queue = call("collections", "deque", [Py::Tuple(vec![]), Py::Int(100)]);
    let node = || Py::New(global("yacs.config", "CfgNode"), vec![]);
    let solver = Py::Entries(Box::new(node()), vec![(text("LR"), Py::Float(0.05))]);
    let config = Py::Entries(Box::new(node()), vec![(text("SOLVER"), solver)]);
    let immutable = dict([("__immutable__", Py::Bool(true))]);
    let momentum = dict([("momentum_buffer", tensor())]);
    let optimizer = object(
        "torch.optim.sgd",
        "SGD",
        [
            ("defaults", dict([("lr", Py::Float(0.1))])),
            ("state", Py::Dict(vec![(tensor(), momentum.clone())])),
            (
                "param_groups",
                Py::List(vec![dict([("params", Py::List(vec![tensor()]))])]),
            ),
        ],
    );
    let itself = Py::Memo(9, Box::new(Py::Dict(vec![])));
    let scalar = call(
        "numpy.core.multiarray",
        "scalar",
        [text("f8"), Py::Bytes(vec![0; 8])],
    );
    let array = call(
        "numpy.core.multiarray",
        "_reconstruct",
        [
            Py::Global("numpy", "ndarray"),
            Py::Tuple(vec![Py::Int(0)]),
            Py::Bytes(vec![b'b']),
        ],
    );
    let state = Py::Tuple(vec![
        Py::Int(1),
        Py::Tuple(vec![]),
        text("f4"),
        Py::Bool(false),
    ]);
    let odd_keys = [
        Py::Tuple(vec![Py::Int(1), Py::Int(2)]),
        Py::Float(0.5),
        Py::None,
        Py::Int(7),
    ];
    let slots = Py::Tuple(vec![Py::None, dict([("depth", Py::Int(8))])]);
    vec![
        ("a defaultdict", history),
        (
            "a deque",
            Py::Elements(Box::new(queue), vec![Py::Float(1.0), tensor()]),
        ),
        (
            "a yacs node",
            Py::State(Box::new(config), Box::new(immutable)),
        ),
        (
            "an omegaconf node",
            object(
                "omegaconf.dictconfig",
                "DictConfig",
                [("_content", dict([("lr", Py::None)]))],
            ),
        ),
        (
            "a namespace",
            object("argparse", "Namespace", [("class_weight", tensor())]),
        ),
        ("an optimizer", optimizer),
        (
            "its state",
            dict([("state", Py::Dict(vec![(Py::Int(0), momentum)]))]),
        ),
        (
            "a schedule",
            object("torch.optim.lr_scheduler", "StepLR", [("step", Py::Int(3))]),
        ),
        (
            "odd keys",
            Py::Dict(odd_keys.map(|key| (key, tensor())).into()),
        ),
        (
            "bytes",
            Py::Dict(vec![(Py::Bytes(vec![0xff, 0]), Py::Bytes(vec![1]))]),
        ),
        ("a set", Py::Set(vec![Py::Int(1), text("a")])),
        ("a frozen set", call("builtins", "frozenset", [numbers()])),
        (
            "a path",
            call("pathlib", "PosixPath", [text("/"), text("runs")]),
        ),
        ("a number of NumPy", scalar),
        (
            "an array of NumPy",
            Py::State(Box::new(array), Box::new(state)),
        ),
        (
            "a size",
            call("torch", "Size", [Py::Tuple(vec![Py::Int(3)])]),
        ),
        ("a type", Py::Global("torch", "float32")),
        (
            "a device",
            call("torch", "device", [text("cuda"), Py::Int(0)]),
        ),
        (
            "a partial function",
            Py::State(
                Box::new(call(
                    "functools",
                    "partial",
                    [Py::Global("builtins", "print")],
                )),
                Box::new(Py::Tuple(vec![
                    Py::Global("builtins", "print"),
                    Py::Tuple(vec![]),
                    dict([]),
                    Py::None,
                ])),
            ),
        ),
        (
            "a class with slots",
            Py::State(
                Box::new(Py::New(global("conf", "Model"), vec![])),
                Box::new(slots),
            ),
        ),
        (
            "itself",
            Py::State(
                Box::new(object("a", "Loop", [("self", itself)])),
                Box::new(Py::Again(9)),
            ),
        ),
        ("an exception", call("builtins", "ValueError", [text("no")])),
        (
            "a time",
            call("datetime", "datetime", [Py::Bytes(vec![7; 10])]),
        ),
        (
            "a sparse tensor",
            call(
                "torch._utils",
                "_rebuild_sparse_tensor",
                [Py::None, Py::Tuple(vec![])],
            ),
        ),
        ("a generator's state", Py::Longs(vec![0; 4], vec![4])),
    ]
}

#[test]
fn report_f3_objects_beside_the_weights() {
    let weights = weights();
    for (what, value) in objects() {
        for protocol in 2..=5 {
            let before = dict([("other", value.clone()), ("model", plain(&weights))]);
            let after = dict([("model", plain(&weights)), ("optimizer", value.clone())]);
            for root in [before, after] {
                Saved::with_protocol(protocol, &root).holds(&weights, what);
            }
        }
    }
    let all = objects()
        .into_iter()
        .map(|(what, value)| (text(what), value));
    let mut all: Vec<_> = all.collect();
    let subclass = Py::Call(global("my.program", "Weights"), vec![]);
    let subclass = Py::Entries(Box::new(subclass), prefixed("module.", &weights));
    all.push((text("state_dict"), subclass));
    let pickled = Pickled::new(2, &Py::Dict(all));
    let saved = Saved::new(&Py::None);
    pickled.save(&saved.path(), &[]);
    saved.holds(&weights, "all at once");
    pickled.save_legacy(&saved.path());
    saved.holds(&weights, "all at once, in the old format");
}

#[test]
fn report_f3_one_dictionary_under_two_names() {
    let (weights, other) = (weights(), weights());
    let first = |name: &str, again: &str| {
        let memo = Py::Memo(5, Box::new(plain(&weights)));
        dict([
            (name, memo),
            (again, Py::Again(5)),
            ("last_epoch", plain(&other)),
        ])
    };
    Saved::new(&first("best_state", "model")).holds(&weights, "the usual name last");
    let saved = Saved::new(&first("model", "best_state"));
    saved.holds(&weights, "the usual name first");
    saved.holds_with(&set("best_state"), &weights, "by the other name");
}

#[test]
fn report_f3_keys_of_a_profiler_and_of_an_auxiliary_head() {
    let weights = weights();
    let mut entries = prefixed("", &weights);
    for key in [
        "total_ops",
        "total_params",
        "layer1.0.total_ops",
        "conv1.total_params",
    ] {
        entries.push((text(key), Py::Double(8.0)));
    }
    Saved::new(&dict([("model", Py::Dict(entries))])).holds(&weights, "a profiler");

    for prefix in ["", "module."] {
        let mut entries = prefixed(prefix, &weights);
        for key in ["aux_head.weight", "aux_head.bias", "layer1.0.gate"] {
            let ones = Py::Floats(TensorData::ones::<f32, _>([10]));
            entries.push((text(&format!("{prefix}{key}")), ones));
        }
        let saved = Saved::new(&Py::Dict(entries));
        let message = saved.refusal(&ReadOptions::default());
        assert!(message.contains("unexpected `"), "{message}");
        assert!(message.contains("ignore_keys"), "{message}");
        saved.holds_with(
            &ignore(&["aux_head.*", "*.gate"]),
            &weights,
            "an auxiliary head",
        );
    }
    let message = Saved::new(&plain(&weights)).refusal(&ignore(&["a***b"]));
    assert!(
        message.contains("`a***b` is not a valid pattern"),
        "{message}"
    );
}

#[test]
fn report_f4_references_are_not_calls() {
    let weights = weights();
    let inner = call(
        "builtins",
        "getattr",
        [Py::Global("conf", "Conf"), text("Optim")],
    );
    for (what, value) in [
        ("a function", Py::Global("builtins", "max")),
        ("a dangerous one", Py::Global("os", "system")),
        ("a class in a class", Py::New(Box::new(inner), vec![])),
        ("an evaluator", Py::Global("builtins", "eval")),
        (
            "the result of a file",
            call("os", "stat_result", [Py::Tuple(vec![])]),
        ),
    ] {
        for protocol in [2, 4] {
            let root = dict([("model", plain(&weights)), ("loss_fn", value.clone())]);
            Saved::with_protocol(protocol, &root).holds(&weights, what);
        }
    }
    // A call that runs a program is one wherever it is, also where nothing is kept of it.
    let system = || call("os", "system", [text("true")]);
    let outer = call(
        "builtins",
        "getattr",
        [Py::Global("posixpath", "os"), text("system")],
    );
    for value in [
        system(),
        Py::Call(Box::new(outer), vec![text("true")]),
        Py::Dict(vec![(system(), Py::None)]),
        object("a", "B", [("c", Py::List(vec![system()]))]),
    ] {
        let root = dict([("model", plain(&weights)), ("x", value)]);
        let message = Saved::new(&root).refusal(&ReadOptions::default());
        assert!(message.contains("Python would call `"), "{message}");
        assert!(message.contains("system`"), "{message}");
    }
}

#[test]
fn report_f5_programs_are_named() {
    let saved = Saved::new(&Py::None);
    let pickled = Pickled::new(2, &object("__torch__.models.resnet", "ResNet", []));
    for (entries, part) in [
        (
            ["constants.pkl", "code/__torch__/models/resnet.py"],
            "TorchScript",
        ),
        (["archive_format", "models/model.json"], "torch.export"),
    ] {
        pickled.save(&saved.path(), &entries);
        let message = saved.refusal(&ReadOptions::default());
        assert!(message.contains(part), "{message}");
        assert!(message.contains("state_dict"), "{message}");
        assert!(!message.contains("damaged"), "{message}");
    }
    for (bytes, part) in [
        (&b"<!DOCTYPE html><html>"[..], "web page"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "git lfs pull",
        ),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\0", "gzip"),
    ] {
        std::fs::write(saved.path(), bytes).expect("written");
        let message = saved.refusal(&ReadOptions::default());
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn report_f6_the_same_weights_are_the_same_bytes() {
    let device = Device::default();
    let weights = weights();
    let info = WeightsInfo {
        architecture: resnet8(),
        form: Form::Trained,
        classes: 10,
        input: [3, 32, 32],
        mean: Some([0.5; 3]),
        std: Some([0.25; 3]),
        data: Some("cifar10".to_owned()),
        top1: Some(91.5),
    };
    let folder = tempdir().expect("a folder");
    let written = |index: usize| {
        let network = load_state_dict(resnet8().init(10, &device), weights.clone());
        let path = folder.path().join(format!("{index}.safetensors"));
        save(&path, &network.expect("its own weights"), &info).expect("written");
        std::fs::read(path).expect("readable")
    };
    let first = written(0);
    for index in 1..8 {
        assert!(
            written(index) == first,
            "the file is the same, byte for byte"
        );
    }
    reads(&folder.path().join("0.safetensors"), &weights, &info);
}

#[test]
fn damaged_bytes_are_errors_and_never_a_panic() {
    let values = objects()
        .into_iter()
        .map(|(what, value)| (text(what), value));
    let mut values: Vec<_> = values.collect();
    let ones = || Py::Floats(TensorData::ones::<f32, _>([2, 3]));
    values.push((
        text("model"),
        dict([("a.weight", ones()), ("b.weight", ones())]),
    ));
    let saved = Saved::new(&Py::None);
    Pickled::new(2, &Py::Dict(values)).save_legacy(&saved.path());
    let whole = std::fs::read(saved.path()).expect("readable");
    let mut state = 1u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).expect("small")
    };
    let mut refused = 0;
    for _ in 0..3000 {
        let mut bytes = whole.clone();
        if random(4) == 0 {
            bytes.truncate(random(whole.len()));
        }
        for _ in 0..=random(3) {
            let place = random(bytes.len().max(1));
            let other = u8::try_from(random(256)).expect("a byte");
            if let Some(byte) = bytes.get_mut(place) {
                *byte = other;
            }
        }
        std::fs::write(saved.path(), bytes).expect("written");
        if let Err(error) = WeightsFile::open(saved.path()) {
            refused += 1;
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
    assert!(refused > 1000, "most damage is noticed: {refused}");
}

/// The file is one of safetensors, and says what it is to say.
fn reads(path: &Path, weights: &Entries, info: &WeightsInfo) {
    let bytes = std::fs::read(path).expect("readable");
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).expect("a header");
    let text = header.metadata().as_ref().expect("a description");
    assert_eq!(text["architecture"], "resnet8");
    let file = WeightsFile::open(path).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(file.info(), Some(info));
    let network = file.into_network(None, Some(10), &Device::default());
    let network = network.unwrap_or_else(|error| panic!("{error}"));
    assert!(state_dict(&network).expect("readable parameters") == *weights);
}
