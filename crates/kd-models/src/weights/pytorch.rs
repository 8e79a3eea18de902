//! Reading PyTorch's `.pth` files.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use burn::tensor::{DType, TensorData};
use pytorch_reader::{DType as FileDType, PickleValue, PytorchError, PytorchReader, Tensor};

use super::listing::{Entry, is_counter};
use crate::ModelError;

/// Keys under which checkpoints hold the weights, the usual ones first.
const KEYS: &[&str] = &[
    "model",
    "net",
    "snet",
    "state_dict",
    "model_state_dict",
    "network",
];

/// What PyTorch itself puts into a state dict beside the tensors: versions of its modules.
const METADATA: &str = "_metadata";

/// Names of Python's `builtins` that are types of values; all others are functions.
const TYPES: &[&str] = &[
    "bool",
    "bytearray",
    "bytes",
    "complex",
    "dict",
    "float",
    "frozenset",
    "int",
    "list",
    "long",
    "object",
    "range",
    "set",
    "slice",
    "str",
    "tuple",
    "type",
    "unicode",
    "xrange",
];

/// Modules of Python that no checkpoint needs, and that run programs.
const MODULES: &[&str] = &[
    "os",
    "posix",
    "nt",
    "subprocess",
    "sys",
    "shutil",
    "socket",
    "runpy",
    "importlib",
    "pty",
];

/// Tensors of a checkpoint unfold to at most this many times the size of the file. Those of a
/// network fill it once; only a tensor that repeats a few stored numbers can be larger.
const UNFOLDING: u64 = 16;

type Dict = HashMap<String, PickleValue>;

/// All entries of the state dict in a checkpoint, by key; numbers as f32.
///
/// Nothing of the pickle is executed: objects that are not plain data are left unread.
pub(super) fn read(path: &Path) -> Result<Vec<(String, Entry)>, ModelError> {
    let failed = |error| failure(path, error);
    let root = PytorchReader::read_pickle_data(path, None).map_err(failed)?;
    refuse_code(path, &root)?;

    let none = |found| ModelError::NoStateDict {
        path: path.to_owned(),
        expected: KEYS.join("`, `"),
        found,
    };
    let PickleValue::Dict(root) = &root else {
        return Err(none(type_of(&root).to_owned()));
    };
    let (tensors, node) = match place(root) {
        Some((key, node)) => (PytorchReader::with_top_level_key(path, key), node),
        None => (PytorchReader::new(path), root),
    };
    let mut tensors = tensors.map_err(failed)?.into_tensors();
    let entries = entries(node);
    // A checkpoint without a state dict may hold a number as a tensor.
    let any = |(key, _): &(String, _)| tensors.get(key).is_some_and(|t| !t.shape().is_empty());
    if !entries.iter().any(any) {
        let mut keys: Vec<_> = root
            .keys()
            .map(|key| format!("`{}`", key.escape_debug()))
            .collect();
        keys.sort();
        return Err(none(match keys.as_slice() {
            [] => "no tensors".to_owned(),
            keys => keys.join(", "),
        }));
    }
    refuse_ambiguity(path, node)?;
    refuse_bomb(path, tensors.values())?;

    entries
        .into_iter()
        .filter(|(key, _)| !is_counter(key))
        .map(|(key, value)| {
            let entry = match tensors.remove(&key) {
                Some(tensor) => entry(path, &tensor)?,
                None => Entry::Other(type_of(value).to_owned()),
            };
            Ok((key, entry))
        })
        .collect()
}

/// The key and the dictionary that holds the weights; `None` if that is the whole file.
fn place(root: &Dict) -> Option<(&'static str, &Dict)> {
    if is_module(root) {
        return None;
    }
    KEYS.iter().find_map(|key| match root.get(*key) {
        Some(PickleValue::Dict(node)) if holds_tensors(node) => Some((*key, node)),
        _ => None,
    })
}

/// Whether this is a whole module (`torch.save(model)`), which the reader hands out as
/// dictionaries of dictionaries. Nothing else than tensors is in there, and no name has a dot.
fn is_module(root: &Dict) -> bool {
    fn only_tensors(entries: &Dict) -> bool {
        entries.iter().all(|(key, value)| {
            let tensors = match value {
                PickleValue::Dict(inner) => only_tensors(inner),
                other => is_tensor(other),
            };
            tensors && !key.contains('.')
        })
    }
    let wrapped = root.len() == 1 && root.keys().all(|key| KEYS.contains(&key.as_str()));
    !wrapped && only_tensors(root)
}

fn holds_tensors(entries: &Dict) -> bool {
    entries.values().any(|value| match value {
        PickleValue::Dict(entries) => holds_tensors(entries),
        other => is_tensor(other),
    })
}

fn is_tensor(value: &PickleValue) -> bool {
    matches!(value, PickleValue::Unsupported(name) if name == "torch.Tensor")
}

