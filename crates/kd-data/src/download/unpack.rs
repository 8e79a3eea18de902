//! Unpacking of `.tar.gz` and `.zip`.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::Path;

use flate2::read::GzDecoder;

use crate::DataError;

/// Unpacks an archive into a folder. What it holds appears whole or not at all; what is there under
/// the same name is replaced.
pub(super) fn unpack(archive: &Path, folder: &Path) -> Result<(), DataError> {
    let damaged = |reason: String| DataError::content(archive, format!("cannot unpack: {reason}"));
    let made = tempfile::Builder::new().prefix(".tmp").tempdir_in(folder);
    let place = made.map_err(DataError::write(folder))?;
    let file = BufReader::new(File::open(archive).map_err(DataError::read(archive))?);
    // Both crates refuse paths that lead out of the folder.
    if archive.extension().is_some_and(|ending| ending == "zip") {
        let mut zip = zip::ZipArchive::new(file).map_err(|error| damaged(error.to_string()))?;
        zip.extract(place.path())
            .map_err(|error| damaged(error.to_string()))?;
    } else {
        let mut tar = tar::Archive::new(GzDecoder::new(file));
        tar.unpack(place.path())
            .map_err(|error| damaged(error.to_string()))?;
    }
    for entry in fs::read_dir(place.path()).map_err(DataError::read(place.path()))? {
        let entry = entry.map_err(DataError::read(place.path()))?;
        let target = folder.join(entry.file_name());
        if target.is_dir() {
            fs::remove_dir_all(&target).map_err(DataError::write(&target))?;
        }
        fs::rename(entry.path(), &target).map_err(DataError::write(&target))?;
    }
    Ok(())
}
