//! Where the files are and what a record looks like.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{DataError, Normalization};

/// Width and height of the images, in pixels.
pub(super) const SIDE: usize = 32;

/// Number of pixel bytes of a record.
pub(super) const IMAGE_BYTES: usize = 3 * SIDE * SIDE;

/// One label byte of a record.
#[derive(Debug)]
pub(super) struct LabelField {
    /// As it is called in an error.
    pub(super) name: &'static str,
    /// Number of classes.
    pub(super) classes: usize,
}

/// The layout of one data set.
#[derive(Debug)]
pub(super) struct Layout {
    /// Name of the data set.
    dataset: &'static str,
    /// Folders that the files may lie in, below the given one; the official name first.
    subfolders: &'static [&'static str],
    /// Files of the training split, in order.
    pub(super) train: &'static [&'static str],
    /// Files of the test split, in order.
    pub(super) test: &'static [&'static str],
    /// File of the class names.
    names: &'static str,
    /// The label bytes before the pixels; the last one is the label of the image.
    pub(super) fields: &'static [LabelField],
    /// Customary statistics.
    pub(super) normalization: Normalization,
}

pub(super) const CIFAR10: Layout = Layout {
    dataset: "CIFAR-10",
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
    fields: &[LabelField {
        name: "label",
        classes: 10,
    }],
    normalization: Normalization::CIFAR10,
};

pub(super) const CIFAR100: Layout = Layout {
    dataset: "CIFAR-100",
    subfolders: &["cifar-100-binary"],
    train: &["train.bin"],
    test: &["test.bin"],
    names: "fine_label_names.txt",
    fields: &[
        LabelField {
            name: "coarse label",
            classes: 20,
        },
        LabelField {
            name: "fine label",
            classes: 100,
        },
    ],
    normalization: Normalization::CIFAR100,
};

impl Layout {
    /// Number of classes of the images.
    pub(super) fn classes(&self) -> usize {
        self.fields.last().map_or(0, |field| field.classes)
    }

    /// Number of bytes of a record.
    pub(super) fn record_bytes(&self) -> usize {
        self.fields.len() + IMAGE_BYTES
    }

    /// The folder that holds the files: `root` or a subfolder of it.
    pub(super) fn locate(&self, root: &Path) -> Result<PathBuf, DataError> {
        if !root.is_dir() {
            return Err(DataError::MissingRoot { path: root.into() });
        }
        // The folder that has the most of the files is the one which is meant; thus the error
        // about an incomplete one names just the files that are missing. The first wins a tie.
        let mut folder = root.to_path_buf();
        let mut missing = self.missing(root);
        for subfolder in self.subfolders {
            let candidate = root.join(subfolder);
            let lacking = self.missing(&candidate);
            if lacking.len() < missing.len() {
                (folder, missing) = (candidate, lacking);
            }
        }
        if missing.is_empty() {
            return Ok(folder);
        }
        Err(DataError::MissingFiles {
            dataset: self.dataset,
            folder,
            files: missing,
            subfolder: self.subfolders[0],
        })
    }

    fn missing(&self, folder: &Path) -> Vec<String> {
        let files = self.train.iter().chain(self.test);
        files
            .filter(|file| !folder.join(file).is_file())
            .map(|file| file.to_string())
            .collect()
    }

    /// The class names, if their file is there.
    pub(super) fn class_names(&self, folder: &Path) -> Result<Option<Vec<String>>, DataError> {
        let path = folder.join(self.names);
        if !path.is_file() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).map_err(|source| DataError::Read {
            path: path.clone(),
            source,
        })?;
        // The official file of CIFAR-10 ends in an empty line.
        let lines = text.lines().map(str::trim);
        let names: Vec<_> = lines.filter(|l| !l.is_empty()).map(String::from).collect();
        if names.len() != self.classes() {
            return Err(DataError::LabelNames {
                path,
                found: names.len(),
                expected: self.classes(),
            });
        }
        Ok(Some(names))
    }
}
