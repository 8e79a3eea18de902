//! Fetching of public archives.

mod client;
mod unpack;

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use md5::{Digest, Md5};

use crate::{Cifar, DataError};

/// Bytes that are handed from the connection to the file at once.
const CHUNK: usize = 1 << 16;

/// How often a connection that broke off is taken up again without a byte more.
const PATIENCE: usize = 2;

/// A public archive of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    /// Where it is.
    pub url: String,
    /// Its MD5 sum, as the publisher gives it, in lowercase hexadecimal digits: against damage, not
    /// against malice.
    pub md5: String,
}

impl Archive {
    /// CIFAR for Python, as torchvision fetches it.
    pub fn cifar(set: Cifar) -> Self {
        let (file, md5) = match set {
            Cifar::Cifar10 => ("cifar-10-python.tar.gz", "c58f30108f718f92721af3b95e74349a"),
            Cifar::Cifar100 => (
                "cifar-100-python.tar.gz",
                "eb9058c3a382ffc7106e4002c42a8d85",
            ),
        };
        Self {
            url: format!("https://www.cs.toronto.edu/~kriz/{file}"),
            md5: md5.to_owned(),
        }
    }

    /// Tiny-ImageNet.
    pub fn tiny_imagenet() -> Self {
        Self {
            url: "http://cs231n.stanford.edu/tiny-imagenet-200.zip".to_owned(),
            md5: "90528d7ca1a48142e341f4ef8d21d0de".to_owned(),
        }
    }

    /// Fetches the archive into a folder, which is made if it is not there, compares its checksum, and
    /// unpacks it beside. An archive that is there already is not fetched again, and one that was
    /// broken off is continued where it ends.
    ///
    /// # Errors
    ///
    /// * [`DataError::Download`]: the server cannot be reached, or answers otherwise than with the
    ///   archive. What has arrived is kept for the next time.
    /// * [`DataError::Checksum`]: the archive is damaged. It is removed.
    /// * [`DataError::Write`], [`DataError::Read`]: the folder cannot be used.
    /// * [`DataError::Content`]: the archive cannot be unpacked.
    pub fn fetch(&self, folder: impl AsRef<Path>) -> Result<(), DataError> {
        let folder = folder.as_ref();
        fs::create_dir_all(folder).map_err(DataError::write(folder))?;
        let archive = folder.join(self.file_name()?);
        if !(archive.is_file() && md5_of(&archive)? == self.md5) {
            let part = folder.join(format!("{}.part", self.file_name()?));
            self.download(&part)?;
            self.compare(&part)?;
            fs::rename(&part, &archive).map_err(DataError::write(&archive))?;
        }
        unpack::unpack(&archive, folder)?;
        tracing::info!(archive = %archive.display(), "downloaded and unpacked");
        Ok(())
    }

    fn file_name(&self) -> Result<&str, DataError> {
        let name = self.url.rsplit('/').next().filter(|name| !name.is_empty());
        name.ok_or_else(|| self.failed("its URL does not end in a file name"))
    }

    fn failed(&self, reason: impl ToString) -> DataError {
        DataError::Download {
            url: self.url.clone(),
            reason: reason.to_string(),
        }
    }

    /// Removes a file whose sum is another.
    fn compare(&self, path: &Path) -> Result<(), DataError> {
        let found = md5_of(path)?;
        if found == self.md5 {
            return Ok(());
        }
        fs::remove_file(path).map_err(DataError::write(path))?;
        Err(DataError::Checksum {
            url: self.url.clone(),
            found,
            expected: self.md5.clone(),
        })
    }

    /// Appends to what is there until the archive is complete; a connection that breaks off is taken
    /// up again as long as it brings something.
    fn download(&self, part: &Path) -> Result<(), DataError> {
        let mut idle = 0;
        loop {
            let before = part.metadata().map_or(0, |file| file.len());
            let Err(error) = self.continue_at(part, before) else {
                return Ok(());
            };
            let after = part.metadata().map_or(0, |file| file.len());
            idle = if after > before { 0 } else { idle + 1 };
            if idle >= PATIENCE || !matches!(error, DataError::Download { .. }) {
                return Err(error);
            }
            tracing::warn!("{error}; resuming at byte {after}");
        }
    }

    /// One request for what is missing.
    fn continue_at(&self, part: &Path, start: u64) -> Result<(), DataError> {
        tracing::info!(url = self.url, start, "downloading");
        let mut answer = client::get(&self.url, start).map_err(|error| self.failed(error))?;
        let append = match answer.status {
            206 => true,
            200 => false,
            // Nothing is missing: the checksum says whether that is true.
            416 if start > 0 => return Ok(()),
            code => return Err(self.failed(format!("the server returned status {code}"))),
        };
        let mut file = OpenOptions::new()
            .create(true)
            .write(true)
            .append(append)
            .truncate(!append)
            .open(part)
            .map_err(DataError::write(part))?;
        let mut chunk = vec![0; CHUNK];
        loop {
            let count = answer
                .read(&mut chunk)
                .map_err(|error| self.failed(error))?;
            if count == 0 {
                return file.sync_all().map_err(DataError::write(part));
            }
            file.write_all(&chunk[..count])
                .map_err(DataError::write(part))?;
        }
    }
}

/// The MD5 sum of a file in hexadecimal digits.
fn md5_of(path: &Path) -> Result<String, DataError> {
    let mut sum = Md5::new();
    let mut file = File::open(path).map_err(DataError::read(path))?;
    io::copy(&mut file, &mut sum).map_err(DataError::read(path))?;
    Ok(sum
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}
