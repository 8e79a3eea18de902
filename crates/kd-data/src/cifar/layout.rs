//! Where the files are and what they hold.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{python, records};
use crate::{DataError, Normalization};

/// Width and height of the images, in pixels.
pub(super) const SIDE: usize = 32;

/// Number of pixel bytes of an image.
pub(super) const IMAGE_BYTES: usize = 3 * SIDE * SIDE;

/// One label of an image.
#[derive(Debug)]
pub(super) struct LabelField {
    /// As it is called in an error.
    pub(super) name: &'static str,
    /// Its key in a file for Python.
    pub(super) key: &'static str,
    /// Number of classes.
    pub(super) classes: usize,
}

/// How the files are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Records of label bytes and pixel bytes.
    Binary,
    /// Python's pickles.
    Python,
}

/// The files of an archive.
#[derive(Debug)]
pub(super) struct Archive {
    pub(super) format: Format,
    /// Folders that the files may lie in, below the given one; the official name first.
    subfolders: &'static [&'static str],
    /// Files of the training split, in order.
    train: &'static [&'static str],
    /// Files of the test split, in order.
    test: &'static [&'static str],
    /// File of the class names.
    names: &'static str,
}

/// The layout of one data set.
#[derive(Debug)]
pub(super) struct Layout {
    /// Name of the data set.
    pub(super) dataset: &'static str,
    /// The archives in which it is published.
    archives: [Archive; 2],
    /// The labels of an image; the last one is that which counts.
    pub(super) fields: &'static [LabelField],
    /// The key of the class names in a file for Python.
    names_key: &'static str,
    /// Customary statistics.
    pub(super) normalization: Normalization,
}

pub(super) const CIFAR10: Layout = Layout {
    dataset: "CIFAR-10",
    archives: [
        Archive {
            format: Format::Binary,
            subfolders: &["cifar-10-batches-bin", "cifar-10-binary"],
            train: &[
                "data_batch_1.bin",
                "data_batch_2.bin",
                "data_batch_3.bin",
                "data_batch_4.bin",
                "data_batch_5.bin",
            ],
            test: &["test_batch.bin"],
            names: "batches.meta.txt",
        },
        Archive {
            format: Format::Python,
            subfolders: &["cifar-10-batches-py", "cifar-10-python"],
            train: &[
                "data_batch_1",
                "data_batch_2",
                "data_batch_3",
                "data_batch_4",
                "data_batch_5",
            ],
            test: &["test_batch"],
            names: "batches.meta",
        },
    ],
    fields: &[LabelField {
        name: "label",
        key: "labels",
        classes: 10,
    }],
    names_key: "label_names",
    normalization: Normalization::CIFAR10,
};

pub(super) const CIFAR100: Layout = Layout {
    dataset: "CIFAR-100",
    archives: [
        Archive {
            format: Format::Binary,
            subfolders: &["cifar-100-binary"],
            train: &["train.bin"],
            test: &["test.bin"],
            names: "fine_label_names.txt",
        },
        Archive {
            format: Format::Python,
            subfolders: &["cifar-100-python"],
            train: &["train"],
            test: &["test"],
            names: "meta",
        },
    ],
    fields: &[
        LabelField {
            name: "coarse label",
            key: "coarse_labels",
            classes: 20,
        },
        LabelField {
            name: "fine label",
            key: "fine_labels",
            classes: 100,
        },
    ],
    names_key: "fine_label_names",
    normalization: Normalization::CIFAR100,
};

/// The files of a data set where they were found.
#[derive(Debug)]
pub(super) struct Found<'a> {
    layout: &'a Layout,
    archive: &'a Archive,
    folder: PathBuf,
}

/// Pixel bytes `[N, 3, 32, 32]` and `N` labels.
pub(super) type Images = (Vec<u8>, Vec<u32>);

impl Layout {
    /// Number of classes of the images.
    pub(super) fn classes(&self) -> usize {
        self.fields.last().map_or(0, |field| field.classes)
    }

    /// Number of bytes of a binary record.
    pub(super) fn record_bytes(&self) -> usize {
        self.fields.len() + IMAGE_BYTES
    }

    /// The folder that holds the files, `root` or a subfolder of it, and how they are written.
    pub(super) fn locate(&self, root: &Path) -> Result<Found<'_>, DataError> {
        if !root.is_dir() {
            return Err(DataError::MissingRoot { path: root.into() });
        }
        // The folder that has the largest part of the files is the one which is meant; thus the
        // error about an incomplete one names just the files that are missing. The first wins a tie.
        let places = self.archives.iter().flat_map(|archive| {
            let below = archive.subfolders.iter().map(|name| root.join(name));
            std::iter::once(root.to_path_buf())
                .chain(below)
                .map(move |folder| (archive, folder))
        });
        let best = places
            .map(|(archive, folder)| (archive.missing(&folder), archive, folder))
            .min_by_key(|(missing, ..)| missing.len());
        let Some((missing, archive, folder)) = best else {
            return Err(DataError::MissingRoot { path: root.into() });
        };
        if missing.is_empty() {
            return Ok(Found {
                layout: self,
                archive,
                folder,
            });
        }
        Err(DataError::MissingFiles {
            dataset: self.dataset,
            folder,
            files: missing,
            subfolder: archive.subfolders[0],
        })
    }

    /// Whether a label is one of a field.
    pub(super) fn check(
        &self,
        field: &LabelField,
        value: i64,
        (path, record): (&Path, usize),
    ) -> Result<u32, DataError> {
        match usize::try_from(value) {
            Ok(label) if label < field.classes => Ok(label as u32),
            _ => Err(DataError::LabelRange {
                path: path.into(),
                record,
                field: field.name,
                value,
                classes: field.classes,
            }),
        }
    }
}

impl Archive {
    fn missing(&self, folder: &Path) -> Vec<String> {
        let files = self.train.iter().chain(self.test);
        files
            .filter(|file| !folder.join(file).is_file())
            .map(|file| file.to_string())
            .collect()
    }
}

impl Found<'_> {
    /// The training images.
    pub(super) fn train(&self, limit: Option<usize>) -> Result<Images, DataError> {
        self.read(self.archive.train, limit)
    }

    /// The test images.
    pub(super) fn test(&self, limit: Option<usize>) -> Result<Images, DataError> {
        self.read(self.archive.test, limit)
    }

    fn read(&self, files: &[&str], limit: Option<usize>) -> Result<Images, DataError> {
        let files: Vec<PathBuf> = files.iter().map(|file| self.folder.join(file)).collect();
        match self.archive.format {
            Format::Binary => records::read(self.layout, &files, limit),
            Format::Python => python::read(self.layout, &files, limit),
        }
    }

    /// The class names, if their file is there.
    pub(super) fn class_names(&self) -> Result<Option<Vec<String>>, DataError> {
        let path = self.folder.join(self.archive.names);
        if !path.is_file() {
            return Ok(None);
        }
        let expected = self.layout.classes();
        let names: Vec<String> = match self.archive.format {
            Format::Binary => {
                let text = fs::read_to_string(&path).map_err(DataError::read(&path))?;
                // The official file of CIFAR-10 ends in an empty line.
                let lines = text.lines().map(str::trim);
                lines.filter(|l| !l.is_empty()).map(String::from).collect()
            }
            Format::Python => python::names(&path, self.layout.names_key, expected)?,
        };
        if names.len() != expected {
            return Err(DataError::LabelNames {
                path,
                found: names.len(),
                expected,
            });
        }
        Ok(Some(names))
    }
}
