//! Files that appear whole or not at all.

use std::io::{Error, Result, Write};
use std::path::Path;

/// Prefix of files that are being written; whatever bears it after a crash is rubbish.
pub const TEMPORARY: &str = ".tmp";

/// Writes `bytes` beside `path`, then renames.
///
/// # Errors
///
/// What the system says; it does not name the temporary file, which says nothing to a reader.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(TEMPORARY);
    // Temporary files are private by default; this one is to become an ordinary file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    std::fs::metadata(folder)?;
    let unnamed = |error: Error| Error::from(error.kind());
    let mut file = builder.tempfile_in(folder).map_err(unnamed)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