/// The entries of a state dict, or of a module as if it were one.
fn entries(node: &Dict) -> Vec<(String, &PickleValue)> {
    fn walk<'a>(prefix: &str, entries: &'a Dict, found: &mut Vec<(String, &'a PickleValue)>) {
        for (key, value) in entries {
            let key = format!("{prefix}{key}");
            match value {
                PickleValue::Dict(inner) => walk(&format!("{key}."), inner, found),
                value => found.push((key, value)),
            }
        }
    }
    let flat = node.keys().any(|key| key.contains('.'));
    if flat {
        let entries = node.iter().filter(|(key, _)| *key != METADATA);
        return entries.map(|(key, value)| (key.clone(), value)).collect();
    }
    let mut found = Vec::new();
    walk("", node, &mut found);
    found
}

/// An error if two tensors have the same path, of which the reader would keep either.
fn refuse_ambiguity(path: &Path, node: &Dict) -> Result<(), ModelError> {
    fn walk(name: String, value: &PickleValue, found: &mut BTreeSet<String>) -> Option<String> {
        let inner = |key: &str| format!("{name}.{key}");
        match value {
            PickleValue::Dict(entries) => entries
                .iter()
                .find_map(|(key, value)| walk(inner(key), value, found)),
            PickleValue::List(values) => values
                .iter()
                .enumerate()
                .find_map(|(index, value)| walk(inner(&index.to_string()), value, found)),
            value if is_tensor(value) && !found.insert(name.clone()) => Some(name),
            _ => None,
        }
    }
    let mut found = BTreeSet::new();
    let twice = node
        .iter()
        .find_map(|(key, value)| walk(key.clone(), value, &mut found));
    match twice {
        None => Ok(()),
        Some(key) => Err(ModelError::Format {
            path: path.to_owned(),
            reason: format!("two tensors are `{}`", key.escape_debug()),
        }),
    }
}

/// An error if the tensors are much larger than the file.
fn refuse_bomb<'a>(
    path: &Path,
    tensors: impl Iterator<Item = &'a Tensor>,
) -> Result<(), ModelError> {
    let size = std::fs::metadata(path).map_err(|source| ModelError::Io {
        path: path.to_owned(),
        source,
    })?;
    let size = size.len();
    let unfolded = tensors
        .map(|tensor| {
            let factors = tensor.shape().iter().map(|extent| *extent as u64);
            factors.fold(8, u64::saturating_mul)
        })
        .fold(0, u64::saturating_add);
    if unfolded / UNFOLDING > size {
        return Err(ModelError::Format {
            path: path.to_owned(),
            reason: format!("its tensors unfold to {unfolded} bytes, from a file of {size}"),
        });
    }
    Ok(())
}

/// An error if the pickle visibly calls a function that runs a program in Python.
fn refuse_code(path: &Path, value: &PickleValue) -> Result<(), ModelError> {
    match value {
        PickleValue::Dict(entries) => entries
            .values()
            .try_for_each(|value| refuse_code(path, value)),
        PickleValue::List(values) => values.iter().try_for_each(|value| refuse_code(path, value)),
        PickleValue::Unsupported(name) => {
            let (module, function) = name.rsplit_once('.').unwrap_or(("", name));
            let top = module.split('.').next().unwrap_or_default();
            let code = match top {
                "builtins" | "__builtin__" => !TYPES.contains(&function),
                _ => MODULES.contains(&top),
            };
            if code {
                return Err(ModelError::Code {
                    path: path.to_owned(),
                    name: name.escape_debug().to_string(),
                });
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn entry(path: &Path, tensor: &Tensor) -> Result<Entry, ModelError> {
    let dtype = match tensor.dtype() {
        FileDType::F64 => DType::F64,
        FileDType::F32 => DType::F32,
        FileDType::F16 => DType::F16,
        FileDType::BF16 => DType::BF16,
        other => return Ok(Entry::Other(format!("{other:?} {:?}", tensor.shape()))),
    };
    let bytes = tensor.read().map_err(|source| ModelError::Io {
        path: path.to_owned(),
        source,
    })?;
    let data = TensorData::from_bytes_vec(bytes, tensor.shape().to_vec(), dtype);
    Ok(Entry::Floats(data.convert::<f32>()))
}

/// The Python type of a value.
fn type_of(value: &PickleValue) -> &str {
    match value {
        PickleValue::None => "None",
        PickleValue::Bool(_) => "bool",
        PickleValue::Int(_) => "int",
        PickleValue::Float(_) => "float",
        PickleValue::String(_) => "str",
        PickleValue::List(_) => "list",
        PickleValue::Dict(_) => "dict",
        PickleValue::Bytes(_) => "bytes",
        PickleValue::Unsupported(name) => name,
    }
}

fn failure(path: &Path, error: PytorchError) -> ModelError {
    match error {
        PytorchError::Io(source) => ModelError::Io {
            path: path.to_owned(),
            source,
        },
        other => ModelError::Format {
            path: path.to_owned(),
            reason: format!(
                "damaged, or not a PyTorch checkpoint: {}",
                other.to_string().escape_debug()
            ),
        },
    }
}
