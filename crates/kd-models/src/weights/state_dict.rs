//! A network's tensors by PyTorch key.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Tensor, TensorData};
use burn_store::{BurnToPyTorchAdapter, ModuleSnapshot, PyTorchToBurnAdapter, bridge};

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
    let mut problems = Vec::new();
    let mut tensors = Vec::new();
    for wanted in network.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true) {
        let key = network.pytorch_key(&wanted.name);
        match entries.remove(&key) {
            None => problems.push(format!("missing `{key}` {:?}", wanted.shape.as_slice())),
            Some(data) if data.shape().as_slice() != wanted.shape.as_slice() => {
                problems.push(format!(
                    "`{key}` is {:?}, expected {:?}",
                    data.shape().as_slice(),
                    wanted.shape.as_slice()
                ));
            }
            Some(data) => tensors.push(bridge::from_data(data, wanted.name, None)),
        }
    }
    problems.extend(entries.keys().map(|key| format!("unexpected `{key}`")));
    if !problems.is_empty() {
        return Err(problems);
    }
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

/// Number of trainable parameters: running statistics are not counted.
pub fn count_parameters<M: Module>(module: &M) -> usize {
    struct Counter {
        path: Vec<String>,
        count: usize,
    }

    impl ModuleVisitor for Counter {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.path.push(name.to_owned());
        }

        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.path.pop();
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let buffer = self
                .path
                .last()
                .is_some_and(|name| name.starts_with("running_"));
            if !buffer {
                self.count += param.shape().num_elements();
            }
        }
    }

    let mut counter = Counter {
        path: Vec::new(),
        count: 0,
    };
    module.visit(&mut counter);
    counter.count
}
