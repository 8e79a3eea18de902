//! Image sets held in memory as bytes.

use crate::{DataError, Normalization};

/// Number of channels of every image: red, green, blue.
const CHANNELS: usize = 3;

/// Labeled RGB images of one size, held as bytes.
///
/// The pixels are one contiguous buffer `[N, C, H, W]`: image after image, and in each image the
/// whole red plane, then green, then blue, each row-major. Bytes instead of floats take a quarter
/// of the memory; the conversion happens on the device, batch by batch.
///
/// ```
/// use kd_data::{ImageSet, Normalization};
///
/// let pixels = vec![0; 2 * 3 * 4 * 4];
/// let set = ImageSet::new(pixels, vec![0, 1], [4, 4], 2, Normalization::CIFAR10)?;
/// assert_eq!(set.len(), 2);
/// assert_eq!(set.image(1).len(), 48);
/// assert_eq!(set.label(1), 1);
/// # Ok::<(), kd_data::DataError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ImageSet {
    pixels: Vec<u8>,
    labels: Vec<u32>,
    height: usize,
    width: usize,
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
        if height == 0 || width == 0 {
            return invalid("size", format!("{size:?}"), "sides above 0".into());
        }
        if classes == 0 {
            return invalid("classes", "0".into(), "at least 1".into());
        }
        normalization.check()?;

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
        if let Some(image) = labels.iter().position(|&l| l as usize >= classes) {
            return invalid(
                "labels",
                format!("{} at image {image}", labels[image]),
                format!("a label below {classes}"),
            );
        }
        Ok(Self {
            pixels,
            labels,
            height,
            width,
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
                format!("{} names, one a class", self.classes),
            ));
        }
        self.class_names = Some(names);
        Ok(self)
    }

    /// Keeps the first `n` images; all of them if there are no more than `n`.
    ///
    /// With `n = 0` the set becomes empty, which a loader refuses.
    #[must_use]
    pub fn limit(mut self, n: usize) -> Self {
        let n = n.min(self.len());
        self.pixels.truncate(n * self.image_bytes());
        self.pixels.shrink_to_fit();
        self.labels.truncate(n);
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

    /// The bytes `[C, H, W]` of image `i`.
    ///
    /// # Panics
    ///
    /// Like a slice, if `i` is not below [`len`](Self::len).
    pub fn image(&self, i: usize) -> &[u8] {
        let bytes = self.image_bytes();
        &self.pixels[i * bytes..(i + 1) * bytes]
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
        self.height
    }

    /// Width of the images, in pixels.
    pub fn width(&self) -> usize {
        self.width
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
        CHANNELS * self.height * self.width
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
        assert_eq!(set.image(1), (12..24).collect::<Vec<u8>>());
        assert_eq!([0, 1, 2].map(|i| set.label(i)), [2, 0, 1]);
        assert_eq!(set.class_names(), None);
    }

    #[test]
    fn limit_keeps_the_first_images() {
        let set = three().limit(2);
        assert_eq!((set.len(), set.label(1)), (2, 0));
        assert_eq!(set.image(1), three().image(1));
        assert_eq!(three().limit(99), three());
        assert!(three().limit(0).is_empty());
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
            "ImageSet: class_names is 2 names; expected 3 names, one a class"
        );
    }
}
