//! Image sets.

mod dev_split;
mod fingerprint;
mod pixels;

use std::borrow::Cow;
use std::sync::Arc;

pub(crate) use self::pixels::{Fit, Pixels};
use crate::picture::Picture;
use crate::{DataError, Normalization};

/// Number of channels of every image: red, green, blue.
const CHANNELS: usize = 3;

/// Labeled RGB images of one size, as bytes.
///
/// An image is `[C, H, W]`: the whole red plane, then green, then blue, each row-major. Bytes instead
/// of floats take a quarter of the memory; the conversion happens on the device, batch by batch.
/// Images are in memory, or, if they are too many, in files that are decoded when they are wanted.
/// Clones and parts of a set share the pixels.
///
/// ```
/// use kd_data::{ImageSet, Normalization};
///
/// let pixels = vec![0; 2 * 3 * 4 * 4];
/// let set = ImageSet::new(pixels, vec![0, 1], [4, 4], 2, Normalization::CIFAR10)?;
/// assert_eq!(set.len(), 2);
/// assert_eq!(set.image(1)?.len(), 48);
/// assert_eq!(set.label(1), 1);
/// # Ok::<(), kd_data::DataError>(())
/// ```
#[derive(Debug, Clone)]
pub struct ImageSet {
    pixels: Arc<Pixels>,
    /// Where the pixels of each image are; in order if there is none.
    rows: Option<Vec<u32>>,
    labels: Vec<u32>,
    fit: Fit,
    classes: usize,
    normalization: Normalization,
    class_names: Option<Vec<String>>,
}

impl ImageSet {
    /// Builds a set from its pixels and labels.
    ///
    /// # Arguments
    ///
    /// * `pixels` - bytes `[N, 3, H, W]`, contiguous.
    /// * `labels` - `N` labels, each below `classes`.
    /// * `size` - `[H, W]` in pixels.
    /// * `classes` - number of classes.
    /// * `normalization` - per-channel statistics in units of 0..1.
    ///
    /// # Errors
    ///
    /// [`DataError::Invalid`] if a size or the number of classes is 0, if the number of bytes is
    /// not `N * 3 * H * W`, if a label is not below `classes`, or if the statistics are not finite
    /// or a deviation is not above 0. A set of no images is allowed.
    pub fn new(
        pixels: Vec<u8>,
        labels: Vec<u32>,
        size: [usize; 2],
        classes: usize,
        normalization: Normalization,
    ) -> Result<Self, DataError> {
        let invalid = |field, found: String, expected: String| {
            Err(DataError::invalid("ImageSet", field, found, expected))
        };
        let [height, width] = size;
        // Saturation keeps an absurd size from wrapping around to a length that matches.
        let bytes = labels
            .len()
            .saturating_mul(CHANNELS)
            .saturating_mul(height)
            .saturating_mul(width);
        if pixels.len() != bytes {
            return invalid(
                "pixels",
                format!("{} bytes", pixels.len()),
                format!(
                    "{bytes} bytes for {} images of [{CHANNELS}, {height}, {width}]",
                    labels.len()
                ),
            );
        }
        let fit = Fit { size, share: 1.0 };
        Self::of_pixels(Pixels::Planes(pixels), labels, fit, classes, normalization)
    }

    /// Builds a set of pixels that are known to be as many as labels.
    pub(crate) fn of_pixels(
        pixels: Pixels,
        labels: Vec<u32>,
        fit: Fit,
        classes: usize,
        normalization: Normalization,
    ) -> Result<Self, DataError> {
        let invalid = |field, found: String, expected: String| {
            Err(DataError::invalid("ImageSet", field, found, expected))
        };
        if fit.size.contains(&0) {
            return invalid("size", format!("{:?}", fit.size), "sides above 0".into());
        }
        if classes == 0 {
            return invalid("classes", "0".into(), "at least 1".into());
        }
        normalization.check()?;
        if let Some(image) = labels.iter().position(|&l| l as usize >= classes) {
            return invalid(
                "labels",
                format!("{} at image {image}", labels[image]),
                format!("a label below {classes}"),
            );
        }
        Ok(Self {
            pixels: pixels.into(),
            rows: None,
            labels,
            fit,
            classes,
            normalization,
            class_names: None,
        })
    }

