//! Writing weights.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::module::Module;
use burn::tensor::TensorData;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::WeightsInfo;
use super::listing::COUNTER;
use super::state_dict::{state_dict, tensors};
use crate::files::write_atomically;
use crate::{ModelError, PytorchKeys};

/// Writes a network as safetensors with PyTorch keys, and `info` in its header.
///
/// The file appears whole or not at all: it is written beside its place and renamed.
///
/// # Errors
///
/// [`ModelError::Io`] if the file cannot be written, [`ModelError::Parameter`] if a tensor cannot be
/// read from the device, [`ModelError::Format`] if the network gives one key to two tensors.
pub fn save<N: PytorchKeys>(
    path: impl AsRef<Path>,
    network: &N,
    info: &WeightsInfo,
) -> Result<(), ModelError> {
    let path = path.as_ref();
    let header = info.to_header().map_err(|error| ModelError::Format {
        path: path.to_owned(),
        reason: error.to_string(),
    })?;
    write(path, state_dict(network)?, &header)
}

/// Writes a module as safetensors under the paths of its parameters, in PyTorch's layout, with this
/// header. The file appears whole or not at all.
///
/// # Errors
///
/// As [`save`].
pub fn save_module<M: Module>(
    path: impl AsRef<Path>,
    module: &M,
    header: HashMap<String, String>,
) -> Result<(), ModelError> {
    let header = header.into_iter().collect();
    write(path.as_ref(), tensors(module, str::to_owned)?, &header)
}

fn write(
    path: &Path,
    entries: Vec<(String, TensorData)>,
    header: &BTreeMap<String, String>,
) -> Result<(), ModelError> {
    let format = |reason: String| ModelError::Format {
        path: path.to_owned(),
        reason,
    };
    // A file is of f32, whatever the device computes with.
    let entries: Vec<(String, TensorData)> = entries
        .into_iter()
        .map(|(key, data)| (key, data.convert::<f32>()))
        .collect();
    let counter = 0i64.to_le_bytes();
    let mut views = Vec::with_capacity(entries.len());
    for (key, data) in &entries {
        let view = TensorView::new(Dtype::F32, data.shape().to_vec(), data.as_bytes())
            .map_err(|error| format(format!("`{key}`: {error}")))?;
        views.push((key.clone(), view));
        if let Some(prefix) = key.strip_suffix("running_var") {
            let view = TensorView::new(Dtype::I64, Vec::new(), &counter)
                .map_err(|error| format(error.to_string()))?;
            views.push((format!("{prefix}{COUNTER}"), view));
        }
    }
    let bytes = safetensors::serialize(views, None).map_err(|error| format(error.to_string()))?;
    let bytes = described(&bytes, header).map_err(format)?;
    write_atomically(path, &bytes).map_err(|source| ModelError::Io {
        path: path.to_owned(),
        source,
    })
}

/// The file with this description in its header, whose entries are in the order of their names: the
/// same weights are the same bytes. The library writes them in an order that is drawn anew each time.
fn described(file: &[u8], header: &BTreeMap<String, String>) -> Result<Vec<u8>, String> {
    const LENGTH: usize = size_of::<u64>();
    let (length, _) = SafeTensors::read_metadata(file).map_err(|error| error.to_string())?;
    let (tensors, data) = file[LENGTH..].split_at(length);
    let tensors = tensors.trim_ascii_end();
    let description = serde_json::to_string(header).map_err(|error| error.to_string())?;
    let mut whole = format!(r#"{{"__metadata__":{description}"#).into_bytes();
    match tensors {
        [b'{', b'}'] => whole.push(b'}'),
        [b'{', rest @ ..] => {
            whole.push(b',');
            whole.extend(rest);
        }
        _ => return Err("the header is none".to_owned()),
    }
    // Numbers are aligned.
    whole.resize(whole.len().next_multiple_of(LENGTH), b' ');
    let mut bytes = Vec::with_capacity(LENGTH + whole.len() + data.len());
    bytes.extend((whole.len() as u64).to_le_bytes());
    bytes.extend(whole);
    bytes.extend(data);
    Ok(bytes)
}
