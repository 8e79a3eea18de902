//! Reading PyTorch's checkpoints.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::TensorData;

use super::WeightsInfo;
use super::checkpoint::{Checkpoint, Layout, StorageReader};
use super::listing::Entry;
use super::names::KEYS;
use super::pickle::{PickleError, StoredTensor};
use super::sets::{StateSet, find, top_keys};
use crate::ModelError;

/// Tensors of a checkpoint unfold to at most this many times the size of the file. Those of a
/// network fill it once; only a tensor that repeats a few stored numbers can be larger.
const UNFOLDING: u64 = 16;

type Found = (Option<WeightsInfo>, Vec<StateSet>, Option<Layout>);

/// The sets of weights in a checkpoint, and where their numbers are.
pub(super) fn read(path: &Path, archive: bool) -> Result<Found, ModelError> {
    let checkpoint = match archive {
        true => Checkpoint::archive(path),
        false => Checkpoint::stream(path),
    };
    let checkpoint = checkpoint.map_err(|error| failure(path, error))?;
    let format = |reason| ModelError::Format {
        path: path.to_owned(),
        reason,
    };
    let sets = find(&checkpoint.pickle).map_err(format)?;
    if sets.is_empty() {
        return Err(ModelError::NoStateDict {
            path: path.to_owned(),
            expected: KEYS.join("`, `"),
            found: top_keys(&checkpoint.pickle),
        });
    }
    let size = size_of(path)?;
    for set in &sets {
        let numbers = set.entries.values().map(numbers_of);
        let bytes = numbers.fold(0, u64::saturating_add).saturating_mul(8);
        if bytes / UNFOLDING > size {
            let reason = format!("its tensors expand to {bytes} bytes from a file of {size}");
            return Err(format(reason));
        }
    }
    Ok((None, sets, Some(checkpoint.layout)))
}

fn numbers_of(entry: &Entry) -> u64 {
    match entry {
        Entry::Stored(tensor) => tensor.len() as u64,
        Entry::Floats(data) => data.num_elements() as u64,
        Entry::Other(_) => 0,
    }
}

fn size_of(path: &Path) -> Result<u64, ModelError> {
    let file = std::fs::metadata(path).map_err(|source| ModelError::Io {
        path: path.to_owned(),
        source,
    })?;
    Ok(file.len())
}

/// The numbers of all tensors that are still in the file, by key, as f32.
pub(super) fn numbers<'a>(
    path: &Path,
    layout: &Layout,
    entries: impl Iterator<Item = (&'a str, &'a Entry)>,
) -> Result<BTreeMap<String, TensorData>, ModelError> {
    let stored = entries.filter_map(|(key, entry)| match entry {
        Entry::Stored(tensor) => Some((key, tensor)),
        _ => None,
    });
    let mut stored: Vec<_> = stored.collect();
    // Tensors that share a storage one after the other.
    stored.sort_by(|(_, one), (_, other)| one.storage.key.cmp(&other.storage.key));
    let most = size_of(path)?.saturating_mul(UNFOLDING);
    let failed = |error| failure(path, error);
    let mut reader = StorageReader::open(path, layout, most).map_err(failed)?;
    let mut numbers = BTreeMap::new();
    for (key, tensor) in stored {
        let bytes = reader.bytes(&tensor.storage).map_err(failed)?;
        let mut bytes = gathered(tensor, bytes);
        if layout.big_endian {
            let size = tensor.storage.element.size;
            bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        if let Some(dtype) = tensor.storage.element.float {
            let data = TensorData::from_bytes_vec(bytes, tensor.shape.clone(), dtype);
            numbers.insert(key.to_owned(), data.convert::<f32>());
        }
    }
    Ok(numbers)
}

/// The bytes of a tensor in its own order; its storage is known to hold them.
fn gathered(tensor: &StoredTensor, storage: &[u8]) -> Vec<u8> {
    let size = tensor.storage.element.size;
    let count = tensor.len();
    // Nothing bounds where an empty tensor begins.
    if count == 0 {
        // Its offset may be anything.
        return Vec::new();
    }
    let start = (tensor.storage.start + tensor.offset) * size;
    if tensor.is_contiguous() {
        return storage[start..start + count * size].to_vec();
    }
    let axes = tensor.shape.iter().zip(&tensor.stride);
    // The stride of an axis without extent is any number.
    let mut axes: Vec<_> = axes
        .filter(|(extent, _)| **extent > 1)
        .map(|(extent, stride)| (0, *extent, stride * size))
        .collect();
    let mut bytes = Vec::with_capacity(count * size);
    let mut place = start;
    for _ in 0..count {
        bytes.extend_from_slice(&storage[place..place + size]);
        for (index, extent, stride) in axes.iter_mut().rev() {
            *index += 1;
            place += *stride;
            if index < extent {
                break;
            }
            place -= *stride * *extent;
            *index = 0;
        }
    }
    bytes
}

fn failure(path: &Path, error: PickleError) -> ModelError {
    let path = path.to_owned();
    match error {
        PickleError::Io(source) => ModelError::Io { path, source },
        PickleError::Code(name) => ModelError::Code { path, name },
        PickleError::Foreign(reason) => ModelError::Format { path, reason },
        PickleError::Damaged(reason) => ModelError::Format {
            path,
            reason: format!(
                "damaged, or not a PyTorch checkpoint: {}",
                reason.escape_debug()
            ),
        },
    }
}