    /// Adds the names of the classes, in the order of the labels.
    ///
    /// # Errors
    ///
    /// [`DataError::Invalid`] if there is not exactly one name a class.
    pub fn with_class_names(mut self, names: Vec<String>) -> Result<Self, DataError> {
        if names.len() != self.classes {
            return Err(DataError::invalid(
                "ImageSet",
                "class_names",
                format!("{} names", names.len()),
                format!("{} names, one per class", self.classes),
            ));
        }
        self.class_names = Some(names);
        Ok(self)
    }

    /// The same images, to be normalized by other statistics.
    ///
    /// # Errors
    ///
    /// [`DataError::Invalid`] if they are not finite, or a deviation is not above 0.
    pub fn with_normalization(mut self, normalization: Normalization) -> Result<Self, DataError> {
        normalization.check()?;
        self.normalization = normalization;
        Ok(self)
    }

    /// Keeps the first `n` images; all of them if there are no more than `n`.
    ///
    /// With `n = 0` the set becomes empty, which a loader refuses.
    #[must_use]
    pub fn limit(self, n: usize) -> Self {
        if n >= self.len() {
            return self;
        }
        let first: Vec<usize> = (0..n).collect();
        self.select(&first)
    }

    /// Keeps `n` images at equal distances, the first one among them; all of them if there are no
    /// more than `n`. Of sets that are in the order of their classes, no class is left out by it.
    #[must_use]
    pub fn spread(self, n: usize) -> Self {
        let len = self.len();
        if n >= len {
            return self;
        }
        let images: Vec<usize> = (0..n).map(|image| image * len / n).collect();
        self.select(&images)
    }

    /// Keeps these images, in this order.
    fn select(mut self, images: &[usize]) -> Self {
        let rows = images.iter().map(|image| self.row(*image) as u32).collect();
        self.labels = images.iter().map(|image| self.labels[*image]).collect();
        self.rows = Some(rows);
        self
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The bytes `[C, H, W]` of image `i`, as it is evaluated.
    ///
    /// # Errors
    ///
    /// [`DataError::Read`] or [`DataError::Image`] if its file cannot be decoded; never if the set is
    /// in memory and of one size.
    ///
    /// # Panics
    ///
    /// Like a slice, if `i` is not below [`len`](Self::len).
    pub fn image(&self, i: usize) -> Result<Cow<'_, [u8]>, DataError> {
        self.pixels.image(self.row(i), self.fit)
    }

    /// Image `i` as it is stored, of any size.
    pub(crate) fn picture(&self, i: usize) -> Result<Cow<'_, Picture>, DataError> {
        self.pixels.picture(self.row(i), self.fit)
    }

    /// Whether all pixels of image `i` have one color; `None` if that would have to be decoded first.
    pub(crate) fn is_of_one_color(&self, i: usize) -> Option<bool> {
        self.pixels.is_of_one_color(self.row(i), self.fit)
    }

    /// Whether images `i` and `j` are the same; `None` if they would have to be decoded first.
    pub(crate) fn are_the_same(&self, i: usize, j: usize) -> Option<bool> {
        self.pixels.are_the_same(self.row(i), self.row(j), self.fit)
    }

    /// Whether images are decoded when they are wanted, as they are too many to hold.
    pub fn is_streamed(&self) -> bool {
        matches!(*self.pixels, Pixels::Files(_))
    }

    fn row(&self, i: usize) -> usize {
        match &self.rows {
            Some(rows) => rows[i] as usize,
            None => i,
        }
    }

    /// The label of image `i`, below [`classes`](Self::classes).
    ///
    /// # Panics
    ///
    /// Like a slice, if `i` is not below [`len`](Self::len).
    pub fn label(&self, i: usize) -> usize {
        self.labels[i] as usize
    }

    /// Number of classes, whether or not all of them occur.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Number of channels: 3.
    pub fn channels(&self) -> usize {
        CHANNELS
    }

    /// Height of the images, in pixels.
    pub fn height(&self) -> usize {
        self.fit.size[0]
    }

    /// Width of the images, in pixels.
    pub fn width(&self) -> usize {
        self.fit.size[1]
    }

    /// The statistics by which the images are to be normalized.
    pub fn normalization(&self) -> Normalization {
        self.normalization
    }

    /// The names of the classes, if they are known.
    pub fn class_names(&self) -> Option<&[String]> {
        self.class_names.as_deref()
    }

    /// Number of bytes of one image.
    pub(crate) fn image_bytes(&self) -> usize {
        CHANNELS * self.height() * self.width()
    }
}

