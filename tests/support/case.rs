//! One fixture: a JSON manifest and its safetensors file of expected values.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use burn::tensor::{Device, Int, Tensor, TensorData};
use kd_models::weights::load_state_dict;
use kd_models::{AnyNetwork, Architecture};
use safetensors::SafeTensors;
use serde_json::Value;

use crate::{float_data, rule};

/// A loaded fixture.
pub struct Case {
    /// Name of the case, the prefix of all its keys.
    pub name: String,
    /// The whole manifest.
    pub manifest: Value,
    tensors: BTreeMap<String, Vec<f32>>,
}

fn folder(group: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures")
        .join(group)
}

/// Names of all cases in a group (`losses` or `models`) that start with `prefix`, sorted.
pub fn cases(group: &str, prefix: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder(group))
        .expect("the fixture folder exists")
        .filter_map(|entry| {
            let name = entry.ok()?.file_name().into_string().ok()?;
            let name = name.strip_suffix(".json")?;
            name.starts_with(prefix).then(|| name.to_owned())
        })
        .collect();
    names.sort();
    names
}

fn shape(value: &Value) -> Vec<usize> {
    value["shape"]
        .as_array()
        .expect("a shape")
        .iter()
        .map(|dim| dim.as_u64().expect("a dimension") as usize)
        .collect()
}

