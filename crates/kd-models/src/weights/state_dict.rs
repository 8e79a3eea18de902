//! A network's tensors by PyTorch key.

use std::collections::BTreeMap;

use burn::module::Module;
use burn::tensor::TensorData;
use burn_store::{BurnToPyTorchAdapter, ModuleSnapshot, PyTorchToBurnAdapter, bridge};

use super::listing::{Entry, Listing, is_counter};
use crate::parameters::expected;
use crate::{ModelError, PytorchKeys};

/// All parameters and buffers of a network, by PyTorch key and in PyTorch's layout, in the order
/// of the module.
///
/// # Errors
///
/// [`ModelError::Parameter`] if a tensor cannot be read from the device.
pub fn state_dict<N: PytorchKeys>(network: &N) -> Result<Vec<(String, TensorData)>, ModelError> {
    tensors(network, |path| network.pytorch_key(path))
}

/// All parameters and buffers of a module in PyTorch's layout, in the order of the module, under
/// what `key` makes of their paths.
///
/// # Errors
///
/// [`ModelError::Parameter`] if a tensor cannot be read from the device.
pub fn tensors<M: Module>(
    module: &M,
    key: impl Fn(&str) -> String,
) -> Result<Vec<(String, TensorData)>, ModelError> {
    module
        .collect(None, Some(Box::new(BurnToPyTorchAdapter)), true)
        .into_iter()
        .map(|tensor| {
            let key = key(&tensor.name);
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
pub fn load_state_dict<N: PytorchKeys>(
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
pub(super) fn load_entries<N: PytorchKeys>(
    mut network: N,
    mut entries: BTreeMap<String, Entry>,
) -> Result<N, Vec<String>> {
    let wanted = expected(&network);
    let found = entries.iter().map(|(key, entry)| (key.as_str(), entry));
    let problems = Listing::of(found).problems(&wanted);
    if !problems.is_empty() {
        return Err(problems);
    }
    let tensors = wanted
        .into_iter()
        .filter_map(|wanted| match entries.remove(&wanted.key) {
            Some(Entry::Floats(data)) => Some((wanted.path, data)),
            _ => None,
        });
    match apply(&mut network, tensors) {
        problems if problems.is_empty() => Ok(network),
        problems => Err(problems),
    }
}

/// Puts the tensors of a file into a module under the paths of its parameters, as
/// [`save_module`](super::save_module) writes them.
pub(super) fn load_by_path<M: Module>(
    mut module: M,
    entries: BTreeMap<String, Entry>,
) -> Result<M, Vec<String>> {
    let tensors = entries.into_iter().filter_map(|(key, entry)| match entry {
        Entry::Floats(data) if !is_counter(&key) => Some((key, data)),
        _ => None,
    });
    match apply(&mut module, tensors) {
        problems if problems.is_empty() => Ok(module),
        problems => Err(problems),
    }
}

/// Replaces a module's tensors by path; returns what does not fit.
fn apply<M: Module>(
    module: &mut M,
    tensors: impl Iterator<Item = (String, TensorData)>,
) -> Vec<String> {
    let tensors = tensors
        .map(|(path, data)| bridge::from_data(data, path, None))
        .collect();
    let result = module.apply(tensors, None, Some(Box::new(PyTorchToBurnAdapter)), true);
    let errors = result.errors.iter();
    let errors = errors.map(|error| error.to_string().escape_debug().to_string());
    let missing = result
        .missing
        .iter()
        .map(|(path, _)| format!("missing `{path}`"));
    let unused = result
        .unused
        .iter()
        .map(|path| format!("unexpected `{}`", path.escape_debug()));
    errors.chain(missing).chain(unused).collect()
}
