//! What can go wrong while data are read, described or generated.

use std::path::{Path, PathBuf};

/// An error of this crate: one line that names the file or field and what was expected of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The folder that should hold a data set is not there.
    #[error("data folder {} does not exist or is not a directory", .path.display())]
    MissingRoot {
        /// The folder as it was given.
        path: PathBuf,
    },
    /// Files of a data set are not in its folder.
    #[error("{dataset}: directory {} lacks {}; expected the official files (binary or Python version) in it or in its subdirectory {subfolder}", .folder.display(), .files.join(", "))]
    MissingFiles {
        /// The data set, as `CIFAR-100`.
        dataset: &'static str,
        /// The folder that was searched.
        folder: PathBuf,
        /// The names of the files that are not there.
        files: Vec<String>,
        /// The subfolder which the official archive unpacks to.
        subfolder: &'static str,
    },
    /// A file could not be opened or read.
    #[error("cannot read {}: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason given by the system.
        source: std::io::Error,
    },
    /// A file of records has no bytes at all.
    #[error("{} is empty; expected records of {record_bytes} bytes", .path.display())]
    EmptyFile {
        /// The file.
        path: PathBuf,
        /// The size of one record, in bytes.
        record_bytes: usize,
    },
    /// The size of a file of records is not a multiple of the record size.
    #[error("{} has {size} bytes, which is not a multiple of the record size of {record_bytes} bytes: {} whole records and {} extra bytes; is the file truncated?", .path.display(), .size / *.record_bytes as u64, .size % *.record_bytes as u64)]
    Truncated {
        /// The file.
        path: PathBuf,
        /// The size of the file, in bytes.
        size: u64,
        /// The size of one record, in bytes.
        record_bytes: usize,
    },
    /// A record has a label that its data set does not have.
    #[error("{}: record {record} has {field} {value}; expected a value below {classes}", .path.display())]
    LabelRange {
        /// The file.
        path: PathBuf,
        /// The number of the record in that file, from 0.
        record: usize,
        /// Which label of the record: `label`, `fine label` or `coarse label`.
        field: &'static str,
        /// The value found.
        value: i64,
        /// The number of classes of that label.
        classes: usize,
    },
    /// A file of class names does not have one name a class.
    #[error("{} has {found} class names; expected {expected}, one per line", .path.display())]
    LabelNames {
        /// The file.
        path: PathBuf,
        /// The number of names in the file.
        found: usize,
        /// The number of classes.
        expected: usize,
    },
    /// A file does not hold what its data set has there.
    #[error("{}: {reason}", .path.display())]
    Content {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong, and what was expected.
        reason: String,
    },
    /// A file is no image, or a damaged one.
    #[error("cannot decode {}: {reason}; expected a JPEG or PNG image", .path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },
    /// Images of a folder have two sizes, and none is given to bring them to.
    #[error("{} is {}x{}, but {} is {}x{}; set data.image_size to bring them to one size", .path.display(), .size[1], .size[0], .first.display(), .first_size[1], .first_size[0])]
    Sizes {
        /// The first image.
        first: PathBuf,
        /// Its size `[height, width]`.
        first_size: [usize; 2],
        /// An image of another size.
        path: PathBuf,
        /// Its size `[height, width]`.
        size: [usize; 2],
    },
    /// An archive could not be fetched.
    #[error("cannot download {url}: {reason}")]
    Download {
        /// Where it is.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// An archive that was fetched is damaged.
    #[error("{url}: the MD5 checksum is {found}, expected {expected}; the file was removed")]
    Checksum {
        /// Where it is.
        url: String,
        /// The sum of what was fetched.
        found: String,
        /// The sum that the publisher gives.
        expected: String,
    },
    /// A file or folder could not be written.
    #[error("cannot write {}: {source}", .path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The reason given by the system.
        source: std::io::Error,
    },
    /// A field of a configuration or an argument has a value that it cannot have.
    #[error("{owner}: {field} is {found}; expected {expected}")]
    Invalid {
        /// The type that owns the field, as `LoaderConfig`.
        owner: &'static str,
        /// The field or argument.
        field: &'static str,
        /// The value found.
        found: String,
        /// What was expected instead.
        expected: String,
    },
    /// A loader was asked to run over a set without images.
    #[error("Loader: the image set is empty; expected at least one image")]
    EmptySet,
}

impl DataError {
    /// An error of the system while a file was read.
    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Read {
            path: path.into(),
            source,
        }
    }

    /// An error of the system while a file was written.
    #[cfg(feature = "download")]
    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Write {
            path: path.into(),
            source,
        }
    }

    /// Shorthand for [`DataError::Content`].
    pub(crate) fn content(path: &Path, reason: impl Into<String>) -> Self {
        Self::Content {
            path: path.into(),
            reason: printable(&reason.into()),
        }
    }

    /// Shorthand for [`DataError::Image`].
    pub(crate) fn image(path: &Path, reason: String) -> Self {
        Self::Image {
            path: path.into(),
            reason: printable(&reason),
        }
    }

    /// Shorthand for [`DataError::Invalid`].
    pub(crate) fn invalid(
        owner: &'static str,
        field: &'static str,
        found: impl ToString,
        expected: impl ToString,
    ) -> Self {
        Self::Invalid {
            owner,
            field,
            found: found.to_string(),
            expected: expected.to_string(),
        }
    }
}

/// A text as a part of a message, its control characters escaped: what a file says may be in it, and is
/// not to speak to a terminal.
pub fn printable(text: &str) -> String {
    let letters = text.chars().map(|letter| match letter.is_control() {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    });
    letters.collect()
}
