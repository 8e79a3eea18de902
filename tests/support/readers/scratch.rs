//! Files for readers that take a path.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tempfile::TempDir;

/// A folder of this process and of one reader.
pub(super) fn folder(reader: &str) -> PathBuf {
    static ROOT: OnceLock<TempDir> = OnceLock::new();
    let root = ROOT.get_or_init(|| tempfile::tempdir().expect("a temporary folder"));
    let folder = root.path().join(reader);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// Writes a file, and the folders that it is in.
pub(super) fn write(path: &Path, bytes: &[u8]) {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).expect("a folder");
    }
    fs::write(path, bytes).expect("a file");
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => {}
    }
}
