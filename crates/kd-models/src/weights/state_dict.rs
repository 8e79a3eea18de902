//! A network's tensors by PyTorch key.

use std::collections::BTreeMap;

use burn::tensor::TensorData;
use burn_store::{BurnToPyTorchAdapter, ModuleSnapshot, PyTorchToBurnAdapter, bridge};

use super::expected::expected;
use super::listing::{Entry, Listing, is_counter};
use crate::{ModelError, Network};

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
    network: N,
    entries: impl IntoIterator<Item = (String, TensorData)>,
) -> Result<N, Vec<String>> {
    let entries = entries
        .into_iter()
        .filter(|(key, _)| !is_counter(key))
        .map(|(key, data)| (key, Entry::Floats(data)))
        .collect();
    load_entries(network, entries)
}

/// The same for what a file holds.
pub(super) fn load_entries<N: Network>(
    mut network: N,
    mut entries: BTreeMap<String, Entry>,
) -> Result<N, Vec<String>> {
    let wanted = expected(&network);
    let problems = Listing::of(&entries).problems(&wanted);
    if !problems.is_empty() {
        return Err(problems);
    }
    let tensors = wanted
        .into_iter()
        .filter_map(|wanted| match entries.remove(&wanted.key) {
            Some(Entry::Floats(data)) => Some(bridge::from_data(data, wanted.path, None)),
            _ => None,
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
