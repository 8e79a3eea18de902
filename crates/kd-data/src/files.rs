//! Data sets whose images are files of their own.

mod folder;
mod gather;
mod listing;
mod tiny_imagenet;

use std::path::Path;

use self::gather::Listed;
use crate::{DataError, Limits, Normalization, Splits, checks};

/// How image files become a data set: JPEG and PNG, RGB or grayscale, told by their content.
///
/// All files are found, and their sizes read from their headers, when the set is read. What is
/// [small enough](Self::memory) is decoded then, in parallel; of the others, each image is decoded
/// when it is wanted, by the workers of the [loader](crate::Loader).
#[derive(Debug, Clone, PartialEq)]
pub struct ImageFiles {
    /// Side in pixels to which images are brought. Without it, all must have one size.
    pub image_size: Option<usize>,
    /// The share of the short side that is kept where images are evaluated: they are resized to
    /// `image_size / middle` and the middle is cut out. Default: 224/256, as for ImageNet.
    pub middle: f64,
    /// Bytes of decoded images that are held in memory, for each split. Default: 4 GiB.
    pub memory: u64,
    /// The statistics by which the images are normalized. Default: those of ImageNet.
    pub normalization: Normalization,
    /// How many images to read of each split: the first in the order of the classes' names.
    pub limits: Limits,
}

impl Default for ImageFiles {
    fn default() -> Self {
        Self {
            image_size: None,
            middle: 224.0 / 256.0,
            memory: 4 << 30,
            normalization: Normalization::IMAGENET,
            limits: Limits::default(),
        }
    }
}

impl ImageFiles {
    /// Reads `root/train/CLASS/…` and `root/val/CLASS/…`; the folders `train_set` and `test_set` of
    /// spot-adaptive distillation are taken as well. Labels follow the sorted names of the training
    /// classes. Subfolders of a class belong to it, and files of other endings than `jpg`, `jpeg`
    /// and `png` are left out.
    ///
    /// `official` are the numbers of images that it should have, which are only warned of.
    ///
    /// # Errors
    ///
    /// * [`DataError::MissingRoot`]: there is no such folder.
    /// * [`DataError::Content`]: one of the two folders is missing, or a class without images, or a
    ///   class in `val` that `train` does not have.
    /// * [`DataError::Image`], [`DataError::Read`]: a file that cannot be decoded. If the set is
    ///   streamed, only headers are looked at here.
    /// * [`DataError::Sizes`]: images of two sizes and no [`image_size`](Self::image_size).
    pub fn read_folder(
        &self,
        root: impl AsRef<Path>,
        official: Option<[usize; 2]>,
    ) -> Result<Splits, DataError> {
        self.gather("folder", folder::list(root.as_ref())?, official)
    }

    /// Reads Tiny-ImageNet in its official layout: `wnids.txt`, `train/CLASS/images/…`,
    /// `val/images/…` and `val/val_annotations.txt`. `root` is that folder, or the one around
    /// `tiny-imagenet-200`. Labels follow the *sorted* names of the classes. Class names are taken from `words.txt` if it is
    /// there.
    ///
    /// # Errors
    ///
    /// As [`read_folder`](Self::read_folder), and [`DataError::Content`] for a line of a text file
    /// that names what is not there.
    pub fn read_tiny_imagenet(&self, root: impl AsRef<Path>) -> Result<Splits, DataError> {
        let listed = tiny_imagenet::list(root.as_ref())?;
        self.gather("Tiny-ImageNet", listed, Some([100_000, 10_000]))
    }

    /// Whether a folder is that of Tiny-ImageNet, or the one around it.
    pub fn is_tiny_imagenet_in(root: impl AsRef<Path>) -> bool {
        tiny_imagenet::is_in(root.as_ref())
    }

    fn gather(
        &self,
        dataset: &str,
        listed: Listed,
        official: Option<[usize; 2]>,
    ) -> Result<Splits, DataError> {
        if self.image_size == Some(0) {
            return Err(DataError::invalid(
                "ImageFiles",
                "image_size",
                0,
                "at least 1",
            ));
        }
        if !(self.middle > 0.0 && self.middle <= 1.0) {
            let expected = "a fraction in (0, 1]";
            return Err(DataError::invalid(
                "ImageFiles",
                "middle",
                self.middle,
                expected,
            ));
        }
        let splits = gather::gather(self, listed)?;
        checks::warn(dataset, &splits, self.limits, official);
        Ok(splits)
    }
}
