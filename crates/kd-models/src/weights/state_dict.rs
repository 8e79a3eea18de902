//! A network's tensors by PyTorch key.

use std::collections::BTreeMap;

use burn::tensor::TensorData;
use burn_store::{BurnToPyTorchAdapter, ModuleSnapshot, PyTorchToBurnAdapter, bridge};

use super::expected::{Expected, expected};
use crate::{ModelError, Network};

/// Counter that PyTorch's batch norm keeps; nothing here depends on it.
pub(super) const COUNTER: &str = "num_batches_tracked";

/// All parameters and buffers of a network, by PyTorch key and in PyTorch's layout, in the order
/// of the module.
///
/// # Errors
///
/// [`ModelError::Parameter`] if a tensor cannot be read from the device.
pub fn state_dict<N: Network>(network: &N) -> Result<Vec<(String, TensorData)>, ModelError> {
    network
        .collect(None, Some(Box::new(BurnToPyTorchAdapter)), true)
        .into_iter()
        .map(|tensor| {
            let key = network.pytorch_key(&tensor.name);
            match bridge::into_data(tensor) {
                Ok(data) => Ok((key, data)),
                Err(error) => Err(ModelError::Parameter {
                    key,
                    reason: error.to_string(),
                }),
            }
        })
        .collect()
}

/// Replaces all parameters and buffers of a network by those of `entries` (PyTorch keys and
/// layouts).
///
/// `num_batches_tracked` is ignored; everything else must match exactly.
///
/// # Errors
///
/// The list of every missing, unexpected and mis-shaped key.
pub fn load_state_dict<N: Network>(
    mut network: N,
    entries: impl IntoIterator<Item = (String, TensorData)>,
) -> Result<N, Vec<String>> {
    let mut entries: BTreeMap<String, TensorData> = entries
        .into_iter()
        .filter(|(key, _)| !key.ends_with(COUNTER))
        .collect();
    let wanted = expected(&network);
    let problems = problems(&wanted, &shapes(&entries));
    if !problems.is_empty() {
        return Err(problems);
    }
    let tensors = wanted
        .into_iter()
        .filter_map(|wanted| {
            let data = entries.remove(&wanted.key)?;
            Some(bridge::from_data(data, wanted.path, None))
        })
        .collect();
    let result = network.apply(tensors, None, Some(Box::new(PyTorchToBurnAdapter)), true);
    if result.errors.is_empty() && result.missing.is_empty() {
        Ok(network)
    } else {
        let errors = result.errors.iter().map(ToString::to_string);
        let missing = result
            .missing
            .iter()
            .map(|(path, _)| format!("missing `{path}`"));
        Err(errors.chain(missing).collect())
    }
}

/// The shape of each entry.
pub(super) fn shapes(entries: &BTreeMap<String, TensorData>) -> BTreeMap<&str, Vec<usize>> {
    let shapes = entries.iter();
    shapes
        .map(|(key, data)| (key.as_str(), data.shape().to_vec()))
        .collect()
}

/// Every missing, unexpected and mis-shaped key.
pub(super) fn problems(wanted: &[Expected], found: &BTreeMap<&str, Vec<usize>>) -> Vec<String> {
    let mut unexpected = found.clone();
    let mut problems = Vec::new();
    for Expected { key, shape, .. } in wanted {
        match unexpected.remove(key.as_str()) {
            None => problems.push(format!("missing `{key}` {shape:?}")),
            Some(found) if found != *shape => {
                problems.push(format!("`{key}` is {found:?}, expected {shape:?}"));
            }
            Some(_) => {}
        }
    }
    let unexpected = unexpected.iter();
    problems.extend(unexpected.map(|(key, shape)| format!("unexpected `{key}` {shape:?}")));
    problems
}