/// Sets are equal if they describe the same images, wherever their pixels are.
impl PartialEq for ImageSet {
    fn eq(&self, other: &Self) -> bool {
        let same = |i| match (self.image(i), other.image(i)) {
            (Ok(a), Ok(b)) => a == b,
            _ => false,
        };
        self.labels == other.labels
            && self.fit.size == other.fit.size
            && self.classes == other.classes
            && self.normalization == other.normalization
            && self.class_names == other.class_names
            && (0..self.len()).all(same)
    }
}

/// The two parts of a data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Splits {
    /// Images to train on.
    pub train: ImageSet,
    /// Images to test on.
    pub test: ImageSet,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> ImageSet {
        let pixels = (0..3 * 3 * 2 * 2).map(|i| i as u8).collect();
        ImageSet::new(pixels, vec![2, 0, 1], [2, 2], 3, Normalization::CIFAR100).expect("valid")
    }

    fn message(result: Result<ImageSet, DataError>) -> String {
        result.expect_err("must be refused").to_string()
    }

    #[test]
    fn images_and_labels_are_found_by_index() {
        let set = three();
        assert_eq!((set.len(), set.is_empty(), set.classes()), (3, false, 3));
        assert_eq!((set.channels(), set.height(), set.width()), (3, 2, 2));
        assert_eq!(*set.image(1).expect("bytes"), (12..24).collect::<Vec<u8>>());
        assert_eq!([0, 1, 2].map(|i| set.label(i)), [2, 0, 1]);
        assert_eq!(set.class_names(), None);
    }

    #[test]
    fn limit_keeps_the_first_images() {
        let set = three().limit(2);
        assert_eq!((set.len(), set.label(1)), (2, 0));
        assert_eq!(set.image(1).ok(), three().image(1).ok());
        assert_eq!(three().limit(99), three());
        assert!(three().limit(0).is_empty());
    }

    #[test]
    fn spread_keeps_images_at_equal_distances() {
        let pixels = (0..7 * 3).map(|i| i as u8).collect();
        let labels = (0..7).collect();
        let set = ImageSet::new(pixels, labels, [1, 1], 7, Normalization::CIFAR10).expect("valid");
        let labels = |set: &ImageSet| (0..set.len()).map(|i| set.label(i)).collect::<Vec<_>>();
        assert_eq!(labels(&set.clone().spread(3)), [0, 2, 4]);
        assert_eq!(labels(&set.clone().spread(6)), [0, 1, 2, 3, 4, 5]);
        assert_eq!(set.clone().spread(7), set);
        assert!(set.spread(0).is_empty());
    }

    #[test]
    fn wrong_number_of_pixels_is_refused() {
        let stats = Normalization::CIFAR10;
        assert_eq!(
            message(ImageSet::new(vec![0; 13], vec![0], [2, 2], 1, stats)),
            "ImageSet: pixels is 13 bytes; expected 12 bytes for 1 images of [3, 2, 2]"
        );
        let huge = [usize::MAX, usize::MAX];
        assert!(ImageSet::new(vec![], vec![0], huge, 1, stats).is_err());
        assert!(ImageSet::new(vec![], vec![], [0, 2], 1, stats).is_err());
        assert!(ImageSet::new(vec![], vec![], [2, 2], 0, stats).is_err());
    }

    #[test]
    fn label_out_of_range_is_refused() {
        let stats = Normalization::CIFAR10;
        assert_eq!(
            message(ImageSet::new(vec![0; 24], vec![1, 2], [2, 2], 2, stats)),
            "ImageSet: labels is 2 at image 1; expected a label below 2"
        );
    }

    #[test]
    fn statistics_that_cannot_normalize_are_refused() {
        for (mean, std) in [
            ([0.0; 3], [0.1, 0.0, 0.1]),
            ([0.0; 3], [0.1, -0.1, 0.1]),
            ([0.0; 3], [f32::NAN, 0.1, 0.1]),
            ([f32::INFINITY, 0.0, 0.0], [0.1; 3]),
        ] {
            let stats = Normalization { mean, std };
            assert!(ImageSet::new(vec![], vec![], [2, 2], 1, stats).is_err());
        }
    }

    #[test]
    fn class_names_are_one_a_class() {
        let names: Vec<_> = ["a", "b", "c"].map(String::from).into();
        let set = three()
            .with_class_names(names.clone())
            .expect("three names");
        assert_eq!(set.class_names(), Some(&names[..]));
        assert_eq!(
            message(three().with_class_names(names[..2].to_vec())),
            "ImageSet: class_names is 2 names; expected 3 names, one per class"
        );
    }
}
