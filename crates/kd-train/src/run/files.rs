//! Files that appear whole or not at all.

use std::path::Path;

pub(crate) use kd_models::files::TEMPORARY;
use serde::Serialize;

use crate::TrainError;

/// Writes `bytes` beside `path`, then renames.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    kd_models::files::write_atomically(path, bytes).map_err(|error| TrainError::io(path, error))
}

/// Writes a value as indented JSON.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), TrainError> {
    let mut bytes = serde_json::to_vec_pretty(value)
        .map_err(|error| TrainError::io(path, std::io::Error::other(error)))?;
    bytes.push(b'\n');
    write_atomically(path, &bytes)
}
