//! Writing weights.

use std::io::Write;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};

use super::WeightsInfo;
use super::listing::COUNTER;
use super::state_dict::state_dict;
use crate::{ModelError, Network};

/// Writes a network as safetensors with PyTorch keys, and `info` in its header.
///
/// The file appears whole or not at all: it is written beside its place and renamed.
///
/// # Errors
///
/// [`ModelError::Io`] if the file cannot be written, [`ModelError::Parameter`] if a tensor cannot be
/// read from the device, [`ModelError::Format`] if the network gives one key to two tensors.
pub fn save<N: Network>(
    path: impl AsRef<Path>,
    network: &N,
    info: &WeightsInfo,
) -> Result<(), ModelError> {
    let path = path.as_ref();
    let format = |reason: String| ModelError::Format {
        path: path.to_owned(),
        reason,
    };

    let entries = state_dict(network)?;
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
    let header = info
        .to_header()
        .map_err(|error| format(error.to_string()))?;
    let bytes =
        safetensors::serialize(views, Some(header)).map_err(|error| format(error.to_string()))?;
    write_atomically(path, &bytes).map_err(|source| ModelError::Io {
        path: path.to_owned(),
        source,
    })
}

fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    // Temporary files are private by default; this one is to become an ordinary file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
