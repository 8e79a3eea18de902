//! Folders in a fixed order.

use std::fs;
use std::path::{Path, PathBuf};

use crate::DataError;

/// Endings of image files.
const ENDINGS: [&str; 3] = ["jpg", "jpeg", "png"];

/// The names of the folders in a folder, sorted.
pub(super) fn folders(path: &Path) -> Result<Vec<String>, DataError> {
    let (folders, _) = entries(path)?;
    folders
        .iter()
        .map(|folder| {
            let name = folder.file_name().and_then(|name| name.to_str());
            let unreadable = || DataError::content(folder, "its name is not UTF-8");
            name.map(str::to_owned).ok_or_else(unreadable)
        })
        .collect()
}

/// The image files in a folder and, after them, in its folders, sorted by name.
pub(super) fn images(path: &Path) -> Result<Vec<PathBuf>, DataError> {
    let (folders, mut files) = entries(path)?;
    files.retain(|file| {
        let ending = file.extension().and_then(|ending| ending.to_str());
        ending.is_some_and(|e| ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(e)))
    });
    for folder in folders {
        files.extend(images(&folder)?);
    }
    Ok(files)
}

/// The folders and the files in a folder, both sorted; what is hidden is left out.
fn entries(path: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), DataError> {
    let (mut folders, mut files) = (Vec::new(), Vec::new());
    for entry in fs::read_dir(path).map_err(DataError::read(path))? {
        let entry = entry.map_err(DataError::read(path))?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let own = entry.path();
        let kind = entry.file_type().map_err(DataError::read(&own))?;
        // A link counts as what it leads to.
        let folder = kind.is_dir() || (kind.is_symlink() && own.is_dir());
        if folder { &mut folders } else { &mut files }.push(own);
    }
    folders.sort_unstable();
    files.sort_unstable();
    Ok((folders, files))
}
