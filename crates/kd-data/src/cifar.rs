//! CIFAR-10 and CIFAR-100 in the official layouts.

mod layout;
mod pickle;
mod python;
mod records;

use std::path::Path;

use serde::{Deserialize, Serialize};

use self::layout::Layout;
use crate::{DataError, ImageSet, Splits, checks};

/// The two CIFAR data sets: 32x32 RGB images, 50,000 to train and 10,000 to test on.
///
/// Both official versions are read, the binary one and that for Python, which torchvision downloads.
/// A record of the binary one is
///
/// | set | labels | pixels | record |
/// |---|---|---|---|
/// | CIFAR-10 | 1 byte, below 10 | 3 planes of 1024 bytes | 3073 bytes |
/// | CIFAR-100 | coarse below 20, fine below 100 | 3 planes of 1024 bytes | 3074 bytes |
///
/// with no header and no padding. For CIFAR-100 the label is the fine one. Class names are taken
/// from `batches.meta.txt`, `fine_label_names.txt`, `batches.meta` or `meta` if that file is there.
/// Other numbers of images than the official ones are read with a warning.
///
/// ```no_run
/// use kd_data::Cifar;
///
/// let splits = Cifar::Cifar100.read("data", Default::default())?;
/// assert_eq!(splits.train.classes(), 100);
/// # Ok::<(), kd_data::DataError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Cifar {
    /// 10 classes; `cifar-10-batches-bin`, `cifar-10-binary` or `cifar-10-batches-py`.
    Cifar10,
    /// 100 classes; `cifar-100-binary` or `cifar-100-python`.
    Cifar100,
}

/// How many images to read of each split; `None` reads all of them.
///
/// The first images are taken, and no more than those are read from the disk; the size of every
/// file that is opened is checked whatever the limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Greatest number of training images.
    pub train: Option<usize>,
    /// Greatest number of test images.
    pub test: Option<usize>,
}

impl Cifar {
    /// Reads both splits.
    ///
    /// `root` is the folder of the files itself, or the folder that contains the one which the
    /// official archive unpacks to.
    ///
    /// # Errors
    ///
    /// * [`DataError::MissingRoot`], [`DataError::MissingFiles`]: the folder or files of it are
    ///   not there. All files are looked for, whatever the limits.
    /// * [`DataError::EmptyFile`], [`DataError::Truncated`]: a size that cannot be right.
    /// * [`DataError::LabelRange`]: a label which the set does not have, with its record.
    /// * [`DataError::LabelNames`]: a file of class names that does not fit.
    /// * [`DataError::Content`]: a file for Python that is damaged or holds something else.
    /// * [`DataError::Read`]: the system could not read a file.
    pub fn read(self, root: impl AsRef<Path>, limits: Limits) -> Result<Splits, DataError> {
        let layout = self.layout();
        let files = layout.locate(root.as_ref())?;
        let names = files.class_names()?;
        let set = |(pixels, labels): layout::Images| -> Result<ImageSet, DataError> {
            let size = [layout::SIDE, layout::SIDE];
            let classes = layout.classes();
            let set = ImageSet::new(pixels, labels, size, classes, layout.normalization)?;
            match &names {
                Some(names) => set.with_class_names(names.clone()),
                None => Ok(set),
            }
        };
        let splits = Splits {
            train: set(files.train(limits.train)?)?,
            test: set(files.test(limits.test)?)?,
        };
        checks::warn(layout.dataset, &splits, limits, Some([50_000, 10_000]));
        Ok(splits)
    }

    /// Whether its files are in a folder, or in the subfolder which the official archive unpacks to.
    pub fn is_in(self, root: impl AsRef<Path>) -> bool {
        self.layout().locate(root.as_ref()).is_ok()
    }

    fn layout(self) -> &'static Layout {
        match self {
            Self::Cifar10 => &layout::CIFAR10,
            Self::Cifar100 => &layout::CIFAR100,
        }
    }
}
