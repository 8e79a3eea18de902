//! Reading PyTorch's `.pth` files.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::{DType, TensorData};
use pytorch_reader::{DType as FileDType, PickleValue, PytorchError, PytorchReader, Tensor};

use super::state_dict::COUNTER;
use crate::ModelError;

/// Keys under which checkpoints hold the weights, the usual ones first.
const KEYS: &[&str] = &["model", "net", "state_dict", "model_state_dict", "network"];

/// Names of Python's `builtins` that are types of values; all others are functions.
const TYPES: &[&str] = &[
    "bytearray",
    "bytes",
    "complex",
    "dict",
    "frozenset",
    "list",
    "object",
    "range",
    "set",
    "slice",
    "tuple",
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

/// All tensors of the state dict in a checkpoint, by key, as f32.
///
/// Nothing of the pickle is executed: objects that are not plain data are left unread.
pub(super) fn read(path: &Path) -> Result<Vec<(String, TensorData)>, ModelError> {
    let failed = |error| failure(path, error);
    let root = PytorchReader::read_pickle_data(path, None).map_err(failed)?;
    refuse_code(path, &root)?;

    let tensors = match &root {
        PickleValue::Dict(entries) => state_dict(path, entries)?,
        // A whole module, which the reader takes for its state dict.
        _ => PytorchReader::new(path).map_err(failed)?.into_tensors(),
    };
    if tensors.is_empty() {
        let found = match &root {
            PickleValue::Dict(entries) if !entries.is_empty() => {
                let mut keys: Vec<_> = entries.keys().map(|key| format!("`{key}`")).collect();
                keys.sort();
                keys.join(", ")
            }
            _ => "no tensors".to_owned(),
        };
        return Err(ModelError::NoStateDict {
            path: path.to_owned(),
            expected: KEYS.join("`, `"),
            found,
        });
    }

    tensors
        .into_iter()
        .filter(|(key, _)| !key.ends_with(COUNTER))
        .map(|(key, tensor)| Ok((key, data(path, &tensor)?)))
        .collect()
}

/// The tensors under the first known key that holds some, or else those at the top level.
fn state_dict(
    path: &Path,
    root: &HashMap<String, PickleValue>,
) -> Result<HashMap<String, Tensor>, ModelError> {
    let nested =
        |value: &PickleValue| matches!(value, PickleValue::Dict(_) | PickleValue::Unsupported(_));
    for key in KEYS {
        if root.get(*key).is_some_and(nested) {
            let reader = PytorchReader::with_top_level_key(path, key);
            let tensors = reader.map_err(|error| failure(path, error))?.into_tensors();
            if !tensors.is_empty() {
                return Ok(tensors);
            }
        }
    }
    let reader = PytorchReader::new(path).map_err(|error| failure(path, error))?;
    let mut tensors = reader.into_tensors();
    // Tensors deeper down are an optimiser's, for example.
    tensors.retain(|key, _| root.contains_key(key));
    // A checkpoint without a state dict may hold a number as a tensor.
    if tensors.values().all(|tensor| tensor.shape().is_empty()) {
        tensors.clear();
    }
    Ok(tensors)
}

/// An error if the pickle would run a program in Python.
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
                    name: name.clone(),
                });
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn data(path: &Path, tensor: &Tensor) -> Result<TensorData, ModelError> {
    let dtype = match tensor.dtype() {
        FileDType::F64 => DType::F64,
        FileDType::F32 => DType::F32,
        FileDType::F16 => DType::F16,
        FileDType::BF16 => DType::BF16,
        // No network here has whole numbers: such an entry will be listed as unexpected.
        _ => {
            return Ok(TensorData::new(
                vec![0f32; tensor.num_elements()],
                tensor.shape().to_vec(),
            ));
        }
    };
    let bytes = tensor.read().map_err(|source| ModelError::Io {
        path: path.to_owned(),
        source,
    })?;
    let data = TensorData::from_bytes_vec(bytes, tensor.shape().to_vec(), dtype);
    Ok(data.convert::<f32>())
}

fn failure(path: &Path, error: PytorchError) -> ModelError {
    match error {
        PytorchError::Io(source) => ModelError::Io {
            path: path.to_owned(),
            source,
        },
        other => ModelError::Format {
            path: path.to_owned(),
            reason: format!("damaged, or not a PyTorch checkpoint: {other}"),
        },
    }
}