impl Case {
    /// Loads `tests/fixtures/<group>/<name>.{json,safetensors}`.
    pub fn load(group: &str, name: &str) -> Self {
        let path = folder(group).join(name);
        let text = fs::read(path.with_file_name(format!("{name}.json"))).expect("a manifest");
        let bytes =
            fs::read(path.with_file_name(format!("{name}.safetensors"))).expect("expected values");
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let tensors = file
            .tensors()
            .into_iter()
            .map(|(key, view)| {
                let values = view
                    .data()
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|bytes| f32::from_le_bytes(*bytes))
                    .collect();
                (key, values)
            })
            .collect();
        Self {
            name: name.to_owned(),
            manifest: serde_json::from_slice(&text).expect("a JSON manifest"),
            tensors,
        }
    }

    fn entry(&self, list: &str, field: &str, name: &str) -> &Value {
        self.manifest[list]
            .as_array()
            .and_then(|entries| entries.iter().find(|entry| entry[field] == name))
            .unwrap_or_else(|| panic!("{}: no `{name}` in `{list}`", self.name))
    }

    /// Whether the manifest lists an input of this name.
    pub fn has_input(&self, name: &str) -> bool {
        self.manifest["inputs"]
            .as_array()
            .is_some_and(|inputs| inputs.iter().any(|input| input["name"] == name))
    }

    /// A float input, made by the rule that the manifest names (`fill`, `const`, `copy`).
    pub fn input<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D> {
        let entry = if self.manifest["input"]["name"] == name {
            &self.manifest["input"]
        } else {
            self.entry("inputs", "name", name)
        };
        let shape = shape(entry);
        let len = shape.iter().product();
        let values = match entry["rule"].as_str().unwrap_or("fill") {
            rule @ ("fill" | "fill_then_row1_copies_row0") => {
                let mut values = rule::fill(
                    &format!("{}/{name}", self.name),
                    len,
                    entry["scale"].as_f64().expect("a scale"),
                    entry["offset"].as_f64().expect("an offset"),
                );
                if rule != "fill" {
                    let row = len / shape[0];
                    values.copy_within(..row, row);
                }
                values
            }
            // A uniform number, for Gumbel noise.
            "fill, then U=(v+1)/2" => {
                let values = rule::fill(&format!("{}/{name}", self.name), len, 1.0, 0.0);
                values.into_iter().map(|v| (v + 1.0) / 2.0).collect()
            }
            "const" => vec![entry["value"].as_f64().expect("a value") as f32; len],
            "copy" => {
                let source = entry["of"]
                    .as_str()
                    .or_else(|| entry["from"].as_str())
                    .expect("the copied input's name");
                return self.input(source, device);
            }
            other => panic!("{}: unsupported input rule `{other}`", self.name),
        };
        Tensor::from_data(float_data(values, shape), device)
    }

    /// An integer input (labels, indices), whose values the manifest lists row by row.
    pub fn integers<const D: usize>(&self, name: &str, device: &Device) -> Tensor<D, Int> {
        fn flatten(value: &Value, depth: usize, shape: &mut Vec<usize>, into: &mut Vec<i32>) {
            match value {
                Value::Array(values) => {
                    if shape.len() == depth {
                        shape.push(values.len());
                    }
                    for value in values {
                        flatten(value, depth + 1, shape, into);
                    }
                }
                value => into.push(value.as_i64().expect("an integer") as i32),
            }
        }

        let (mut shape, mut values) = (Vec::new(), Vec::new());
        let listed = &self.entry("inputs", "name", name)["values"];
        flatten(listed, 0, &mut shape, &mut values);
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// The samples that contrastive distillation compares with in an iteration, `[batch, 1 + K]`: the
    /// stream of labels among `samples`, and each sample itself in the first column.
    pub fn contrast(&self, iteration: usize, samples: usize, device: &Device) -> Tensor<2, Int> {
        let name = format!("contrast_idx{iteration}");
        let shape = shape(self.entry("inputs", "name", &name));
        let len = shape.iter().product();
        let key = format!("{}/{name}", self.name);
        let values = rule::labels(&key, len, samples as u64);
        let rows = Tensor::<2, Int>::from_data(TensorData::new(values, shape.clone()), device);
        let own = self.integers::<1>(&format!("index{iteration}"), device);
        let others = rows.narrow(1, 1, shape[1] - 1);
        Tensor::cat(vec![own.unsqueeze_dim(1), others], 1)
    }

    /// Labels, whose values the manifest lists.
    pub fn labels(&self, name: &str, device: &Device) -> Tensor<1, Int> {
        self.integers(name, device)
    }

    /// Whether there is an expected tensor of this name.
    pub fn has_expected(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Names of all expected tensors that start with `prefix`.
    pub fn expected_names<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.tensors
            .keys()
            .map(String::as_str)
            .filter(move |name| name.starts_with(prefix))
    }

    /// All parameters and buffers by their PyTorch key, filled by role: (key, shape, values).
    /// `num_batches_tracked` counters are left out.
    pub fn params(&self) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        self.manifest["params"]
            .as_array()
            .expect("a parameter list")
            .iter()
            .filter(|param| param["role"] != "bn_count")
            .map(|param| {
                let key = param["key"].as_str().expect("a key");
                let shape = shape(param);
                let fan_in = shape.iter().skip(1).product::<usize>() as f64;
                let (scale, offset) = match param["role"].as_str().expect("a role") {
                    "conv_weight" => ((3.0 / fan_in).sqrt() * 2f64.sqrt(), 0.0),
                    "linear_weight" => ((3.0 / fan_in).sqrt(), 0.0),
                    "bias" | "bn_bias" | "bn_mean" => (0.1, 0.0),
                    "bn_weight" => (0.2, 1.0),
                    "bn_var" => (0.5, 1.0),
                    "memory" => (param["scale"].as_f64().expect("a scale"), 0.0),
                    // Its values are listed.
                    "const" => (0.0, 0.0),
                    other => panic!("{}: unsupported parameter role `{other}`", self.name),
                };
                let len = shape.iter().product();
                let values = match param["value"].as_array() {
                    Some(values) => values
                        .iter()
                        .map(|value| value.as_f64().expect("a value") as f32)
                        .collect(),
                    None => rule::fill(&format!("{}/{key}", self.name), len, scale, offset),
                };
                (key.to_owned(), shape, values)
            })
            .collect()
    }

    /// One parameter as a tensor, by its PyTorch key.
    pub fn param<const D: usize>(&self, key: &str, device: &Device) -> Tensor<D> {
        let (_, shape, values) = self
            .params()
            .into_iter()
            .find(|(name, ..)| name == key)
            .unwrap_or_else(|| panic!("{}: no parameter `{key}`", self.name));
        Tensor::from_data(float_data(values, shape), device)
    }

    /// The student or teacher of a step, with the case's parameters.
    pub fn network(&self, of: &str, architecture: Architecture, device: &Device) -> AnyNetwork {
        let prefix = format!("{of}.");
        let entries = self
            .params()
            .into_iter()
            .filter_map(|(key, shape, values)| {
                let key = key.strip_prefix(&prefix)?.to_owned();
                Some((key, float_data(values, shape)))
            });
        let classes = self.hyper("num_classes").expect("a number") as usize;
        load_state_dict(architecture.init(classes, device), entries)
            .unwrap_or_else(|problems| panic!("{}: {}", self.name, problems.join("\n")))
    }

    /// An expected scalar.
    pub fn scalar(&self, name: &str) -> f64 {
        self.manifest["scalars"][name]
            .as_f64()
            .unwrap_or_else(|| panic!("{}: no scalar `{name}`", self.name))
    }

    /// A number among the hyper-parameters.
    pub fn hyper(&self, name: &str) -> Option<f64> {
        self.manifest["hyper"][name].as_f64()
    }

    /// The values of an expected tensor, row-major.
    pub fn expected(&self, name: &str) -> &[f32] {
        self.tensors
            .get(name)
            .unwrap_or_else(|| panic!("{}: no expected tensor `{name}`", self.name))
    }
}
