//! The search for runs.

use std::io;
use std::path::{Path, PathBuf};

/// The folders in a folder in the order of their names, without hidden ones: where runs may lie.
///
/// # Errors
///
/// If the folder cannot be read.
pub fn subfolders(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(folder)?
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            let is_folder = entry.file_type().ok()?.is_dir();
            (is_folder && !hidden).then(|| entry.path())
        })
        .collect();
    folders.sort();
    Ok(folders)
}
