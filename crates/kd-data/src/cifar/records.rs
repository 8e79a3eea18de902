//! Records to pixels and labels.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use super::layout::{IMAGE_BYTES, Layout};
use crate::DataError;

/// Reads the records of the files one after the other, at most `limit` of them in all.
///
/// Returns pixel bytes `[N, 3, 32, 32]` and `N` labels.
pub(super) fn read(
    layout: &Layout,
    files: &[PathBuf],
    limit: Option<usize>,
) -> Result<(Vec<u8>, Vec<u32>), DataError> {
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for path in files {
        // Every file is looked at, so that a damaged one is found whatever the limit.
        let count = records_of(layout, path)?;
        let left = limit.map_or(count, |limit| limit.saturating_sub(labels.len()));
        append(layout, path, count.min(left), &mut pixels, &mut labels)?;
    }
    Ok((pixels, labels))
}

/// The number of records of a file, by its size.
fn records_of(layout: &Layout, path: &Path) -> Result<usize, DataError> {
    let record_bytes = layout.record_bytes();
    let size = path.metadata().map_err(DataError::read(path))?.len();
    if size == 0 {
        return Err(DataError::EmptyFile {
            path: path.into(),
            record_bytes,
        });
    }
    if size % record_bytes as u64 != 0 {
        return Err(DataError::Truncated {
            path: path.into(),
            size,
            record_bytes,
        });
    }
    Ok((size / record_bytes as u64) as usize)
}

/// Appends the first `count` records of a file.
fn append(
    layout: &Layout,
    path: &Path,
    count: usize,
    pixels: &mut Vec<u8>,
    labels: &mut Vec<u32>,
) -> Result<(), DataError> {
    if count == 0 {
        return Ok(());
    }
    let mut reader =
        BufReader::with_capacity(1 << 16, File::open(path).map_err(DataError::read(path))?);
    pixels.reserve_exact(count * IMAGE_BYTES);
    labels.reserve_exact(count);
    let mut record = vec![0; layout.record_bytes()];
    for index in 0..count {
        reader
            .read_exact(&mut record)
            .map_err(DataError::read(path))?;
        let (head, image) = record.split_at(layout.fields.len());
        let mut label = 0;
        for (field, &value) in layout.fields.iter().zip(head) {
            label = layout.check(field, value.into(), (path, index))?;
        }
        pixels.extend_from_slice(image);
        labels.push(label);
    }
    Ok(())
}
