//! What a file holds, by key.

use std::collections::BTreeMap;
use std::fmt;

use burn::tensor::TensorData;

use super::pickle::StoredTensor;
use crate::parameters::Expected;

/// Counter that PyTorch's batch norm keeps; nothing here depends on it.
pub(super) const COUNTER: &str = "num_batches_tracked";

/// Whether this is the key of a batch norm's counter.
pub(super) fn is_counter(key: &str) -> bool {
    key.rsplit('.').next() == Some(COUNTER)
}

/// Numbers that profilers and averaging leave beside the weights; nothing here depends on them.
const COUNTERS: &[&str] = &["n_averaged", "total_ops", "total_params"];

/// Whether this is the key of such a number.
pub(super) fn is_foreign_counter(key: &str) -> bool {
    key.rsplit('.')
        .next()
        .is_some_and(|name| COUNTERS.contains(&name))
}

/// What stands under a key.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    /// Numbers that a network can take.
    Floats(TensorData),
    /// The same, as yet in the file.
    Stored(StoredTensor),
    /// Anything else, described.
    Other(String),
}

impl Entry {
    /// The shape of a tensor that a network can take.
    pub(super) fn shape(&self) -> Option<&[usize]> {
        match self {
            Self::Floats(data) => Some(data.shape()),
            Self::Stored(tensor) => Some(&tensor.shape),
            Self::Other(_) => None,
        }
    }
}

/// Shapes and descriptions by key: the file without its numbers.
pub(super) struct Listing<'a>(BTreeMap<&'a str, Found<'a>>);

#[derive(Clone)]
enum Found<'a> {
    Floats(Vec<usize>),
    Other(&'a str),
}

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Floats(shape) => write!(f, "{shape:?}"),
            Self::Other(description) => write!(f, "({})", description.escape_debug()),
        }
    }
}

impl<'a> Listing<'a> {
    pub(super) fn of(entries: impl IntoIterator<Item = (&'a str, &'a Entry)>) -> Self {
        let found = entries.into_iter().map(|(key, entry)| {
            let found = match entry {
                Entry::Floats(data) => Found::Floats(data.shape().to_vec()),
                Entry::Stored(tensor) => Found::Floats(tensor.shape.clone()),
                Entry::Other(description) => Found::Other(description),
            };
            (key, found)
        });
        Self(found.collect())
    }

    /// Number of keys.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &'a str> {
        self.0.keys().copied()
    }

    /// Shape of the tensor under this key.
    pub(super) fn shape(&self, key: &str) -> Option<&[usize]> {
        match self.0.get(key)? {
            Found::Floats(shape) => Some(shape),
            Found::Other(_) => None,
        }
    }

    /// Number of tensors of four dimensions: convolutions.
    pub(super) fn convolutions(&self) -> usize {
        let four = |found: &&Found<'_>| matches!(found, Found::Floats(shape) if shape.len() == 4);
        self.0.values().filter(four).count()
    }

    /// Every missing, unexpected and mis-shaped key.
    pub(super) fn problems(&self, wanted: &[Expected]) -> Vec<String> {
        let mut unexpected = self.0.clone();
        let mut problems = Vec::new();
        for Expected { key, shape, .. } in wanted {
            match unexpected.remove(key.as_str()) {
                None => problems.push(format!("missing `{key}` {shape:?}")),
                Some(Found::Floats(found)) if found == *shape => {}
                Some(found) => problems.push(format!("`{key}` is {found}, expected {shape:?}")),
            }
        }
        let unexpected = unexpected.iter();
        problems.extend(
            unexpected.map(|(key, found)| format!("unexpected `{}` {found}", key.escape_debug())),
        );
        problems
    }
}
